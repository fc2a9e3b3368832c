"""Who: tenants, people, and what is kept about their deeds. Imports no other app."""

from .brakes import Brake
from .brand import Logo
from .chain import AuditLink
from .credential_states import CredentialState, ending, rows_in, unchanged
from .deputies import Deputy
from .factors import BackupCode, Factor, LastFactor, coverage
from .outbox import OutboxMessage
from .places import KnownPlace
from .recovery import IdentityCheck, PasswordReset, RecoveryAddress, RecoveryRequest
from .sessions import PortalSession
from .support import SupportConsent
from .tenants import Installation, Policy, Tenant
from .trail import AuditEvent, AuditNetwork
from .users import StaleCredentials, User

__all__ = [
    "AuditEvent",
    "AuditLink",
    "AuditNetwork",
    "BackupCode",
    "Brake",
    "CredentialState",
    "Deputy",
    "Factor",
    "IdentityCheck",
    "Installation",
    "KnownPlace",
    "LastFactor",
    "Logo",
    "OutboxMessage",
    "PasswordReset",
    "Policy",
    "PortalSession",
    "RecoveryAddress",
    "RecoveryRequest",
    "StaleCredentials",
    "SupportConsent",
    "Tenant",
    "User",
    "coverage",
    "ending",
    "rows_in",
    "unchanged",
]
