"""What there is: domains, addresses, mailboxes, aliases, and the servers that people enter in their mail programs."""

from .addresses import Address, Domain, LimitReached
from .aliases import MOST_TARGETS, Alias, AliasTarget, leads_to_mailbox
from .app_passwords import AppPassword, MadeAlready
from .departures import DeletedMailbox, Plan
from .dkim import DkimKey
from .forwards import MOST_FORWARDS, Forward, ForwardRefusal, OutsideForward
from .imports import Import, ImportRow
from .mailboxes import Mailbox, MailLogin, Usage
from .memberships import MOST_MEMBERS, Membership
from .requests import DomainRequest
from .servers import ServerAddress

__all__ = [
    "MOST_FORWARDS",
    "MOST_MEMBERS",
    "MOST_TARGETS",
    "Address",
    "Alias",
    "AliasTarget",
    "AppPassword",
    "DeletedMailbox",
    "DkimKey",
    "Domain",
    "DomainRequest",
    "Forward",
    "ForwardRefusal",
    "Import",
    "ImportRow",
    "LimitReached",
    "MadeAlready",
    "MailLogin",
    "Mailbox",
    "Membership",
    "OutsideForward",
    "Plan",
    "ServerAddress",
    "Usage",
    "forget_long_gone",
    "leads_to_mailbox",
]


def forget_long_gone():
    """Forget deleted mailboxes, and free their addresses and those of closed aliases; the worker calls this."""
    DeletedMailbox.objects.long_over().delete()
    Address.objects.long_retired().delete()
