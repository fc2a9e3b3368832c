"""Setting up a mail program: the Startseite's part, the profile, the phone's page, the help page, the DNS records."""

import plistlib
import subprocess
from datetime import timedelta

import pytest
from django.core import signing
from django.utils import timezone

from accounts.models import User
from mailboxes import mobileconfig
from mailboxes.dnsrecords import setup_records
from mailboxes.models import ServerAddress
from mailboxes.setup import setup_for
from mailboxes.views import PHONE, PHONE_CODE_LIFE
from tests.cast import CANARY, make_mailbox, the_cast
from tests.client import Client
from tests.mailboxes.test_contract import ask
from tests.marks import committed, thorough

pytestmark = thorough

PROFILE = "/einrichtung/apple.mobileconfig"


@pytest.fixture
def servers(cast):
    for protocol, port, encryption in (("imap", 993, "tls"), ("submission", 587, "starttls")):
        ServerAddress.objects.create(protocol=protocol, host="mail.hoster.example", port=port, encryption=encryption)


@pytest.fixture
def portal(cast):
    client = Client()
    client.force_login(cast.user)
    return client


def phone(token, tail=""):
    return f"/einrichtung/telefon/{token}/{tail}"


@pytest.mark.usefixtures("servers")
class TestTheStartPage:
    def test_has_a_way_for_each_program_and_a_code_for_the_phone(self, portal):
        page = portal.get("/").content.decode()
        for part in ("Thunderbird", "Outlook", "Apple Mail", "Android", 'src="/einrichtung/telefon.svg"', PROFILE):
            assert part in page

    @pytest.mark.parametrize("opens", [True, False])
    def test_asks_for_the_password_that_opens_mail(self, portal, cast, opens):
        User.objects.filter(pk=cast.user.pk).update(mail_password_enabled=opens)
        page = portal.get("/").content.decode()
        assert ("Das Passwort ist dasselbe wie hier." in page) == opens
        assert ("Das Passwort ist das App-Passwort dieses Geräts." in page) != opens


@committed
def test_the_start_page_says_what_got_through_since_the_password_was_changed(client):
    cast = the_cast()
    ServerAddress.objects.create(protocol="imap", host="mail.hoster.example", port=993, encryption="tls")
    client.force_login(cast.user)
    ask("mail_auth", "SELECT mail.note_login(%s, 'imap', 'x', '192.0.2.7')", cast.user.address)
    ask("mail_auth", "SELECT mail.note_login(%s, 'smtp', 'x', '192.0.2.7')", cast.other_user.address)
    for path in ("/", "/einrichtung/anmeldungen/"):
        page = client.get(path).content.decode()
        assert page.count("data-met") == 1
        assert page.index("data-met") < page.index("noch nicht seit Ihrer letzten Passwortänderung")
    cast.user.change_password("Neun Otter singen 5 Lieder!", by=cast.user)
    client.force_login(cast.user)
    assert "data-met" not in client.get("/").content.decode()


@pytest.mark.usefixtures("servers")
class TestTheProfile:
    def test_holds_all_but_the_password(self, portal, cast):
        response = portal.get(PROFILE)
        profile = plistlib.loads(response.content)
        [account] = profile["PayloadContent"]
        assert response["Content-Type"] == "application/x-apple-aspen-config"
        wanted = {
            "PayloadType": "com.apple.mail.managed",
            "EmailAccountType": "EmailTypeIMAP",
            "EmailAddress": "max.mustermann@musterdomain.de",
            "EmailAccountName": "Max Mustermann",
            "IncomingMailServerHostName": "mail.hoster.example",
            "IncomingMailServerPortNumber": 993,
            "IncomingMailServerUseSSL": True,
            "IncomingMailServerUsername": "max.mustermann@musterdomain.de",
            "OutgoingMailServerHostName": "mail.hoster.example",
            "OutgoingMailServerPortNumber": 587,
            "OutgoingPasswordSameAsIncomingPassword": True,
        }
        assert {key: account[key] for key in wanted} == wanted
        assert not {key for key, value in account.items() if key.endswith("Password") and value is not True}

    def test_stays_the_same_so_that_it_replaces_itself(self, portal):
        assert portal.get(PROFILE).content == portal.get(PROFILE).content

    def test_carries_hostile_names_as_text(self, portal, cast):
        cast.user.name = "</string><key>evil</key>&amp;"
        cast.user.save()
        [account] = plistlib.loads(portal.get(PROFILE).content)["PayloadContent"]
        assert account["EmailAccountName"] == cast.user.name

    @thorough
    def test_is_signed_when_a_key_is_configured(self, portal, settings, tmp_path):
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hoster.example",
            "-addext", "extendedKeyUsage=emailProtection", "-keyout", key, "-out", certificate)  # fmt: skip
        plain = portal.get(PROFILE).content
        settings.PROFILE_SIGNING_KEY, settings.PROFILE_SIGNING_CERTIFICATE = str(key), str(certificate)
        signed = tmp_path / "signed.der"
        signed.write_bytes(portal.get(PROFILE).content)
        content = run("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-CAfile", certificate, "-in", signed)
        assert content == plain
        signed.write_bytes(signed.read_bytes().replace(b"mail.hoster.example", b"evil.hoster.example"))
        with pytest.raises(subprocess.CalledProcessError):
            run("openssl", "cms", "-verify", "-inform", "DER", "-CAfile", certificate, "-in", signed)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.usefixtures("servers")
class TestThePhonesPage:
    def test_opens_without_login_from_the_code_and_gives_values_and_profile(self, portal, cast, client):
        picture = portal.get("/einrichtung/telefon.svg")
        assert picture["Content-Type"] == "image/svg+xml" and "no-store" in picture["Cache-Control"]
        token = signing.dumps(cast.mailbox.pk, salt=PHONE)
        page = client.get(phone(token)).content.decode()
        assert "max.mustermann@musterdomain.de" in page and "mail.hoster.example" in page and CANARY not in page
        assert client.get(phone(token, "apple.mobileconfig")).content == portal.get(PROFILE).content
        assert "App-Passwort" not in page
        User.objects.filter(pk=cast.user.pk).update(mail_password_enabled=False)
        assert client.get(phone(token)).content.decode().count("App-Passwort") == 2

    def test_expires_with_a_page_that_says_what_to_do(self, client, cast, time_machine):
        token = signing.dumps(cast.mailbox.pk, salt=PHONE)
        time_machine(PHONE_CODE_LIFE + timedelta(seconds=1))
        response = client.get(phone(token))
        assert response.status_code == 410 and "abgelaufen" in response.content.decode()
        assert client.get(phone(token, "apple.mobileconfig")).status_code == 302

    @pytest.mark.parametrize("token", ["x", "1", signing.Signer(salt="other").sign("1"), "%00", "a:b:c"])
    def test_does_not_open_with_a_forged_code(self, client, db, token):
        assert client.get(phone(token)).status_code in (400, 410)


@pytest.fixture
def time_machine(monkeypatch):
    def travel(later):
        now = signing.time.time()
        monkeypatch.setattr(signing.time, "time", lambda: now + later.total_seconds())

    return travel


@pytest.mark.usefixtures("servers")
class TestTheHelpPage:
    def test_is_there_for_everybody_with_the_four_steps_in_their_order(self, client):
        page = client.get("/einrichtung/").content.decode()
        steps = ("Initialdaten sammeln", "Anmelden", "Passwort ändern und setzen", "Mailprogramm einrichten")
        places = [page.index(f"{number}. {step}") for number, step in enumerate(steps, 1)]
        assert places == sorted(places)
        for word in ("Thunderbird", "Outlook", "Apple Mail", "Android", "mail.hoster.example", "E-Mail-Einrichtung"):
            assert word in page

    def test_stays_reachable_with_an_initial_password(self, cast):
        client = Client()
        mailbox = make_mailbox(cast.domain, "nina", password=None)
        mailbox.user.issue_initial_password(
            mailbox.user.draw_initial_password()[1], by=cast.dvb, issue=0, at=timezone.now()
        )
        client.force_login(mailbox.user)
        assert client.get("/einrichtung/").status_code == 200
        assert client.get(PROFILE).status_code == 302


@pytest.mark.usefixtures("servers")
class TestTheRecords:
    def test_announce_what_is_offered_and_what_is_not(self, cast):
        records = {record.name: (record.kind, record.value) for record in setup_records(setup_for("musterdomain.de"))}
        assert records == {
            "_imaps._tcp.musterdomain.de.": ("SRV", "0 1 993 mail.hoster.example."),
            "_imap._tcp.musterdomain.de.": ("SRV", "0 0 0 ."),
            "_pop3s._tcp.musterdomain.de.": ("SRV", "0 0 0 ."),
            "_pop3._tcp.musterdomain.de.": ("SRV", "0 0 0 ."),
            "_submissions._tcp.musterdomain.de.": ("SRV", "0 0 0 ."),
            "_submission._tcp.musterdomain.de.": ("SRV", "0 1 587 mail.hoster.example."),
            "_sieve._tcp.musterdomain.de.": ("SRV", "0 0 0 ."),
            "_autodiscover._tcp.musterdomain.de.": ("SRV", "0 1 443 localhost."),
            "autoconfig.musterdomain.de.": ("CNAME", "localhost."),
            "autodiscover.musterdomain.de.": ("CNAME", "localhost."),
        }

    def test_are_shown_to_the_dvb(self, cast):
        desk = Client()
        desk.force_login(cast.dvb)
        page = desk.get(f"/desk/mailboxes/domain/{cast.domain.pk}/change/").content.decode()
        assert "_submission._tcp.musterdomain.de. IN SRV 0 1 587 mail.hoster.example." in page


def test_mobile_profiles_know_pop3_too(cast):
    ServerAddress.objects.create(protocol="pop3", host="mail.hoster.example", port=995, encryption="tls")
    [account] = plistlib.loads(mobileconfig.profile(setup_for("musterdomain.de"), cast.mailbox))["PayloadContent"]
    assert account["EmailAccountType"] == "EmailTypePOP" and "OutgoingMailServerHostName" not in account
