"""Deltas and checkpoints lead to the same state, and only in their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qg_core.revisions import (
    EMPTY_MANIFEST,
    ChainBroken,
    Change,
    Delta,
    Manifest,
    SubjectKey,
    apply_deltas,
    checkpoint_of,
    manifest_of,
)
from qg_core.specs import SpecKind

KINDS = ["endpoint", "connection", "something_newer"]


def delta(revision: int, previous: int, *changes: tuple[str, str, str | None]) -> Delta:
    return Delta(
        gateway_id="gw",
        revision=revision,
        previous=previous,
        issued_at=1.0,
        changes=tuple(Change(kind=kind, id=subject, digest=digest) for kind, subject, digest in changes),
    )


def test_puts_and_removals() -> None:
    first = apply_deltas(EMPTY_MANIFEST, [delta(1, 0, ("endpoint", "a", "d1"), ("endpoint", "b", "d2"))])
    second = apply_deltas(
        first, [delta(2, 1, ("endpoint", "a", None), ("endpoint", "b", "d3"), ("endpoint", "c", None))]
    )
    assert (first.revision, second.revision) == (1, 2)
    assert second.digest(SpecKind.ENDPOINT, "a") is None
    assert second.digest(SpecKind.ENDPOINT, "b") == "d3"
    assert first.digest(SpecKind.ENDPOINT, "a") == "d1", "a manifest is never changed in place"
    assert EMPTY_MANIFEST.digests == {}


def test_ids_of_different_kinds_are_different_subjects() -> None:
    found = apply_deltas(EMPTY_MANIFEST, [delta(1, 0, ("endpoint", "a", "d1"), ("connection", "a", "d2"))])
    assert found.digest(SpecKind.ENDPOINT, "a") == "d1"
    assert found.digest(SpecKind.CONNECTION, "a") == "d2"


def test_a_gap_that_says_so_is_followed() -> None:
    assert apply_deltas(Manifest(3, {}), [delta(10, 3), delta(11, 10)]).revision == 11


@pytest.mark.parametrize(
    "deltas",
    [
        [delta(2, 1)],
        [delta(5, 4)],
        [delta(4, 3), delta(4, 3)],
        [delta(4, 3), delta(6, 5)],
        [delta(3, 3)],
        [delta(2, 3)],
        [delta(-1, 3)],
    ],
)
def test_what_does_not_follow_breaks_the_chain(deltas: list[Delta]) -> None:
    with pytest.raises(ChainBroken):
        apply_deltas(Manifest(3, {}), deltas)


_changes = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from("abc"), st.none() | st.sampled_from(["d1", "d2"])), max_size=6
)


@given(st.lists(_changes, max_size=6))
def test_a_checkpoint_holds_what_its_deltas_lead_to(history: list[list[tuple[str, str, str | None]]]) -> None:
    deltas = [delta(number + 1, number, *changes) for number, changes in enumerate(history)]
    at_once = apply_deltas(EMPTY_MANIFEST, deltas)
    one_by_one = EMPTY_MANIFEST
    for step in deltas:
        one_by_one = apply_deltas(one_by_one, [step])
    assert at_once == one_by_one
    checkpoint = checkpoint_of(at_once, "gw", 2.0)
    assert manifest_of(checkpoint) == at_once
    assert list(checkpoint.entries) == sorted(checkpoint.entries, key=lambda entry: (entry.kind, entry.id))
    assert all(SubjectKey(entry.kind, entry.id) in at_once.digests for entry in checkpoint.entries)
