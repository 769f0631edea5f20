"""What was sent and is not stored: bounded, settled in order, sent again with patience."""

from data_plane.access_log.outbox import (
    OUTSTANDING_BYTES_MAX,
    SEND_AGAIN_AFTER_S,
    SEND_AGAIN_ANYWAY_MAX_S,
    SEND_AGAIN_ANYWAY_S,
    SEND_AGAIN_MAX_S,
    Outbox,
    Sent,
)


def sent(last: int, size: int = 100) -> Sent:
    return Sent(b"%d-0" % last, last, size)


def test_entries_are_settled_when_all_of_them_is_stored() -> None:
    outbox = Outbox(0)
    outbox.note_sent(sent(500), 1, 0)
    outbox.note_sent(sent(900), 1, 0)
    assert outbox.note_stored(899, 1)
    assert (outbox.outstanding_bytes, outbox.stored, outbox.sent) == (100, 899, 900)
    assert not outbox.note_stored(899, 2)
    assert not outbox.note_stored(3, 2)
    assert outbox.note_stored(900, 3)
    assert outbox.oldest is None


def test_nothing_more_is_sent_than_fits() -> None:
    outbox = Outbox(0)
    outbox.note_sent(sent(1, OUTSTANDING_BYTES_MAX - 1), 1, 0)
    assert outbox.room_bytes > 0
    outbox.note_sent(sent(2, 1), 1, 0)
    assert outbox.room_bytes <= 0
    outbox.note_stored(1, 1)
    assert outbox.room_bytes > 0


def test_patience_begins_with_the_first_entry_and_with_every_move() -> None:
    outbox = Outbox(0)
    assert not outbox.may_be_lost(1_000)
    outbox.note_sent(sent(5), 1, 100)
    outbox.note_sent(sent(9), 1, 100 + SEND_AGAIN_AFTER_S - 1)
    assert not outbox.may_be_lost(100 + SEND_AGAIN_AFTER_S - 1)
    assert outbox.may_be_lost(100 + SEND_AGAIN_AFTER_S)
    outbox.note_stored(5, 105)
    assert not outbox.may_be_lost(100 + SEND_AGAIN_AFTER_S)
    assert not outbox.is_overdue(105 + SEND_AGAIN_ANYWAY_S - 1)
    assert outbox.is_overdue(105 + SEND_AGAIN_ANYWAY_S)


def test_where_sending_again_does_not_help_it_happens_less_often() -> None:
    outbox = Outbox(0)
    waited = []
    now = 0.0
    for _ in range(8):
        outbox.note_sent(sent(5), 1, now)
        begun = now
        while not outbox.may_be_lost(now):
            now += 1
        waited.append(now - begun)
        outbox.send_again(now)
        assert (outbox.sent, outbox.outstanding_bytes, outbox.announced) == (0, 0, 0)
    assert waited == [10, 20, 40, 80, 160, SEND_AGAIN_MAX_S, SEND_AGAIN_MAX_S, SEND_AGAIN_MAX_S]
    outbox.note_sent(sent(5), 1, now)
    outbox.note_stored(2, now)
    assert outbox.may_be_lost(now + SEND_AGAIN_AFTER_S)


def test_what_is_still_in_the_stream_is_sent_again_less_and_less_often() -> None:
    """Else a node would fill a Redis that no worker reads."""
    outbox = Outbox(0)
    now, copies = 0.0, 0
    while now < 2 * 86_400:
        outbox.note_sent(sent(5), 1, now)
        now += 600
        if outbox.is_overdue(now):
            outbox.send_again(now)
            copies += 1
    assert copies == 6 + (2 * 86_400 - 600 * (2**6 - 1)) // SEND_AGAIN_ANYWAY_MAX_S
    outbox.note_sent(sent(5), 1, now)
    outbox.note_stored(2, now)
    assert outbox.is_overdue(now + SEND_AGAIN_ANYWAY_S)


def test_what_is_stored_is_never_sent_again() -> None:
    outbox = Outbox(0)
    outbox.note_sent(sent(50), 1, 0)
    outbox.note_stored(80, 1)  # by a former process of this node
    assert outbox.sent == 80
    outbox.send_again(2)
    assert outbox.sent == 80
