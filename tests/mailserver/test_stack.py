"""What people and other servers see of the mail servers."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import time
import unicodedata
from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pytest_django.fixtures import Settings

from mailboxes import dovecot
from tests.mailserver.clients import (
    HOST,
    ManageSieve,
    accepted_by,
    doveadm,
    fetch,
    imap,
    message,
    receive,
    submission,
    trusting,
)
from tests.mailserver.conftest import API_KEY, Running
from tests.promises import promise

SERVICES = {"imaps", "imap", "pop3s", "pop3", "submission", "submissions", "sieve"}
PASSWORD = "Rechtes-Passwort 1 \"'\\%u"
STRANGER = "max.mustermann@example.org"


@pytest.fixture(scope="session")
def erika(stack: Running) -> str:
    """A mailbox with an alias info@ whose owner may sign in."""
    stack.database.mailbox("erika@musterdomain.de", PASSWORD)
    stack.database.alias("info@musterdomain.de", "erika@musterdomain.de")
    return "erika@musterdomain.de"


@pytest.fixture(scope="session")
def hans(stack: Running) -> str:
    """Another mailbox of the same domain."""
    stack.database.mailbox("hans@musterdomain.de", PASSWORD)
    return "hans@musterdomain.de"


class TestSignIn:
    def test_right_password_is_accepted_by_every_service(self, stack: Running, erika: str) -> None:
        assert accepted_by(stack.ports, erika, PASSWORD) == dict.fromkeys(SERVICES, True)

    def test_wrong_password_is_refused_by_every_service(self, stack: Running, erika: str) -> None:
        assert accepted_by(stack.ports, erika, "Falsches-Passwort 1") == dict.fromkeys(SERVICES, False)

    @promise("A-41")
    def test_a_hash_of_an_unknown_kind_is_a_wrong_password(self, stack: Running) -> None:
        stack.database.mailbox("fremd@musterdomain.de", PASSWORD)
        stack.database.hash("fremd@musterdomain.de", "pbkdf2_sha256$1$salt$hash")
        assert accepted_by(stack.ports, "fremd@musterdomain.de", PASSWORD) == dict.fromkeys(SERVICES, False)

    @pytest.mark.parametrize("expired", [False, True])
    def test_an_initial_password_opens_no_service(self, stack: Running, expired: bool) -> None:
        address = f"initial.{expired}@musterdomain.de".lower()
        stack.database.mailbox(address, PASSWORD)
        stack.database.initial(address, expired=expired)
        assert accepted_by(stack.ports, address, PASSWORD) == dict.fromkeys(SERVICES, False)

    @promise("A-34")
    @pytest.mark.parametrize("password", ["Grüße aus Köln 2026!", "Zwei  Leerzeichen  3 mal! ", "x" * 250 + "Aa1 !ß"])
    def test_a_password_is_taken_byte_for_byte(self, stack: Running, password: str) -> None:
        address = f"byte{len(password)}@musterdomain.de"
        stack.database.mailbox(address, password)
        assert _signs_in(stack, address, password)
        others = {unicodedata.normalize("NFD", password), password[:72], password.strip(), password.upper()}
        assert not [other for other in others - {password} if _signs_in(stack, address, other)]

    def test_of_a_suspended_tenant_opens_no_service_and_defers_all_mail(self, stack: Running, erika: str) -> None:
        stack.database.tenant_status("suspended")
        try:
            assert accepted_by(stack.ports, erika, PASSWORD) == dict.fromkeys(SERVICES, False)
            for recipient in (erika, "info@musterdomain.de", erika.replace("@", "+tag@")):
                with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                    receive(stack.ports, message(STRANGER, recipient, "gesperrter Kunde"))
                assert refused.value.recipients[recipient][0] == 450
        finally:
            stack.database.tenant_status("active")

    def test_is_noted_by_service_when_it_worked_and_not_when_it_did_not(self, stack: Running) -> None:
        stack.database.mailbox("notiert@musterdomain.de", PASSWORD)
        accepted_by(stack.ports, "notiert@musterdomain.de", "Falsches-Passwort 1")
        assert _services_noted(stack) == set()
        assert accepted_by(stack.ports, "notiert@musterdomain.de", PASSWORD) == dict.fromkeys(SERVICES, True)
        assert _services_noted(stack) == {"imap", "pop3", "smtp", "sieve"}

    def test_works_where_it_cannot_be_noted(self, stack: Running, erika: str) -> None:
        stack.database.run("DELETE FROM mailboxes_maillogin")
        stack.database.run("REVOKE INSERT ON mailboxes_maillogin FROM mail_owner")
        try:
            assert accepted_by(stack.ports, erika, PASSWORD) == dict.fromkeys(SERVICES, True)
            assert accepted_by(stack.ports, erika, "Falsches-Passwort 1") == dict.fromkeys(SERVICES, False)
        finally:
            stack.database.run("GRANT INSERT ON mailboxes_maillogin TO mail_owner")

    def test_capital_letters_in_the_user_name_do_not_matter(self, stack: Running, erika: str) -> None:
        assert accepted_by(stack.ports, "Erika@Musterdomain.DE", PASSWORD) == dict.fromkeys(SERVICES, True)

    @promise("A-40")
    @promise("A-41")
    def test_a_new_password_counts_at_once(self, stack: Running) -> None:
        stack.database.mailbox("neu@musterdomain.de", "Altes-Passwort 1")
        assert accepted_by(stack.ports, "neu@musterdomain.de", "Altes-Passwort 1") == dict.fromkeys(SERVICES, True)

        stack.database.password("neu@musterdomain.de", "Neues-Passwort 1")

        assert accepted_by(stack.ports, "neu@musterdomain.de", "Altes-Passwort 1") == dict.fromkeys(SERVICES, False)
        assert accepted_by(stack.ports, "neu@musterdomain.de", "Neues-Passwort 1") == dict.fromkeys(SERVICES, True)

    def test_imap_and_pop3_take_no_password_before_tls(self, stack: Running, erika: str) -> None:
        assert b"LOGINDISABLED" in _first_lines(stack.ports.imap, b"a CAPABILITY\r\n")
        assert b"-ERR" in _first_lines(stack.ports.pop3, f"USER {erika}\r\n".encode())

    def test_submission_offers_no_sign_in_before_tls(self, stack: Running) -> None:
        with smtplib.SMTP(HOST, stack.ports.submission) as session:
            session.ehlo()
            assert session.has_extn("starttls")
            assert not session.has_extn("auth")

    def test_port_25_offers_no_sign_in_at_all(self, stack: Running) -> None:
        with smtplib.SMTP(HOST, stack.ports.smtp) as session:
            session.ehlo()
            assert not session.has_extn("auth")


def _services_noted(stack: Running) -> set[str]:
    rows = stack.database.run(
        "SELECT service FROM mailboxes_maillogin l JOIN mailboxes_mailbox m ON m.id = l.mailbox_id"
        " JOIN accounts_user u ON u.id = m.user_id WHERE u.address = 'notiert@musterdomain.de'"
    )
    return {service for (service,) in rows}


def _signs_in(stack: Running, user: str, password: str) -> bool:
    """Whether IMAP takes this password, sent as UTF-8 by SASL PLAIN as today's mail programs do."""
    with imaplib.IMAP4_SSL(HOST, stack.ports.imaps, ssl_context=trusting()) as session:
        try:
            session.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        except imaplib.IMAP4.error:
            return False
        return True


def _first_lines(port: int, command: bytes) -> bytes:
    # Dovecot trusts a client on the server's own address, so the test comes from another one of loopback.
    with socket.create_connection((HOST, port), timeout=5, source_address=("127.0.0.2", 0)) as connection:
        greeting = connection.recv(1024)
        connection.sendall(command)
        return greeting + connection.recv(1024)


class TestSending:
    def test_own_address_and_alias_are_allowed(self, stack: Running, erika: str, hans: str) -> None:
        with submission(stack.ports, erika, PASSWORD) as session:
            session.send_message(message(erika, hans, "von Erika"))
            session.send_message(message("info@musterdomain.de", hans, "von info"))

        assert b"Subject: von Erika" in fetch(stack.ports, hans, PASSWORD, "von Erika")
        assert b"Subject: von info" in fetch(stack.ports, hans, PASSWORD, "von info")

    @pytest.mark.parametrize("sender", ["hans@musterdomain.de", "niemand@musterdomain.de", STRANGER])
    def test_other_senders_are_refused(self, stack: Running, erika: str, hans: str, sender: str) -> None:
        with submission(stack.ports, erika, PASSWORD) as session:
            code, text = session.mail(sender)

        assert (code, b"not owned by user" in text) == (553, True)

    def test_the_own_network_address_is_not_passed_on(self, stack: Running, erika: str, hans: str) -> None:
        with submission(stack.ports, erika, PASSWORD) as session:
            session.send_message(message(erika, hans, "ohne Absenderrechner"))

        received = fetch(stack.ports, hans, PASSWORD, "ohne Absenderrechner")
        assert b"ESMTPSA" not in received
        assert erika.encode() not in received.split(b"From:")[0].replace(f"<{erika}>".encode(), b"")

    def test_nobody_relays_without_signing_in(self, stack: Running, erika: str) -> None:
        for port in (stack.ports.smtp, stack.ports.submission):
            with smtplib.SMTP(HOST, port) as session:
                session.ehlo()
                if port == stack.ports.submission:
                    session.starttls(context=None)
                    session.ehlo()
                codes = session.mail(STRANGER)[0], session.rcpt("jemand@example.net")[0]
            assert codes[1] >= 500, port

    def test_without_tls_submission_takes_no_mail(self, stack: Running, erika: str) -> None:
        with smtplib.SMTP(HOST, stack.ports.submission) as session:
            session.ehlo()
            assert session.mail(erika)[0] == 530

    def test_a_lock_ends_sending_in_an_open_session(self, stack: Running, hans: str) -> None:
        stack.database.mailbox("offen@musterdomain.de", PASSWORD)
        with submission(stack.ports, "offen@musterdomain.de", PASSWORD) as session:
            session.send_message(message("offen@musterdomain.de", hans, "noch erlaubt"))
            stack.database.lock("offen@musterdomain.de")

            assert session.mail("offen@musterdomain.de")[0] == 553
            assert session.mail("")[0] == 553

    def test_a_message_that_is_too_large_is_refused_by_its_size(self, stack: Running, erika: str) -> None:
        with submission(stack.ports, erika, PASSWORD) as session:
            assert session.mail(erika, ["SIZE=60000000"])[0] == 552


class TestReceiving:
    @pytest.mark.parametrize(
        "recipient", ["erika@musterdomain.de", "info@musterdomain.de", "info+tag@musterdomain.de"]
    )
    def test_mailbox_alias_and_tag_arrive(self, stack: Running, erika: str, recipient: str) -> None:
        receive(stack.ports, message(STRANGER, recipient, f"an {recipient}"))

        assert b"Guten Tag" in fetch(stack.ports, erika, PASSWORD, f"an {recipient}")

    @promise("A-44")
    def test_postmaster_and_abuse_arrive_where_staff_said(self, stack: Running, erika: str) -> None:
        stack.database.run(
            "INSERT INTO accounts_installation (id, provider_name, support_email, support_phone, postmaster_address)"
            " VALUES (1, '', '', '', %s)",
            erika,
        )
        for name in ("postmaster", "Abuse"):
            receive(stack.ports, message(STRANGER, f"{name}@musterdomain.de", f"an {name}"))
            assert fetch(stack.ports, erika, PASSWORD, f"an {name}")

    def test_unknown_recipients_are_refused_at_once(self, stack: Running, erika: str) -> None:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            receive(stack.ports, message(STRANGER, "niemand@musterdomain.de", "unbekannt"))

        assert refused.value.recipients["niemand@musterdomain.de"][0] == 550

    @pytest.mark.parametrize(("delivery", "code"), [("defer", 450), ("refuse", 550)])
    def test_delivery_is_deferred_or_refused_as_the_portal_says(
        self, stack: Running, delivery: str, code: int
    ) -> None:
        address = f"halt{code}@musterdomain.de"
        stack.database.mailbox(address, PASSWORD)
        stack.database.deliver(address, delivery)
        for recipient in (address, address.replace("@", "+tag@"), address.upper()):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                receive(stack.ports, message(STRANGER, recipient, "angehalten"))
            assert refused.value.recipients[recipient][0] == code

        stack.database.deliver(address, "accept")
        receive(stack.ports, message(STRANGER, address, "wieder frei"))
        assert fetch(stack.ports, address, PASSWORD, "wieder frei")

    def test_a_locked_person_still_receives(self, stack: Running, erika: str) -> None:
        stack.database.mailbox("gesperrt@musterdomain.de", PASSWORD)
        stack.database.lock("gesperrt@musterdomain.de")
        assert accepted_by(stack.ports, "gesperrt@musterdomain.de", PASSWORD) == dict.fromkeys(SERVICES, False)

        receive(stack.ports, message(STRANGER, "gesperrt@musterdomain.de", "trotzdem"))
        stack.database.unlock("gesperrt@musterdomain.de")
        assert fetch(stack.ports, "gesperrt@musterdomain.de", PASSWORD, "trotzdem")

    def test_forged_score_headers_are_removed(self, stack: Running, erika: str) -> None:
        forged = {"X_KSC_Spam_Level": "*" * 20, "x_ksc_policy": "white", "X_KSC_Spam_Score": "-99"}
        receive(stack.ports, message(STRANGER, erika, "mit falschen Zeilen", **forged))

        head = fetch(stack.ports, erika, PASSWORD, "mit falschen Zeilen").split(b"\r\n\r\n")[0].lower()
        assert b"white" not in head
        assert b"-99" not in head
        assert b"*" * 20 not in head
        assert head.count(b"x-ksc-spam-score:") == 1

    def test_a_new_domain_works_within_seconds(self, stack: Running, erika: str) -> None:
        mail = message(STRANGER, "erste@spaeter.example", "neue Domain")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            receive(stack.ports, mail)
        stack.database.mailbox("erste@spaeter.example", PASSWORD)

        _eventually(lambda: receive(stack.ports, mail), smtplib.SMTPRecipientsRefused, 15)
        assert fetch(stack.ports, "erste@spaeter.example", PASSWORD, "neue Domain")


class TestMailbox:
    def test_keeps_its_mail_when_its_address_changes(self, stack: Running, erika: str, hans: str) -> None:
        before, after = "ledig@musterdomain.de", "verheiratet@musterdomain.de"
        stack.database.mailbox(before, PASSWORD)
        receive(stack.ports, message(STRANGER, before, "vorher"))
        fetch(stack.ports, before, PASSWORD, "vorher")

        stack.database.rename(before, after)

        assert accepted_by(stack.ports, before, PASSWORD) == dict.fromkeys(SERVICES, False)
        assert accepted_by(stack.ports, after, PASSWORD) == dict.fromkeys(SERVICES, True)
        assert fetch(stack.ports, after, PASSWORD, "vorher")
        receive(stack.ports, message(STRANGER, before, "an die alte Adresse"))
        assert fetch(stack.ports, after, PASSWORD, "an die alte Adresse")
        with submission(stack.ports, after, PASSWORD) as session:
            session.send_message(message(before, hans, "von der alten Adresse"))
        assert fetch(stack.ports, hans, PASSWORD, "von der alten Adresse")

    def test_usage_reaches_the_table(self, stack: Running, erika: str) -> None:
        stack.database.mailbox("belegung@musterdomain.de", PASSWORD)
        receive(stack.ports, message(STRANGER, "belegung@musterdomain.de", "zu zaehlen"))
        fetch(stack.ports, "belegung@musterdomain.de", PASSWORD, "zu zaehlen")

        def usage() -> None:
            row = stack.database.run(
                "SELECT messages, bytes > 200, tenant_id, now() - changed_at < '1 min' FROM mailboxes_usage"
                " WHERE username = 'belegung@musterdomain.de'"
            ).fetchone()
            assert row == (1, True, stack.database.tenant, True)

        _eventually(usage, AssertionError, 5)

    def test_a_full_mailbox_refuses_at_rcpt(self, stack: Running) -> None:
        stack.database.mailbox("voll@musterdomain.de", PASSWORD, quota_mb=1)
        with smtplib.SMTP(HOST, stack.ports.smtp) as session:
            session.ehlo()
            session.mail(STRANGER, ["SIZE=2000000"])
            assert session.rcpt("voll@musterdomain.de") == (
                552,
                b"5.2.2 <voll@musterdomain.de>: Recipient address rejected: Mailbox is full",
            )

    def test_the_junk_folder_is_there_and_known_as_such(self, stack: Running, erika: str) -> None:
        with imap(stack.ports, erika, PASSWORD) as session:
            folders = session.list()[1]
        assert any("\\Junk" in str(folder) for folder in folders)

    def test_own_scripts_sort_mail(self, stack: Running, erika: str) -> None:
        with ManageSieve(stack.ports) as sieve:
            assert sieve.login(erika, PASSWORD).startswith("OK")
            script = (
                'require ["fileinto", "mailbox"];\r\n'
                'if header :contains "subject" "Projekt" { fileinto :create "Projekt"; }\r\n'
            )
            assert sieve.put("sortieren", script).startswith("OK")
            assert sieve.command('SETACTIVE "sortieren"').startswith("OK")

            receive(stack.ports, message(STRANGER, erika, "Projekt eins"))
            assert fetch(stack.ports, erika, PASSWORD, "Projekt eins", folder="Projekt")
            assert sieve.command('SETACTIVE ""').startswith("OK")

    def test_own_scripts_cannot_bounce(self, stack: Running, erika: str) -> None:
        with ManageSieve(stack.ports) as sieve:
            assert sieve.login(erika, PASSWORD).startswith("OK")
            assert sieve.put("verboten", 'require "reject";\r\nreject "nein";\r\n').startswith("NO")

    def test_own_scripts_cannot_forward(self, stack: Running, erika: str, hans: str) -> None:
        with ManageSieve(stack.ports) as sieve:
            assert sieve.login(hans, PASSWORD).startswith("OK")
            assert sieve.put("weiter", f'redirect "{erika}";\r\n').startswith("OK")
            assert sieve.command('SETACTIVE "weiter"').startswith("OK")
            receive(stack.ports, message(STRANGER, hans, "bleibt hier"))

            assert fetch(stack.ports, hans, PASSWORD, "bleibt hier")
            assert sieve.command('SETACTIVE ""').startswith("OK")
            with imap(stack.ports, erika, PASSWORD) as session:
                assert session.search(None, "SUBJECT", '"bleibt hier"')[1] == [b""]

    def test_the_portal_ends_an_idle_session(self, stack: Running, erika: str, settings: Settings) -> None:
        settings.DOVEADM_URL = f"http://{HOST}:{stack.ports.doveadm}"
        settings.DOVEADM_API_KEY = API_KEY
        dovecot.end_sessions("niemand@musterdomain.de")
        with imap(stack.ports, erika, PASSWORD) as session:
            session.send(b"idle1 IDLE\r\n")
            assert session.readline().startswith(b"+")

            began = time.monotonic()
            dovecot.end_sessions(erika)
            assert session.readline().startswith(b"* BYE")
            assert time.monotonic() - began < 5

    def test_the_api_wants_its_key(self, stack: Running, erika: str) -> None:
        with pytest.raises(OSError):
            doveadm(stack.ports, "wrong-key", "who", timeout=3)


@promise("A-60")
class TestRights:
    """What each role of the mail servers may read."""

    @pytest.mark.parametrize("relation", ["mail.dovecot_passwords", "accounts_user", "mailboxes_usage"])
    def test_mail_ro_sees_neither_hashes_nor_tables(self, stack: Running, relation: str) -> None:
        _refused(stack, "mail_ro", relation)

    @pytest.mark.parametrize("relation", ["mail.dovecot_users", "accounts_user"])
    def test_mail_auth_sees_nothing_but_hashes(self, stack: Running, relation: str) -> None:
        _refused(stack, "mail_auth", relation)

    def test_secrets_are_not_readable_by_others(self, stack: Running) -> None:
        secrets = [API_KEY, *(stack.database.secret(role) for role in ("mail_ro", "mail_auth", "mail_usage"))]
        for path in (stack.launcher.runtime / "etc").rglob("*"):
            if path.is_file() and any(secret in path.read_text() for secret in secrets):
                assert path.stat().st_mode & 0o007 == 0, path


def _refused(stack: Running, role: str, relation: str) -> None:
    with (
        psycopg.connect(make_conninfo(**stack.database.bouncer.dsn(role))) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"SELECT * FROM {relation}")


def _eventually(attempt: Callable[[], None], failure: type[BaseException], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except failure:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.3)
