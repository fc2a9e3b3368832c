"""Who: tenants, people, and what is kept about their deeds. Imports no other app."""

from .brakes import Brake
from .brand import Logo
from .outbox import OutboxMessage
from .tenants import Installation, Tenant
from .trail import AuditEvent, AuditNetwork
from .users import CredentialState, StaleCredentials, User

__all__ = [
    "AuditEvent",
    "AuditNetwork",
    "Brake",
    "CredentialState",
    "Installation",
    "Logo",
    "OutboxMessage",
    "StaleCredentials",
    "Tenant",
    "User",
]
