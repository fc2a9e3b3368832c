"""What there is: domains, addresses, mailboxes, aliases, and the servers that people enter in their mail programs."""

from .addresses import Address, Domain, LimitReached
from .app_passwords import AppPassword, MadeAlready
from .mailboxes import Alias, Mailbox, MailLogin, Usage, leads_to_mailbox
from .servers import ServerAddress

__all__ = [
    "Address",
    "Alias",
    "AppPassword",
    "Domain",
    "LimitReached",
    "MadeAlready",
    "MailLogin",
    "Mailbox",
    "ServerAddress",
    "Usage",
    "leads_to_mailbox",
]
