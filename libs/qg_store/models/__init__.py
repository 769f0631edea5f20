"""The tables, one module per noun."""

from qg_store.models.access_log import AccessDeadLetter, AccessEntry, AccessSource, CredentialUse
from qg_store.models.admins import Admin
from qg_store.models.audit_log import AuditEntry
from qg_store.models.auth_methods import AuthMethod
from qg_store.models.base import Base
from qg_store.models.connections import Connection
from qg_store.models.credentials import Credential
from qg_store.models.endpoints import Endpoint
from qg_store.models.gateway import Gateway
from qg_store.models.job_runs import JobRun, JobSlot
from qg_store.models.revisions import PublishState, Revision, RevisionChange, StoredCheckpoint
from qg_store.models.schedules import Schedule
from qg_store.models.settings import StoredSetting
from qg_store.models.sign_in_failures import SignInFailure
from qg_store.models.snapshots import Snapshot, SnapshotPiece
from qg_store.models.specs import Published, StoredSpec

__all__ = [
    "AccessDeadLetter",
    "AccessEntry",
    "AccessSource",
    "Admin",
    "AuditEntry",
    "AuthMethod",
    "Base",
    "Connection",
    "Credential",
    "CredentialUse",
    "Endpoint",
    "Gateway",
    "JobRun",
    "JobSlot",
    "PublishState",
    "Published",
    "Revision",
    "RevisionChange",
    "Schedule",
    "SignInFailure",
    "Snapshot",
    "SnapshotPiece",
    "StoredCheckpoint",
    "StoredSetting",
    "StoredSpec",
]
