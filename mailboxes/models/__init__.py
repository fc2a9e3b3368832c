"""What there is: domains, addresses, mailboxes, aliases, and the servers that people enter in their mail programs."""

from .addresses import Address, Domain, LimitReached
from .aliases import MOST_TARGETS, Alias, AliasTarget, leads_to_mailbox
from .app_passwords import AppPassword, MadeAlready
from .dkim import DkimKey
from .imports import Import, ImportRow
from .mailboxes import Mailbox, MailLogin, Usage
from .memberships import MOST_MEMBERS, Membership
from .requests import DomainRequest
from .servers import ServerAddress

__all__ = [
    "MOST_MEMBERS",
    "MOST_TARGETS",
    "Address",
    "Alias",
    "AliasTarget",
    "AppPassword",
    "DkimKey",
    "Domain",
    "DomainRequest",
    "Import",
    "ImportRow",
    "LimitReached",
    "MadeAlready",
    "MailLogin",
    "Mailbox",
    "Membership",
    "ServerAddress",
    "Usage",
    "leads_to_mailbox",
]
