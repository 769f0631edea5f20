"""A small image as `docker save` writes one, made of files that a test names."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WHOLESOME: Mapping[str, bytes] = {
    "usr/bin/python3.11": b"",
    "var/lib/dpkg/status": b"Package: libc6\nStatus: install ok installed\n\n",
    "opt/querygateway/lib/python3.11/site-packages/querygateway-0.1.0.dist-info/METADATA": b"",
    "opt/querygateway/lib/python3.11/site-packages/msgspec-0.22.0.dist-info/METADATA": b"",
}
LOCK = "msgspec==0.22.0 \\\n    --hash=sha256:00\n"


def save(
    path: Path,
    layers: Sequence[Mapping[str, bytes]],
    configuration: Mapping[str, Any] | None = None,
    modes: Mapping[str, int] | None = None,
) -> Path:
    """Write the image; `configuration` goes over one that is as it should be."""
    inner = {"User": "10001:10001", "Entrypoint": ["querygateway"], "Env": ["PATH=/usr/bin"], "Labels": {}}
    with tarfile.open(path, "w") as archive:
        names = [f"{number}/layer.tar" for number in range(len(layers))]
        for name, files in zip(names, layers, strict=True):
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode="w") as layer:
                for file, contents in files.items():
                    _add(layer, file, contents, (modes or {}).get(file, 0o644))
            _add(archive, name, stream.getvalue(), 0o644)
        said = {"config": {**inner, **(configuration or {})}, "history": [{"created_by": "COPY . ."}]}
        _add(archive, "config.json", json.dumps(said).encode(), 0o644)
        manifest = [{"Config": "config.json", "RepoTags": ["test:1"], "Layers": names}]
        _add(archive, "manifest.json", json.dumps(manifest).encode(), 0o644)
    return path


def _add(archive: tarfile.TarFile, name: str, contents: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(contents), mode
    archive.addfile(member, io.BytesIO(contents))
