"""Read an image as `docker save` writes it: every file of every layer, also those that a later layer hides."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

READ_BYTES_MAX = 4 * 1024 * 1024
"""Of a file's beginning, so much is looked at; what is larger is a library or data."""

_WHITEOUT = ".wh."


@dataclass(frozen=True)
class File:
    """One entry of one layer. `contents` is empty for what is no regular file; `layer` counts from 0."""

    layer: int
    path: str
    mode: int
    uid: int
    size: int
    kind: str
    contents: bytes

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Image:
    """A saved image: its configuration as in the registry, and the archive that holds its layers."""

    archive: Path
    configuration: dict[str, Any]
    layers: tuple[str, ...]

    def files(self) -> Iterator[File]:
        """Every entry of every layer, in order."""
        with tarfile.open(self.archive) as outer:
            for number, name in enumerate(self.layers):
                stream = outer.extractfile(name)
                if stream is None:
                    raise ValueError(f"{self.archive}: the layer {name} is no file")
                with tarfile.open(fileobj=stream) as layer:
                    yield from _entries(number, layer)


def open_image(archive: Path) -> Image:
    """Read what a `docker save` of one image says of itself. Raises ValueError for anything else."""
    with tarfile.open(archive) as outer:
        manifest = json.loads(_member(outer, "manifest.json").read())
        if len(manifest) != 1:
            raise ValueError(f"{archive} holds {len(manifest)} images, not one")
        configuration = json.loads(_member(outer, manifest[0]["Config"]).read())
        # One layer may be listed by a link to another: names are what the manifest says, in its order.
        return Image(archive, configuration, tuple(manifest[0]["Layers"]))


def visible(files: Iterator[File]) -> dict[str, File]:
    """What a container sees, by path: later layers win, and whiteouts take away."""
    seen: dict[str, File] = {}
    for file in files:
        if file.name.startswith(_WHITEOUT):
            parent = file.path[: -len(file.name)]
            hidden = parent if file.name == ".wh..wh..opq" else parent + file.name.removeprefix(_WHITEOUT)
            for path in [path for path in seen if path == hidden or path.startswith(hidden.rstrip("/") + "/")]:
                del seen[path]
        else:
            seen[file.path] = file
    return seen


def _entries(number: int, layer: tarfile.TarFile) -> Iterator[File]:
    for member in layer:
        contents = b""
        if member.isreg():
            stream = layer.extractfile(member)
            contents = stream.read(READ_BYTES_MAX) if stream else b""
        path = member.name.removeprefix("./").strip("/")
        yield File(number, path, member.mode, member.uid, member.size, _kind(member), contents)


def _kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "directory"
    if member.issym() or member.islnk():
        return "link"
    return "file" if member.isreg() else "device"


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = archive.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} is no file")
    return stream
