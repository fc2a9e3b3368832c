"""Outlook's autodiscover: the POX request and answer ([MS-OXDSCLI]) and the JSON redirect of version 2."""

import json
from xml.etree import ElementTree as Xml

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from .models import ServerAddress
from .setup import MailSetup

RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
TYPES: dict[str, str] = {
    ServerAddress.Protocol.IMAP: "IMAP",
    ServerAddress.Protocol.POP3: "POP3",
    ServerAddress.Protocol.SUBMISSION: "SMTP",
}
ENCRYPTIONS: dict[str, str] = {ServerAddress.Encryption.TLS: "SSL", ServerAddress.Encryption.STARTTLS: "TLS"}


def asked_address(body: bytes) -> str:
    """The text of EMailAddress in a POX request, whatever its namespace; empty where there is none."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (DefusedXmlException, Xml.ParseError, ValueError, LookupError):
        return ""
    found = next((element for element in root.iter() if element.tag.rpartition("}")[2] == "EMailAddress"), None)
    return (found.text or "") if found is not None else ""


def document(setup: MailSetup, address: str) -> bytes:
    """The POX answer for an address (canonical form) of the domain, the same whether its mailbox exists or not."""
    root = Xml.Element("Autodiscover", xmlns=RESPONSE)
    response = Xml.SubElement(root, "Response", xmlns=OUTLOOK)
    account = Xml.SubElement(response, "Account")
    Xml.SubElement(account, "AccountType").text = "email"
    Xml.SubElement(account, "Action").text = "settings"
    for server in setup.servers:
        if server.protocol in TYPES:
            _protocol(account, server, address)
    return Xml.tostring(root, encoding="utf-8", xml_declaration=True)


def _protocol(account: Xml.Element, server: ServerAddress, address: str):
    values = {
        "Type": TYPES[server.protocol],
        "Server": server.host,
        "Port": str(server.port),
        "DomainRequired": "off",
        "LoginName": address,
        "SPA": "off",
        "SSL": "on",
        "Encryption": ENCRYPTIONS[server.encryption],
        "AuthRequired": "on",
    }
    if server.protocol == ServerAddress.Protocol.SUBMISSION:
        values |= {"UsePOPAuth": "off", "SMTPLast": "off"}
    protocol = Xml.SubElement(account, "Protocol")
    for name, value in values.items():
        Xml.SubElement(protocol, name).text = value


def redirect(url: str) -> bytes:
    """The answer of version 2: where the POX request goes."""
    return json.dumps({"Protocol": "AutodiscoverV1", "Url": url}).encode()
