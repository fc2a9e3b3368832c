"""What a mail program needs to know for the addresses of one domain: the one source of all answers and pages."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from accounts.models import Installation
from accounts.wall import everybody

from .models import Domain, ServerAddress

Protocol = ServerAddress.Protocol
# The number of the alternatives in the order in which a mail program should try them.
INCOMING = (Protocol.IMAP, Protocol.POP3)


@dataclass(frozen=True)
class MailSetup:
    """The servers for one domain, one of each protocol at most."""

    domain: str  # A-label
    provider: str
    servers: tuple[ServerAddress, ...]

    @property
    def incoming(self) -> list[ServerAddress]:
        return [server for server in self.servers if server.protocol in INCOMING]

    def server(self, protocol: str) -> ServerAddress | None:
        return next((server for server in self.servers if server.protocol == protocol), None)


def setup_for(domain: str) -> MailSetup | None:
    """The set-up of a hosted domain (an A-label); None for all others and while staff have entered no servers."""
    with everybody():
        row = Domain.objects.filter(name=domain).first()
        servers = ServerAddress.objects.effective_for_tenant(row.tenant_id) if row else []
    return MailSetup(domain, str(Installation.objects.current()), tuple(servers)) if servers else None


def help_url() -> str:
    """The public page that explains the set-up by hand."""
    return settings.BASE_URL + reverse("help")


def portal_host() -> str:
    return urlsplit(settings.BASE_URL).hostname or ""
