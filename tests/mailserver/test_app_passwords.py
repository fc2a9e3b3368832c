"""Passwords for single mail programs, as the real servers take or refuse them."""

from __future__ import annotations

import imaplib
import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.mailserver.clients import HOST, accepted_by, imap, message, submission
from tests.mailserver.conftest import API_KEY, Running
from tests.promises import promise

PASSWORD = "Rechtes-Passwort 1"
# What each of Dovecot's services opens.
OPENS = {
    "imap": {"imap", "imaps"},
    "pop3": {"pop3", "pop3s"},
    "smtp": {"submission", "submissions"},
    "sieve": {"sieve"},
}
ALL = set.union(*OPENS.values())
HERE, ELSEWHERE = ["127.0.0.0/8", "::1/128"], ["192.0.2.0/24", "2001:db8::/32"]


@pytest.fixture(scope="module")
def vera(stack: Running) -> str:
    stack.database.mailbox("vera@geraete.example", PASSWORD)
    stack.database.mailbox("willi@geraete.example", PASSWORD)
    return "vera@geraete.example"


@pytest.fixture
def statements(stack: Running) -> Iterator[None]:
    """PostgreSQL logs every statement meanwhile."""
    for change in ("SET log_statement = 'all'", "RESET log_statement"):
        stack.database.cluster.sql(f"ALTER SYSTEM {change}")
        stack.database.cluster.sql("SELECT pg_reload_conf()")
        time.sleep(0.5)
        if change.startswith("SET"):
            yield


def opened(stack: Running, user: str, password: str) -> set[str]:
    return {service for service, taken in accepted_by(stack.ports, user, password).items() if taken}


class TestAnAppPassword:
    @pytest.mark.parametrize("protocol", OPENS)
    def test_opens_its_own_service_and_no_other(self, stack: Running, vera: str, protocol: str) -> None:
        assert opened(stack, vera, stack.database.app_password(vera, protocol)) == OPENS[protocol]

    def test_of_several_services_opens_each_of_them(self, stack: Running, vera: str) -> None:
        assert opened(stack, vera, stack.database.app_password(vera, *OPENS)) == ALL

    def test_opens_nobody_elses_mailbox(self, stack: Running, vera: str) -> None:
        token = stack.database.app_password("willi@geraete.example", *OPENS)
        assert opened(stack, vera, token) == set()

    def test_counts_letter_by_letter(self, stack: Running, vera: str) -> None:
        token = stack.database.app_password(vera, "imap")
        for other in (token.upper(), token.replace("-", ""), token.replace("-", " "), f"{token} ", token[:-1], ""):
            assert not _signs_in(stack, vera, other), other

    def test_opens_nothing_once_revoked(self, stack: Running, vera: str) -> None:
        token = stack.database.app_password(vera, *OPENS)
        assert opened(stack, vera, token) == ALL
        stack.database.revoke(token)
        assert opened(stack, vera, token) == set()

    def test_opens_until_the_end_of_its_last_day(self, stack: Running, vera: str) -> None:
        today = timezone.localdate()
        assert opened(stack, vera, stack.database.app_password(vera, *OPENS, valid_until=today)) == ALL
        over = stack.database.app_password(vera, *OPENS, valid_until=today - timedelta(days=1))
        assert opened(stack, vera, over) == set()

    def test_opens_from_its_networks_alone(self, stack: Running, vera: str) -> None:
        assert opened(stack, vera, stack.database.app_password(vera, *OPENS, networks=HERE)) == ALL
        assert opened(stack, vera, stack.database.app_password(vera, *OPENS, networks=ELSEWHERE)) == set()

    def test_obeys_a_lock_and_the_unlock(self, stack: Running, vera: str) -> None:
        token = stack.database.app_password(vera, *OPENS)
        stack.database.lock(vera)
        try:
            assert opened(stack, vera, token) == set()
        finally:
            stack.database.unlock(vera)
        assert opened(stack, vera, token) == ALL

    def test_opens_nothing_while_the_initial_password_stands(self, stack: Running) -> None:
        stack.database.mailbox("neuling@geraete.example", PASSWORD)
        token = stack.database.app_password("neuling@geraete.example", *OPENS)
        stack.database.initial("neuling@geraete.example")
        assert opened(stack, "neuling@geraete.example", token) == set()


class TestThePersonsOwnPassword:
    def test_opens_all_beside_app_passwords(self, stack: Running, vera: str) -> None:
        stack.database.app_password(vera, "imap")
        assert opened(stack, vera, PASSWORD) == ALL
        assert opened(stack, vera, "Falsches-Passwort 1") == set()

    @promise("A-40")
    def test_is_refused_and_the_app_password_taken_as_soon_as_it_opens_the_portal_alone(
        self, stack: Running, vera: str
    ) -> None:
        token = stack.database.app_password(vera, *OPENS)
        stack.database.mail_password(vera, False)
        try:
            began = time.monotonic()
            assert not _signs_in(stack, vera, PASSWORD)
            assert _signs_in(stack, vera, token)
            assert time.monotonic() - began < 1
            assert opened(stack, vera, PASSWORD) == set()
            assert opened(stack, vera, token) == ALL
        finally:
            stack.database.mail_password(vera, True)


class TestALogin:
    def test_by_app_password_is_asked_about_nothing_else_and_is_noted(
        self, stack: Running, vera: str, statements: None
    ) -> None:
        log, token = stack.database.cluster.log, stack.database.app_password(vera, "imap")
        asked = {}
        for password in (token, PASSWORD, "Falsches-Passwort 1"):
            begun = log.stat().st_size
            _signs_in(stack, vera, password)
            lines = log.read_bytes()[begun:].decode()
            asked[password] = re.findall(r"mail\.(app_login|password_of|note_login)\(", lines)
        # A person's own password costs a slow hash, which an app password must not.
        assert asked == {
            token: ["app_login", "note_login"],
            PASSWORD: ["app_login", "password_of", "note_login"],
            "Falsches-Passwort 1": ["app_login", "password_of"],
        }

    def test_is_noted_by_time_service_and_address(self, stack: Running, vera: str) -> None:
        stack.database.mailbox("xaver@geraete.example", PASSWORD)
        token = stack.database.app_password("xaver@geraete.example", "imap", "smtp")
        assert _last_use(stack, "xaver@geraete.example") == (None, "", None)
        opened(stack, "xaver@geraete.example", "Falsches-Passwort 1")
        opened(stack, "xaver@geraete.example", PASSWORD)
        assert _last_use(stack, "xaver@geraete.example") == (None, "", None)
        stack.database.run("DELETE FROM mailboxes_maillogin")
        with submission(stack.ports, "xaver@geraete.example", token):
            assert _last_use(stack, "xaver@geraete.example") == (True, "smtp", "127.0.0.1")
        with imap(stack.ports, "xaver@geraete.example", token):
            assert _last_use(stack, "xaver@geraete.example") == (True, "imap", "127.0.0.1")
        # The home page's "has your mail program got through" sees it too.
        noted = stack.database.run("SELECT service FROM mailboxes_maillogin ORDER BY service").fetchall()
        assert noted == [("imap",), ("smtp",)]

    def test_works_where_it_cannot_be_noted(self, stack: Running, vera: str) -> None:
        token = stack.database.app_password(vera, *OPENS)
        stack.database.run("REVOKE UPDATE ON mailboxes_apppassword FROM mail_owner")
        try:
            assert opened(stack, vera, token) == ALL
            assert opened(stack, vera, "Falsches-Passwort 1") == set()
        finally:
            stack.database.run(
                "GRANT UPDATE (last_used_at, last_used_by, last_used_ip) ON mailboxes_apppassword TO mail_owner"
            )

    def test_waits_for_nobody_who_works_on_the_row(self, stack: Running, vera: str) -> None:
        token = stack.database.app_password(vera, "imap")
        with stack.database.connection.transaction():
            stack.database.run("UPDATE mailboxes_apppassword SET name = name")
            began = time.monotonic()
            assert _signs_in(stack, vera, token)
            assert time.monotonic() - began < 2

    def test_with_it_may_send_as_the_person(self, stack: Running, vera: str) -> None:
        with submission(stack.ports, vera, stack.database.app_password(vera, "smtp")) as session:
            session.send_message(message(vera, vera, "vom Gerät"))
            assert session.mail("willi@geraete.example")[0] == 553


class TestTheToken:
    @promise("A-29")
    def test_and_the_password_are_in_no_log(self, stack: Running, vera: str, statements: None) -> None:
        token = stack.database.app_password(vera, *OPENS)
        for password in (token, PASSWORD, "Falsches-Passwort 1"):
            opened(stack, vera, password)
        logs = [stack.database.cluster.log, stack.database.bouncer.folder / "log"]
        logs += [path for path in (stack.launcher.runtime / "log").rglob("*") if path.is_file()]
        texts = {log: log.read_text(errors="replace") for log in logs}
        assert f"mail.app_login(mail.named('{vera}')" in texts[stack.database.cluster.log]
        for secret in (token, token.replace("-", ""), PASSWORD, "Falsches-Passwort 1"):
            assert [log for log, text in texts.items() if secret in text] == []
        pepper = json.loads(stack.database.manage("shell", "-v", "0", "-c", PEPPER))
        assert [log for log, text in texts.items() if pepper in text] == []


PEPPER = "import json; from django.conf import settings; print(json.dumps(settings.APP_PASSWORD_PEPPER))"
OPEN = """
from accounts.wall import EVERYBODY, show
show(EVERYBODY)
from mailboxes.models import AppPassword, Mailbox
box = Mailbox.objects.get(address__address="{address}")
row, token = AppPassword.objects.open_app_password(mailbox=box, name="x", protocols=["imap", "smtp"], by=box.user)
print(token)
"""
REVOKE = """
from accounts.wall import EVERYBODY, show
show(EVERYBODY)
from mailboxes.models import AppPassword
[row] = AppPassword.objects.with_token("{token}")
row.revoke(by=row.mailbox.user)
"""


class TestAMember:
    def test_opens_a_mailbox_for_a_purpose_until_they_leave(self, stack: Running, vera: str) -> None:
        function = "kasse@geraete.example"
        stack.database.mailbox(function)
        stack.database.member(function, vera)
        token = stack.database.app_password(function, *OPENS, holder=vera)
        assert opened(stack, function, token) == ALL
        assert opened(stack, vera, token) == set()
        assert opened(stack, function, PASSWORD) == set()
        for locked in (vera, function):
            stack.database.lock(locked)
            assert opened(stack, function, token) == set()
            stack.database.unlock(locked)

        # Even an app password that was forgotten opens nothing for who is no member any more.
        stack.database.run("DELETE FROM mailboxes_membership")
        assert opened(stack, function, token) == set()


class TestRevoking:
    def test_in_the_portal_ends_an_open_session_at_the_next_command(self, stack: Running) -> None:
        stack.database.mailbox("yvonne@geraete.example", PASSWORD)
        token = stack.database.manage("shell", "-v", "0", "-c", OPEN.format(address="yvonne@geraete.example")).strip()
        with (
            imap(stack.ports, "yvonne@geraete.example", token) as session,
            submission(stack.ports, "yvonne@geraete.example", token) as sending,
        ):
            assert session.noop()[0] == "OK"
            stack.database.manage("shell", "-v", "0", "-c", REVOKE.format(token=token))
            stack.database.manage(
                "worker",
                "--once",
                DOVEADM_URL=f"http://{HOST}:{stack.ports.doveadm}",
                DOVEADM_API_KEY=API_KEY,
                EMAIL_URL="dummymail://",
            )
            with pytest.raises((imaplib.IMAP4.abort, OSError)):
                session.noop()
            # What the page says: Postfix asks at the login and lets what is connected go on.
            assert sending.mail("yvonne@geraete.example")[0] == 250
        assert opened(stack, "yvonne@geraete.example", token) == set()
        assert opened(stack, "yvonne@geraete.example", PASSWORD) == ALL


def _signs_in(stack: Running, user: str, password: str) -> bool:
    try:
        with imap(stack.ports, user, password):
            return True
    except imaplib.IMAP4.error:
        return False


def _last_use(stack: Running, address: str) -> tuple[object, ...] | None:
    return stack.database.run(
        "SELECT now() - last_used_at < '1 minute', last_used_by, host(last_used_ip) FROM mailboxes_apppassword p"
        " JOIN mailboxes_mailbox m ON m.id = p.mailbox_id JOIN accounts_user u ON u.id = m.user_id"
        " WHERE u.address = %s",
        address,
    ).fetchone()
