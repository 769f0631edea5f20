"""The container images that Dockerfiles, compose files, manifests, chart values and workflows name."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

_FOLDERS = ("deploy", "helm", ".github")
_DIGEST = re.compile(r"(?P<image>[A-Za-z0-9][A-Za-z0-9./_:-]*)@(?P<digest>sha256:[0-9a-f]{64})\b")
_YAML_IMAGE = re.compile(r"""^\s*(?:-\s+)?["']?image["']?\s*:\s*["']?(?P<image>[^\s"'#]+)""")
_FROM = re.compile(r"^\s*FROM\s+(?:--platform=\S+\s+)?(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.IGNORECASE)
_COPY_FROM = re.compile(r"^\s*COPY\s.*--from=(?P<image>\S+)", re.IGNORECASE)
_ARGUMENT = re.compile(r"^\s*ARG\s+(?P<name>\w*IMAGE\w*)=(?P<image>\S+)", re.IGNORECASE)
_DEFAULT = re.compile(r"\$\{\w+:?-(?P<default>[^}]+)\}")
_IGNORED_NAMES = frozenset({"scratch"})


class ImageUse(msgspec.Struct, frozen=True):
    """One image as a file names it: `name` without registry defaults and tag; `digest` empty when it is not pinned."""

    path: Path
    line: int
    name: str
    tag: str
    digest: str


def image_files(root: Path) -> list[Path]:
    """The files that may name an image: everything but prose and code in deploy/, helm/ and .github/, sorted."""
    found = [path for folder in _FOLDERS for path in (root / folder).rglob("*")]
    found = [path for path in found if path.suffix not in (".md", ".gotmpl", ".json", ".py")]
    return sorted(path for path in found if not is_secret(root, path) and path.is_file())


def is_secret(root: Path, path: Path) -> bool:
    """Whether it is of a stack on this machine (deploy/make-secrets): no part of the project, not ours to read."""
    return path.is_relative_to(root / "deploy" / "secrets")


def images_in(path: Path) -> list[ImageUse]:
    """The images that one file names, each line's once; what is only known when a template is rendered is left out."""
    lines = path.read_text(errors="replace").splitlines()
    is_dockerfile = "dockerfile" in path.name.lower()
    stages: set[str] = set()
    found: list[ImageUse] = []
    for number, text in enumerate(lines, start=1):
        # What a compose file takes when nobody says otherwise: `${IMAGE:-name@digest}`.
        line = _DEFAULT.sub(lambda match: match["default"], text)
        written = [match[0] for match in _DIGEST.finditer(line)]
        if not written and is_dockerfile:
            written = list(_in_dockerfile(line, stages))
        elif not written and (match := _YAML_IMAGE.match(line)):
            written = [match["image"]]
        found += [use for image in written if (use := _parsed(path, number, image))]
        if is_dockerfile and (match := _FROM.match(line)) and match["stage"]:
            stages.add(match["stage"].lower())
    return found


def _in_dockerfile(line: str, stages: set[str]) -> Iterator[str]:
    for pattern in (_ARGUMENT, _FROM, _COPY_FROM):
        if (match := pattern.match(line)) and match["image"].lower() not in stages:
            yield match["image"]


def _parsed(path: Path, line: int, image: str) -> ImageUse | None:
    """An image reference taken apart; None for what is a variable, a placeholder of a template, or no image."""
    if "$" in image or "{{" in image or image in _IGNORED_NAMES or image.startswith(("{", "[", "&", "*", "|", ">")):
        return None
    place, _, digest = image.removeprefix("docker://").partition("@")
    name, colon, tag = place.rpartition(":")
    if not colon or "/" in tag:
        name, tag = place, ""
    return ImageUse(path, line, plain_name(name), tag, digest)


def plain_name(name: str) -> str:
    """`docker.io/library/redis` and `redis` are one image."""
    for prefix in ("index.docker.io/", "docker.io/"):
        name = name.removeprefix(prefix)
    return name.removeprefix("library/")
