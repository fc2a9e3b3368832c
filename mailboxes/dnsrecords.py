"""The DNS records by which mail programs find the servers of a domain (RFC 6186, RFC 8314, RFC 5804)."""

from dataclasses import dataclass

from .models import ServerAddress
from .setup import MailSetup, portal_host

SERVICES = {
    # protocol: names of the service with TLS from the first byte, and with STARTTLS
    ServerAddress.Protocol.IMAP: ("_imaps", "_imap"),
    ServerAddress.Protocol.POP3: ("_pop3s", "_pop3"),
    ServerAddress.Protocol.SUBMISSION: ("_submissions", "_submission"),
    ServerAddress.Protocol.SIEVE: ("", "_sieve"),
}


@dataclass(frozen=True)
class Record:
    name: str
    kind: str
    value: str

    def __str__(self):
        return f"{self.name} IN {self.kind} {self.value}"


def setup_records(setup: MailSetup) -> list[Record]:
    """All records to set in the zone of a domain; what is not offered is announced as such with a dot."""
    records = [
        Record(f"{service}._tcp.{setup.domain}.", "SRV", value)
        for protocol, names in SERVICES.items()
        for service, value in zip(names, _values(setup.server(protocol)), strict=True)
        if service
    ]
    portal = portal_host()
    aliases = [Record(f"{name}.{setup.domain}.", "CNAME", f"{portal}.") for name in ("autoconfig", "autodiscover")]
    return [*records, Record(f"_autodiscover._tcp.{setup.domain}.", "SRV", f"0 1 443 {portal}."), *aliases]


def _values(server: ServerAddress | None) -> tuple[str, str]:
    """Priority, weight, port and target: with TLS from the first byte, and with STARTTLS."""
    absent = "0 0 0 ."
    if server is None:
        return absent, absent
    value = f"0 1 {server.port} {server.host}."
    return (value, absent) if server.encryption == ServerAddress.Encryption.TLS else (absent, value)
