"""Leave of a Debian-based image what Python needs to run: `strip.py ENVIRONMENT`, in the image, while it is built.

What goes: every program but Python (shell, package managers, coreutils, perl), pip and whatever else is installed for
the system's Python, shared libraries that neither Python nor ENVIRONMENT loads, headers, documentation, caches, package
sources. What stays: the C library, certificates, time zones, users, licences, and the package database, in which only
packages are left of which something is left: a scanner then reports what is there, and nothing that is not.
"""

import compileall
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

_PROGRAMS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "usr/libexec")
_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_TREES = (
    "etc/apt", "etc/cron.d", "etc/cron.daily", "etc/init.d", "etc/logrotate.d", "etc/pam.d", "etc/pip.conf",
    "etc/security", "root/.cache", "usr/games", "usr/include", "usr/lib/apt", "usr/lib/dpkg", "usr/lib/gcc",
    "usr/lib/init", "usr/lib/lsb", "usr/lib/mime", "usr/lib/python3/dist-packages", "usr/lib/ssl/misc",
    "usr/lib/systemd", "usr/lib/terminfo", "usr/lib/tmpfiles.d", "usr/lib/udev", "usr/lib/valgrind",
    "usr/local/include", "usr/local/share", "usr/local/src", "usr/share/bash-completion", "usr/share/bug",
    "usr/share/debconf", "usr/share/debianutils", "usr/share/doc-base", "usr/share/dpkg", "usr/share/gcc",
    "usr/share/gdb", "usr/share/info", "usr/share/keyrings", "usr/share/libgcrypt20", "usr/share/lintian",
    "usr/share/locale", "usr/share/man", "usr/share/menu", "usr/share/pam", "usr/share/pam-configs",
    "usr/share/perl5", "usr/share/pixmaps", "usr/share/polkit-1", "usr/share/python-wheels", "usr/share/python3",
    "usr/share/tabset", "usr/share/terminfo", "usr/src", "var/backups", "var/cache", "var/lib/apt", "var/lib/pam",
    "var/lib/python", "var/lib/systemd", "var/log",
)  # fmt: skip
_LIBRARIES = ("lib", "lib64", "usr/lib", "usr/local/lib")
_LIBRARY_TREES = re.compile(r"perl|perl-base|pkgconfig|cmake|e2fsprogs|security|libapt-.*")
_PYTHON_TREES = re.compile(r"ensurepip|idlelib|lib2to3|tkinter|turtledemo|test|config-.*|pydoc_data|turtle\.py")
# Modules of Python's library that no service uses, and that bring libraries of their own along.
_UNUSED_MODULES = re.compile(r"(nis|readline|_curses.*|_dbm|_gdbm|_tkinter|ossaudiodev)\..*so")
_USED = re.compile(r"(usr/)?(local/)?(lib(32|64|x32)?|s?bin|share)/(?!doc/|lintian/|man/|bug/).+")
_LOADERS = ("lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1")
_LOADED = re.compile(r"=> (/\S+) \(")
# Opened by name while running, and so in no program's list: name services, character sets, OpenSSL's providers.
_OPENED_BY_NAME = re.compile(
    r"libnss_.*|libresolv.*|libgcc_s.*|libstdc\+\+.*|ld-linux.*|libc\.so.*|libcrypto.*|libssl.*"
)


def strip(root: Path, needed: frozenset[Path]) -> None:
    """Remove everything that is not needed below `root`, then bring the package database up to date.

    `needed` are the shared libraries to keep, with links resolved.
    """
    for place in _PROGRAMS:
        _remove_programs(root / place)
    for name in _TREES:
        _remove(root / name)
    for place in _LIBRARIES:
        _remove_from_libraries(root / place, needed)
    for path in (root / "usr/share/doc").glob("*/*"):
        if path.name != "copyright":
            _remove(path)
    for path in (*(root / "tmp").glob("*"), *(root / "var/tmp").glob("*")):
        _remove(path)
    forget_missing_packages(root)


def forget_missing_packages(root: Path) -> None:
    """Drop packages from dpkg's database of which no file is left but documentation."""
    database = root / "var/lib/dpkg"
    status = database / "status"
    if not status.is_file():
        return
    kept = []
    for paragraph in status.read_text(encoding="utf-8").strip().split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        name = fields.get("Package", "")
        left = _files_left(root, database, name, fields.get("Architecture", ""))
        if any(_USED.fullmatch(path) for path in left):
            kept.append(paragraph)
        else:
            for remnant in left:
                _remove(root / remnant)
            _remove(root / "usr/share/doc" / name)
    status.write_text("\n\n".join(kept) + "\n\n", encoding="utf-8")
    names = {re.findall(r"^Package: (.*)$", paragraph, re.MULTILINE)[0] for paragraph in kept}
    for path in (database / "info").glob("*"):
        # Lists and checksums tell a scanner which file belongs to whom; scripts will never run again.
        if path.suffix not in (".list", ".md5sums") or path.stem.split(":")[0] not in names:
            _remove(path)
    for old in ("status-old", "available", "available-old", "alternatives", "triggers", "updates", "parts"):
        _remove(database / old)


def _files_left(root: Path, database: Path, name: str, architecture: str) -> list[str]:
    left = []
    for listing in (database / "info" / f"{name}.list", database / "info" / f"{name}:{architecture}.list"):
        lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
        for path in (line.lstrip("/") for line in lines):
            here = root / path
            # /lib and its like are links to directories, and in many packages' lists.
            if not here.is_dir() and (here.is_symlink() or here.is_file()):
                left.append(path)
    return left


def _remove_programs(directory: Path) -> None:
    # /bin is a link to /usr/bin where Debian merged them; what is behind it has its own turn.
    if directory.is_symlink() or not directory.is_dir():
        return
    for path in directory.iterdir():
        if not _PYTHON.fullmatch(path.name):
            _remove(path)


def _remove_from_libraries(directory: Path, needed: frozenset[Path]) -> None:
    if directory.is_symlink() or not directory.is_dir():
        return
    triplets = [path for path in directory.iterdir() if path.is_dir() and path.name.endswith(("-gnu", "-gnueabihf"))]
    for parent in (directory, *triplets):
        for path in parent.iterdir():
            unused = ".so" in path.name and not _OPENED_BY_NAME.fullmatch(path.name) and path.resolve() not in needed
            if path.suffix == ".a" or _LIBRARY_TREES.fullmatch(path.name) or (unused and not path.is_dir()):
                _remove(path)
    for python in directory.glob("python3.*"):
        for path in python.iterdir():
            if _PYTHON_TREES.fullmatch(path.name):
                _remove(path)
        for path in (python / "lib-dynload").glob("*.so"):
            if _UNUSED_MODULES.fullmatch(path.name):
                _remove(path)
        for packages in (python / "site-packages", python / "dist-packages"):
            for path in packages.glob("*"):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def compile_library(directory: Path) -> None:
    """Compile Python's own library where its packager did not: the container can't write, and starts more quickly."""
    compileall.compile_dir(directory, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


def loaded_libraries(programs: list[Path]) -> frozenset[Path]:
    """The system's libraries that programs and extension modules load, as the dynamic loader finds them."""
    loader = next(path for path in (Path("/", name) for name in _LOADERS) if path.exists())
    found: set[Path] = set()
    for program in programs:
        told = subprocess.run([loader, "--list", program], capture_output=True, text=True, check=False)  # noqa: S603
        found.update(Path(path).resolve() for path in _LOADED.findall(told.stdout))
    return frozenset(found)


def programs_of(*trees: Path) -> list[Path]:
    """This Python and every extension module and library below `trees` that stays."""
    files = (path for tree in trees for path in tree.rglob("*.so*") if path.is_file())
    modules = (path for path in files if not _UNUSED_MODULES.fullmatch(path.name))
    return [Path(sys.executable).resolve(), *modules]


if __name__ == "__main__":
    library = Path(sysconfig.get_path("stdlib"))
    strip(Path("/"), loaded_libraries(programs_of(library, Path(sys.argv[1]))))
    compile_library(library)
    Path(__file__).unlink()
