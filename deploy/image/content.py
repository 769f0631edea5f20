"""What is in the image, and whether it may be there: `python -m deploy.image.content IMAGE.tar [--lock FILE]`.

Looks into every layer of a `docker save`, since what a later layer removed can still be fetched. Status 1 with every
finding when there is a compiler, a shell, a package manager, a development package, a Python package that is not in
the lock (or another version), a setuid or world-writable file, an owner's file outside STATE_DIR, or anything that
looks like a secret in a file, a variable, a label or the history.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from deploy.image.layers import File, Image, open_image, visible
from deploy.image.lock_part import entries

OWN_DISTRIBUTION = "querygateway"
STATE_DIR = "var/lib/querygateway"
SERVICE_UID = 10001

_PLACES_OF_PROGRAMS = re.compile(r"(usr/)?(local/)?(s?bin|libexec)/[^/]+")
_COMPILERS = re.compile(
    r"(.*-)?(gcc|g\+\+|cc|c\+\+|clang|cpp|tcc|as|ld|ld\.(bfd|gold)|make|cmake|ninja|rustc|cargo|go|javac|gdb)(-[\d.]+)?"
)
_SHELLS = re.compile(r"(ba|da|z|k|c|tc|a)?sh|busybox")
_FETCHERS = re.compile(r"apt.*|dpkg.*|apk|yum|dnf|rpm|pip[\d.]*|curl|wget|nc|netcat|perl.*|git|uvx?")
_DEVELOPMENT_PACKAGES = re.compile(
    r"build-essential|binutils.*|gcc-\d+|g\+\+.*|cpp.*|make|git|.*-dev|apt|dash|bash|perl.*"
)
_DEVELOPMENT_MODULES = re.compile(
    r"pip|setuptools|wheel|pytest|_pytest|duckdb|qg_standin|qg_devstack|mypy|ruff|uv|tests"
)
_SECRET_NAMES = re.compile(
    r"\.env(\..*)?|\.netrc|\.pypirc|\.npmrc|\.pgpass|\.git-credentials|id_(rsa|dsa|ecdsa|ed25519)|.*\.(pfx|p12|jks|kdbx)"
    r"|pip\.conf|keys\.env|users\.acl|stack\.json|credentials(\.json)?"
)
_SECRET_CONTENTS = {
    "private key": re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s*(?:[A-Za-z0-9+/=]{16,}\s+){2}"),
    "cloud access key": re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "token of a code host": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bglpat-[A-Za-z0-9_-]{20}\b"),
    "token of a package index": re.compile(rb"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
    "chat token": re.compile(rb"\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{10,}"),
    "key of this gateway": re.compile(
        rb"\b(?:ENCRYPTION_KEY|BUNDLE_SEAL_KEY|BUNDLE_SIGNING_KEY|JWT_SECRET_KEY)\s*=\s*[\"']?[A-Za-z0-9_=-]{32,}"
    ),
}
_SECRET_VARIABLE = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|_KEY|CREDENTIAL)[A-Z0-9_]*=.+", re.IGNORECASE)
_URL_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/:@]+@", re.IGNORECASE)
# The image's history shows the build's own lines, and those name secrets by path alone.
_PUBLIC_VARIABLES = ("GPG_KEY=",)
_DISTRIBUTION = re.compile(r".*/(?:site|dist)-packages/([^/]+)-([^-/]+)\.dist-info/METADATA")


def findings(image: Image, lock: str) -> Iterator[str]:
    """Everything that must not be there, one line each."""
    seen: list[File] = []
    for file in image.files():
        yield from _about_file(file)
        # Contents are not kept: an image is larger than what a reader wants to hold.
        if file.path != "var/lib/dpkg/status":
            file = File(file.layer, file.path, file.mode, file.uid, file.size, file.kind, b"")
        seen.append(file)
    shown = visible(iter(seen))
    yield from _about_packages(shown)
    yield from _about_distributions(shown, lock)
    yield from _about_configuration(image)


def distributions(files: dict[str, File]) -> dict[str, str]:
    """Python packages that a container sees: normalized name and version."""
    found = {}
    for path in files:
        if match := _DISTRIBUTION.fullmatch(path):
            found[_normalized(match[1])] = match[2]
    return found


def _about_file(file: File) -> Iterator[str]:
    where = f"layer {file.layer}: /{file.path}"
    if file.kind != "directory" and _PLACES_OF_PROGRAMS.fullmatch(file.path):
        for what, pattern in (("a compiler", _COMPILERS), ("a shell", _SHELLS), ("a program that fetches", _FETCHERS)):
            if pattern.fullmatch(file.name):
                yield f"{where}: {what}"
    if _top_level_module(file.path) and _DEVELOPMENT_MODULES.fullmatch(file.name.removesuffix(".py")):
        yield f"{where}: for development alone"
    if file.kind == "file" and file.name.endswith((".h", ".a")) and "/site-packages/" not in file.path:
        yield f"{where}: a header or static library"
    if file.kind == "file" and file.mode & 0o6000:
        yield f"{where}: setuid or setgid"
    if file.kind != "link" and file.mode & 0o002 and not file.mode & 0o1000:
        yield f"{where}: everybody may write to it"
    if file.uid == SERVICE_UID and file.path != STATE_DIR:
        yield f"{where}: belongs to the user of the services"
    if file.kind == "file" and _SECRET_NAMES.fullmatch(file.name):
        yield f"{where}: named like a secret"
    for what, secret in _SECRET_CONTENTS.items():
        if secret.search(file.contents):
            yield f"{where}: holds a {what}"


def _about_packages(files: dict[str, File]) -> Iterator[str]:
    status = files.get("var/lib/dpkg/status")
    text = status.contents.decode("utf-8", "replace") if status else ""
    for name in re.findall(r"^Package: (.+)$", text, re.MULTILINE):
        if _DEVELOPMENT_PACKAGES.fullmatch(name):
            yield f"the system's package {name}: for development alone"


def _about_distributions(files: dict[str, File], lock: str) -> Iterator[str]:
    allowed = {}
    for name, entry in entries(lock).items():
        locked = re.match(r"[^=]+==([^\s;\\]+)", entry)
        allowed[_normalized(name)] = locked[1] if locked else ""
    installed = distributions(files)
    for name, version in installed.items():
        if name != OWN_DISTRIBUTION and allowed.get(name) != version:
            yield f"the Python package {name} {version}: not in the lock"
    if OWN_DISTRIBUTION not in installed:
        yield f"the Python package {OWN_DISTRIBUTION} is missing"


def _about_configuration(image: Image) -> Iterator[str]:
    inner = image.configuration.get("config", {})
    labels = inner.get("Labels") or {}
    texts = [*(inner.get("Env") or ()), *(f"{name}={value}" for name, value in labels.items())]
    for text in texts:
        if text.startswith(_PUBLIC_VARIABLES):
            continue
        if _SECRET_VARIABLE.search(text) or _URL_WITH_PASSWORD.search(text):
            yield f"the variable or label {text.partition('=')[0]}: named or shaped like a secret"
    for step in image.configuration.get("history", ()):
        if _URL_WITH_PASSWORD.search(step.get("created_by", "")):
            yield "the history holds a URL with a password"
    user = str(inner.get("User", ""))
    if not re.fullmatch(r"[1-9]\d*(:\d+)?", user):
        yield f"the user {user!r}: must be a number above 0"
    for name in ("Entrypoint", "Cmd"):
        if (inner.get(name) or [""])[0] in ("/bin/sh", "sh"):
            yield f"{name} needs a shell"


def _top_level_module(path: str) -> bool:
    return re.fullmatch(r".*/(site|dist)-packages/[^/]+", path) is not None


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def listing(image: Image) -> str:
    """What a container sees: packages with versions, and where the bytes lie."""
    shown = visible(image.files())
    sizes: Counter[str] = Counter()
    for path, file in shown.items():
        sizes["/" + "/".join(path.split("/")[:3])] += file.size
    lines = [f"{len(shown)} files and directories, {sum(sizes.values()) / 1e6:.1f} MB in {len(image.layers)} layers"]
    lines += ["", "Python packages:"]
    lines += [f"  {name} {version}" for name, version in sorted(distributions(shown).items())]
    status = shown.get("var/lib/dpkg/status")
    packages = re.findall(r"^Package: (.+)$", status.contents.decode() if status else "", re.MULTILINE)
    lines += ["", f"System packages ({len(packages)}): {' '.join(sorted(packages))}"]
    programs = sorted(path for path in shown if _PLACES_OF_PROGRAMS.fullmatch(path) and shown[path].kind != "directory")
    lines += ["", f"Programs of the system: {' '.join('/' + path for path in programs)}", "", "Largest:"]
    lines += [f"  {size / 1e6:8.1f} MB  {path}" for path, size in sizes.most_common(15)]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="What is in an image, and whether it may be there.")
    parser.add_argument("archive", type=Path, help="what `docker save IMAGE` wrote")
    parser.add_argument(
        "--lock", type=Path, default=Path("requirements.lock"), help="Python packages that may be there"
    )
    options = parser.parse_args(arguments)
    image = open_image(options.archive)
    sys.stdout.write(listing(image) + "\n\n")
    found = list(findings(image, options.lock.read_text(encoding="utf-8")))
    for line in found:
        sys.stdout.write(f"NOT ALLOWED  {line}\n")
    sys.stdout.write(f"{len(found)} things that must not be there\n" if found else "nothing that must not be there\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
