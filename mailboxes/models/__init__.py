"""What there is: domains, addresses, mailboxes, aliases, and the servers that people enter in their mail programs."""

from .addresses import Address, Domain, LimitReached
from .mailboxes import Alias, Mailbox, MailLogin, Usage
from .servers import ServerAddress

__all__ = ["Address", "Alias", "Domain", "LimitReached", "MailLogin", "Mailbox", "ServerAddress", "Usage"]
