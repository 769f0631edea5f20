"""What can happen, as data: the log and the metrics are two observers of these.

One module per area: `requests`, `services`, and further ones beside them. An event is added by writing its Struct into
the module of its area; nothing else has to know about it.
"""

from qg_telemetry.events.admins import AdminRequestServed, AdminSignedIn, AdminSignInRefused
from qg_telemetry.events.base import Event, Level, Observe, every_event, ignore
from qg_telemetry.events.catalogs import (
    CatalogRejected,
    CatalogSwapped,
    NodeStateChanged,
    RedisFound,
    RedisLost,
    SpecsUnusable,
    StateFileFailed,
)
from qg_telemetry.events.databases import (
    AbandonedCallEnded,
    CallAbandoned,
    CallRetried,
    LogonFailed,
    PoolClosed,
    PoolOpened,
    PoolRetired,
    SessionLost,
    SessionOpened,
)
from qg_telemetry.events.publishing import (
    ActivationFailed,
    BundleRepaired,
    GarbageRemoved,
    HeadForged,
    HintFailed,
    RedisEvicts,
    RevisionActivated,
    RevisionGap,
    RevisionPublished,
)
from qg_telemetry.events.requests import (
    CredentialRefused,
    PublicEndpointServed,
    RequestServed,
    SignInFlooded,
    UnauthenticatedEndpointDenied,
)
from qg_telemetry.events.services import (
    LibraryLogged,
    LogLinesDropped,
    ServiceDraining,
    ServiceStarted,
    ServiceStopped,
    StartFailed,
    UnforeseenError,
)

__all__ = [
    "AbandonedCallEnded",
    "ActivationFailed",
    "AdminRequestServed",
    "AdminSignInRefused",
    "AdminSignedIn",
    "BundleRepaired",
    "CallAbandoned",
    "CallRetried",
    "CatalogRejected",
    "CatalogSwapped",
    "CredentialRefused",
    "Event",
    "GarbageRemoved",
    "HeadForged",
    "HintFailed",
    "Level",
    "LibraryLogged",
    "LogLinesDropped",
    "LogonFailed",
    "NodeStateChanged",
    "Observe",
    "PoolClosed",
    "PoolOpened",
    "PoolRetired",
    "PublicEndpointServed",
    "RedisEvicts",
    "RedisFound",
    "RedisLost",
    "RequestServed",
    "RevisionActivated",
    "RevisionGap",
    "RevisionPublished",
    "ServiceDraining",
    "ServiceStarted",
    "ServiceStopped",
    "SessionLost",
    "SessionOpened",
    "SignInFlooded",
    "SpecsUnusable",
    "StartFailed",
    "StateFileFailed",
    "UnauthenticatedEndpointDenied",
    "UnforeseenError",
    "every_event",
    "ignore",
]
