"""What there is: domains, addresses, mailboxes, aliases, and the servers that people enter in their mail programs."""

from .addresses import Address, Domain
from .mailboxes import Alias, LimitReached, Mailbox, Usage
from .servers import ServerAddress

__all__ = ["Address", "Alias", "Domain", "LimitReached", "Mailbox", "ServerAddress", "Usage"]
