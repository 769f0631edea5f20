"""One endpoint of one catalog, ready to be served: everything a request needs, nothing to look up any more."""

from data_plane.catalogs.shapes import AnswerShape
from qg_core.access_events import PATH_LENGTH_MAX
from qg_core.binding import Binder
from qg_core.specs import DataStrategy, EndpointSpec
from qg_oracle.statements import Statement
from qg_oracle.targets import ConnectionTarget
from qg_security.authenticators import Authenticator
from qg_telemetry.redaction import clean


def shown_path(raw_path: bytes) -> str:
    """A path as the log, the access log and traces show it: callers put secrets there."""
    return clean(raw_path[:PATH_LENGTH_MAX].decode("latin-1"))[:PATH_LENGTH_MAX]


class Route:
    """Immutable, shared by all requests of its catalog and, while nothing about it changes, of the following ones.

    `unusable` says why this node can't serve the endpoint (a slug; 503 before anything else). Without `authenticator`
    only a `public` endpoint is served. Without `target` its connection is missing or inactive (503). `producer` is the
    digest of what a snapshot must have been made of to be served here; null on a live endpoint. `stored` tells the two
    apart.
    """

    __slots__ = (
        "authenticator",
        "binder",
        "endpoint",
        "path",
        "producer",
        "public",
        "shape",
        "shown_path",
        "statement",
        "stored",
        "target",
        "timeout_s",
        "unusable",
    )

    def __init__(
        self,
        *,
        endpoint: EndpointSpec,
        path: bytes,
        binder: Binder,
        statement: Statement,
        shape: AnswerShape,
        authenticator: Authenticator | None,
        target: ConnectionTarget | None,
        timeout_ms: int,
        unusable: str | None,
        producer: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.path = path
        self.shown_path = shown_path(path)
        self.binder = binder
        self.statement = statement
        self.stored = endpoint.data_strategy is DataStrategy.SNAPSHOT
        self.shape = shape
        self.authenticator = authenticator
        self.target = target
        self.timeout_s = timeout_ms / 1000
        self.unusable = unusable
        self.producer = producer
        # An endpoint that names an auth method is never public, whether the method is still there or not.
        self.public = endpoint.allow_unauthenticated and endpoint.auth_method_id is None
