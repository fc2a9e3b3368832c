"""Who: tenants, people, and what is kept about their deeds. Imports no other app."""

from .brakes import Brake
from .brand import Logo
from .factors import BackupCode, Factor, LastFactor, coverage
from .outbox import OutboxMessage
from .places import KnownPlace
from .recovery import IdentityCheck, PasswordReset, RecoveryAddress, RecoveryRequest
from .sessions import PortalSession
from .tenants import Installation, Policy, Tenant
from .trail import AuditEvent, AuditNetwork
from .users import CredentialState, StaleCredentials, User

__all__ = [
    "AuditEvent",
    "AuditNetwork",
    "BackupCode",
    "Brake",
    "CredentialState",
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
    "Tenant",
    "User",
    "coverage",
]
