"""Mail programs that set themselves up: from an address and a password alone to a message read and sent."""

import contextlib
import http.client
import imaplib
import plistlib
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as Xml

import pytest
from playwright.sync_api import expect

from tests.browser.pages import log_in
from tests.demo import TRUSTING


@dataclass
class Server:
    host: str
    port: int
    tls_at_once: bool
    user: str


@dataclass
class MailProgram:
    """Knows of the servers only what it was told by the file that it follows."""

    incoming: Server
    outgoing: Server
    password: str

    def receive(self, subject, demo) -> bytes:
        server = self.incoming
        if server.tls_at_once:
            session = imaplib.IMAP4_SSL(server.host, server.port, ssl_context=TRUSTING)
        else:
            session = imaplib.IMAP4(server.host, server.port)
            session.starttls(TRUSTING)
        session.login(server.user, self.password)
        try:
            return demo.wait_for(session, subject)
        finally:
            session.shutdown()

    def send(self, subject):
        message = EmailMessage()
        message["From"] = message["To"] = self.outgoing.user
        message["Subject"] = subject
        message.set_content("Eingerichtet, ohne einen Server einzutippen.")
        kind = smtplib.SMTP_SSL if self.outgoing.tls_at_once else smtplib.SMTP
        with kind(self.outgoing.host, self.outgoing.port, timeout=30) as session:
            if not self.outgoing.tls_at_once:
                session.starttls(context=TRUSTING)
            session.login(self.outgoing.user, self.password)
            session.send_message(message)


def by_autoconfig(demo, address, password) -> MailProgram:
    """As Thunderbird does: ask autoconfig.<domain>, and put the address where the file says so."""
    portal, domain = urlsplit(demo.url), address.partition("@")[2]
    path = f"/mail/config-v1.1.xml?emailaddress={quote(address)}"
    with contextlib.closing(http.client.HTTPConnection(portal.hostname, portal.port)) as connection:
        connection.request("GET", path, headers={"Host": f"autoconfig.{domain}"})
        provider = Xml.fromstring(connection.getresponse().read()).find("emailProvider")
    assert provider is not None

    def server(element):
        socket, user = element.findtext("socketType"), element.findtext("username")
        return Server(
            element.findtext("hostname"),
            int(element.findtext("port")),
            {"SSL": True, "STARTTLS": False}[socket],
            user.replace("%EMAILADDRESS%", address),
        )

    incoming = next(each for each in provider.findall("incomingServer") if each.get("type") == "imap")
    return MailProgram(server(incoming), server(provider.find("outgoingServer")), password)


def by_profile(profile: bytes, password) -> MailProgram:
    """As an iPhone does: all values from the profile; a port of STARTTLS is known by its greeting."""
    [account] = plistlib.loads(profile)["PayloadContent"]
    assert account["OutgoingPasswordSameAsIncomingPassword"]

    def server(direction):
        host, port = account[f"{direction}MailServerHostName"], account[f"{direction}MailServerPortNumber"]
        assert account[f"{direction}MailServerUseSSL"]
        return Server(host, port, direction == "Incoming", account[f"{direction}MailServerUsername"])

    return MailProgram(server("Incoming"), server("Outgoing"), password)


@pytest.fixture
def person(demo):
    return demo.account(role="user", address="erika.mustermann@musterdomain.de")


@pytest.fixture
def portal(new_page, person):
    page = new_page()
    log_in(page, "einzelne Mailbox", person["address"], person["password"])
    return page


def test_a_program_that_follows_autoconfig_reads_and_sends(demo, person):
    program = by_autoconfig(demo, person["address"], person["password"])
    program.send("Probe nach Autoconfig")
    assert b"ohne einen Server" in program.receive("Probe nach Autoconfig", demo)


def test_a_device_that_follows_the_profile_reads_and_sends_and_the_portal_says_so(demo, person, portal):
    with portal.expect_download() as download:
        portal.get_by_role("link", name="Apple Mail").click()
    program = by_profile(download.value.path().read_bytes(), person["password"])
    program.send("Probe nach Profil")
    assert b"ohne einen Server" in program.receive("Probe nach Profil", demo)
    portal.get_by_role("link", name="Erneut prüfen").click()
    portal.reload()
    expect(portal.locator(".checks [data-met]")).to_have_count(2)


def test_the_code_for_the_phone_is_drawn(portal):
    code = portal.get_by_alt_text("QR-Code, der die Einrichtung auf Ihrem Telefon öffnet")
    code.scroll_into_view_if_needed()
    portal.wait_for_function("code => code.complete && code.naturalWidth > 0", arg=code.element_handle())


def test_a_value_is_copied_by_its_button(portal):
    portal.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = portal.get_by_role("button", name="Kopieren: erika.mustermann@musterdomain.de")
    button.click()
    expect(button).to_have_text("Kopiert")
    assert portal.evaluate("navigator.clipboard.readText()") == "erika.mustermann@musterdomain.de"
