"""Thunderbird's autoconfig file, format 1.1; K-9, Evolution, KMail and others read it too."""

from xml.etree import ElementTree as Xml

from .models import ServerAddress
from .setup import MailSetup, help_url

SOCKETS: dict[str, str] = {ServerAddress.Encryption.TLS: "SSL", ServerAddress.Encryption.STARTTLS: "STARTTLS"}


def document(setup: MailSetup) -> bytes:
    """The file for a domain. It names no person: the program puts the address in place of %EMAILADDRESS%."""
    root = Xml.Element("clientConfig", version="1.1")
    provider = Xml.SubElement(root, "emailProvider", id=setup.domain)
    Xml.SubElement(provider, "domain").text = setup.domain
    Xml.SubElement(provider, "displayName").text = setup.provider
    Xml.SubElement(provider, "displayShortName").text = setup.provider
    for server in setup.incoming:
        _server(provider, "incomingServer", server.protocol, server)
    if outgoing := setup.server(ServerAddress.Protocol.SUBMISSION):
        _server(provider, "outgoingServer", "smtp", outgoing)
    documentation = Xml.SubElement(provider, "documentation", url=help_url())
    Xml.SubElement(documentation, "descr", lang="de").text = "E-Mail-Einrichtung"
    return Xml.tostring(root, encoding="utf-8", xml_declaration=True)


def _server(provider: Xml.Element, tag: str, kind: str, server: ServerAddress):
    element = Xml.SubElement(provider, tag, type=kind)
    Xml.SubElement(element, "hostname").text = server.host
    Xml.SubElement(element, "port").text = str(server.port)
    Xml.SubElement(element, "socketType").text = SOCKETS[server.encryption]
    Xml.SubElement(element, "authentication").text = "password-cleartext"
    Xml.SubElement(element, "username").text = "%EMAILADDRESS%"
