"""What qg_oracle says happened, as the events that the log and the metrics know."""

from collections.abc import Callable

import msgspec

from qg_oracle import events as said
from qg_telemetry import events as told
from qg_telemetry.events import Event, Observe

_TOLD: dict[type[said.OracleEvent], type[Event]] = {
    said.PoolOpened: told.PoolOpened,
    said.PoolRetired: told.PoolRetired,
    said.PoolClosed: told.PoolClosed,
    said.SessionOpened: told.SessionOpened,
    said.LogonFailed: told.LogonFailed,
    said.SessionLost: told.SessionLost,
    said.CallRetried: told.CallRetried,
    said.CallAbandoned: told.CallAbandoned,
    said.AbandonedCallEnded: told.AbandonedCallEnded,
}


def observe_databases(observe: Observe) -> Callable[[said.OracleEvent], None]:
    """What to hand to `Pools`."""

    def observe_database(event: said.OracleEvent) -> None:
        observe(_TOLD[type(event)](**msgspec.structs.asdict(event)))

    return observe_database
