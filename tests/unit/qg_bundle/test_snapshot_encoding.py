"""Stored texts with their tails: whatever decodes gzip or Zstandard reads one answer."""

import gzip
import hashlib
import io
import shutil
import subprocess
import zlib
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from qg_bundle.snapshots.encoding import StoredText, StoredWriter, Tails
from qg_core.snapshots import (
    ENCODINGS,
    GZIP,
    IDENTITY,
    PIECE_BYTES,
    TEXT_HEAD,
    ZSTD,
    EncodedBody,
    piece_size,
    pieces_of,
)


def stored(chunks: list[bytes]) -> tuple[StoredText, dict[str, bytes]]:
    sinks = {encoding: io.BytesIO() for encoding in ENCODINGS}
    writer = StoredWriter(sinks)
    for chunk in chunks:
        writer.write(chunk)
    text = writer.finish()
    assert writer.stored_bytes == sum(body.size for body in text.encodings.values())
    return text, {encoding: sink.getvalue() for encoding, sink in sinks.items()}


def unzstd(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=3_000), max_size=8), st.binary(max_size=400))
def test_a_tail_follows_every_encoding(chunks: list[bytes], tail: bytes) -> None:
    text, bodies = stored(chunks)
    whole = TEXT_HEAD + b"".join(chunks) + tail
    assert text.rows_bytes == len(whole) - len(tail)
    assert text.rows_crc32 == zlib.crc32(whole[: text.rows_bytes])
    tails = Tails()
    answers = {
        name: body + tails.with_tail(name, tail, text.rows_bytes, text.rows_crc32) for name, body in bodies.items()
    }
    assert gzip.decompress(answers[GZIP]) == whole
    assert zlib.decompressobj(31).decompress(answers[GZIP]) == whole
    assert unzstd(answers[ZSTD]) == whole
    assert tails.with_tail(IDENTITY, tail, text.rows_bytes, text.rows_crc32) == tail


@given(st.integers(0, 3 * PIECE_BYTES + 1))
def test_pieces_cover_a_body(size: int) -> None:
    body = EncodedBody(size, pieces_of(size), "")
    sizes = [piece_size(body, number) for number in range(body.pieces)]
    assert sum(sizes) == size
    assert all(0 < each <= PIECE_BYTES for each in sizes)


def test_sizes_and_digests_are_those_of_what_was_written() -> None:
    text, bodies = stored([b'{"N":1},' * 100_000, b'{"N":2}'])
    for encoding, body in bodies.items():
        named = text.encodings[encoding]
        assert (named.size, named.sha256) == (len(body), hashlib.sha256(body).hexdigest())
        assert named.pieces == pieces_of(len(body))


def test_an_altered_gzip_body_shows_in_its_trailer() -> None:
    text, bodies = stored([b'{"N":1}'])
    end = Tails().with_tail(GZIP, b"]}", text.rows_bytes, text.rows_crc32 ^ 1)
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(bodies[GZIP] + end)


def test_the_writer_and_the_tails_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValueError, match="sink"):
        StoredWriter({ZSTD: io.BytesIO()})
    with pytest.raises(ValueError, match="br"):
        Tails().with_tail("br", b"", 0, 0)


@pytest.mark.skipif(shutil.which("gzip") is None, reason="no gzip program")
def test_the_gzip_program_reads_it(tmp_path: Path) -> None:
    rows = b",".join(b'{"N":%d}' % number for number in range(50_000))
    text, bodies = stored([rows])
    tail = b'],"meta":{"row_count":50000}}'
    path = tmp_path / "answer.gz"
    path.write_bytes(bodies[GZIP] + Tails().with_tail(GZIP, tail, text.rows_bytes, text.rows_crc32))
    plain = subprocess.run(["gzip", "-dc", str(path)], check=True, capture_output=True).stdout
    assert len(msgspec.json.decode(plain)["data"]) == 50_000
