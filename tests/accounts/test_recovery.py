"""Passwort vergessen: what a question causes, what a link does, and what nobody learns from either."""

import io
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.management.commands.worker import handle_next
from accounts.models import (
    AuditEvent,
    Brake,
    OutboxMessage,
    PasswordReset,
    PortalSession,
    RecoveryAddress,
    RecoveryRequest,
    User,
)
from accounts.models.brakes import ASKED, CHANGE, MAILED
from tests.cast import PASSWORD, make_app_password, the_cast
from tests.client import Client
from tests.marks import committed, thorough
from tests.promises import promise

ASK = "/passwort/vergessen/"
ASKED_PAGE = "/passwort/vergessen/gefragt/"
ELSEWHERE = "max@zuhause.example"
NEW = "Neun Otter singen 5 Lieder!"
LINK = re.compile(r"http://localhost:8000(/passwort/neu/[\w-]+/)")


def ask(client, user=None, *, area="mailbox", address="", **extra):
    data = {"area": user.area, "address": user.address} if user else {"area": area, "address": address}
    return client.post(ASK, data, **extra)


def work():
    """What the worker does until nothing is left."""
    while handle_next():
        pass


def reachable(user, address=ELSEWHERE):
    """The person with a confirmed recovery address."""
    RecoveryAddress.objects.create(user=user, address=address, verified_at=timezone.now())
    return user


def links() -> list[str]:
    """The paths of all links that were mailed."""
    return [path for message in mail.outbox for path in LINK.findall(str(message.body))]


def set_password(client, path, new=NEW, **extra):
    return client.post(path, {"new_password": new, "repeated_password": new} | extra)


@pytest.fixture
def user(cast):
    return reachable(cast.user)


@pytest.fixture
def link(client, user):
    """A link that was mailed just now."""
    ask(client, user)
    work()
    [path] = links()
    mail.outbox.clear()
    return path


def holds(user, password) -> bool:
    return User.objects.get(pk=user.pk).is_current_password(password)


class TestTheQuestion:
    def test_looks_like_the_login_and_makes_no_session(self, client, db):
        response = client.get(ASK)
        page = response.content.decode()
        assert all(word in page for word in ("Loginbereich", "einzelne Mailbox", "E-Mailadresse"))
        assert "ksc" not in response.cookies and PortalSession.objects.count() == 0

    @promise("A-27")
    def test_gets_the_same_answer_by_the_same_statements_whoever_is_asked_for(self, client, cast, masked):
        reachable(cast.user)
        cast.other_user.lock(by=None)
        asked = [
            {"user": cast.user},
            {"user": cast.other_user},
            {"user": cast.dvb},
            {"user": cast.expired_deputy},
            {"user": cast.staff},
            {"area": "ksc", "address": cast.user.address},
            {"area": "mailbox", "address": "nobody@nowhere.example"},
        ]
        found = []
        for question in asked:
            with CaptureQueriesContext(connection) as queries:
                response = ask(client, **question)
            statements = [re.sub(r"'[^']*'(::\w+)?|\d+", "?", query["sql"]) for query in queries]
            page = client.get(response.url)
            headers = sorted((name, value) for name, value in response.items() if name != "Expires")
            found.append((response.status_code, headers, statements, masked(page)))
        assert all(each == found[0] for each in found)
        assert found[0][0] == 302 and response.url == ASKED_PAGE

    def test_is_one_message_for_the_worker_without_any_secret(self, client, user):
        OutboxMessage.objects.all().delete()
        ask(client, address=" MAX.Mustermann@Musterdomain.DE ")
        message = OutboxMessage.objects.get()
        assert (message.kind, message.payload) == ("password_reset", {"area": "mailbox", "address": user.address})

    @pytest.mark.parametrize("address", ["", "max", "max@", "a b@x.de", "a@b.de,c@d.de", "<script>@x.de", "x" * 5000])
    def test_with_what_is_no_address_says_so_and_asks_nobody(self, client, db, address):
        assert ask(client, address=address).status_code == 422
        assert not OutboxMessage.objects.exists()

    @promise("A-55")
    @pytest.mark.parametrize("field", ["area", "address"])
    @pytest.mark.parametrize(
        "odd", ["\0", "\r\nBcc: x@y.de", "ä@ö.de", "' OR 1=1 --", "%s", "\ud7ff", "{{ 7 }}", "x" * 9000]
    )
    def test_with_odd_text_is_answered_calmly(self, db, field, odd):
        client = Client(raise_request_exception=False)
        response = client.post(ASK, {"area": "mailbox", "address": "max@musterdomain.de", field: odd})
        assert response.status_code in (302, 400, 422)
        work()
        assert mail.outbox == []

    @promise("A-39")
    def test_from_one_network_is_stopped_after_twenty_an_hour(self, client, db):
        answers = [ask(client, address=f"user{number}@x.example").status_code for number in range(ASKED.free + 2)]
        assert answers == [302] * ASKED.free + [429] * 2
        assert ASKED.free == 20
        assert 3500 < int(ask(client, address="a@x.example")["Retry-After"]) <= 3600
        assert ask(client, address="a@x.example", REMOTE_ADDR="203.0.113.9").status_code == 302

    @promise("A-39")
    def test_for_one_account_is_answered_by_three_mails_an_hour_and_always_alike(self, client, user):
        for number in range(6):
            assert ask(client, user, REMOTE_ADDR=f"203.0.113.{number}").url == ASKED_PAGE
            work()
            PasswordReset.objects.update(created_at=timezone.now() - timedelta(minutes=2))
        assert len(links()) == MAILED.free == 3

    def test_needs_the_forms_token(self, user):
        assert ask(Client(enforce_csrf_checks=True), user).status_code == 403
        assert not OutboxMessage.objects.filter(kind="password_reset").exists()


@thorough
class TestTheMail:
    @promise("A-39")
    def test_goes_to_the_stored_address_alone_with_the_configured_name(self, client, user):
        ask(client, user)
        work()
        [message] = mail.outbox
        assert message.to == [ELSEWHERE] and message.cc == message.bcc == []
        assert LINK.search(message.body) and ELSEWHERE not in message.body

    def test_is_in_the_persons_language(self, client, user):
        user.choose_language("en")
        ask(client, user)
        work()
        assert mail.outbox[0].subject == "A new password for the portal"

    @promise("A-39")
    @pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"host": "evil.example:8000"}])
    def test_of_a_forged_host_is_never_sent(self, client, user, headers):
        assert ask(client, user, headers=headers).status_code == 400
        assert not OutboxMessage.objects.filter(kind="password_reset").exists()

    @promise("A-39")
    @pytest.mark.parametrize(
        "name", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Forwarded-Server", "X-Original-Host"]
    )
    def test_has_the_configured_name_whatever_else_a_client_sends(self, client, user, name):
        ask(client, user, headers={name: "evil.example"})
        work()
        [message] = mail.outbox
        assert LINK.search(message.body) and "evil" not in message.body + str(message.alternatives)

    def test_is_one_for_a_double_click(self, client, user):
        ask(client, user)
        ask(client, user)
        work()
        assert len(links()) == 1

    @pytest.mark.parametrize("how", ["locked", "suspended"])
    def test_is_none_for_whoever_may_not_sign_in(self, client, cast, user, how):
        if how == "locked":
            user.lock(by=cast.dvb)
        else:
            cast.tenant.suspend(by=cast.staff)
        OutboxMessage.objects.all().delete()
        ask(client, user)
        work()
        assert mail.outbox == [] and not PasswordReset.objects.exists() and not RecoveryRequest.objects.exists()

    def test_is_none_for_an_address_that_waits_to_be_confirmed(self, client, cast):
        RecoveryAddress.objects.create(user=cast.user, address=ELSEWHERE)
        ask(client, cast.user)
        work()
        assert links() == [] and not PasswordReset.objects.exists()

    @promise("A-57")
    def test_comes_later_where_the_mail_server_is_away(self, client, user, settings):
        settings.EMAIL_BACKEND, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", 1
        assert ask(client, user).url == ASKED_PAGE
        work()
        assert not PasswordReset.objects.exists()
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        OutboxMessage.objects.update(due=timezone.now())
        work()
        assert len(links()) == 1

    def test_is_written_into_the_trail_without_its_secret(self, link, user):
        event = AuditEvent.objects.get(deed="reset_link_sent")
        assert (event.object_id, event.tenant, event.actor_role) == (str(user.pk), user.tenant, "system")


@thorough
class TestTheLink:
    @promise("A-37")
    def test_is_not_used_up_by_looking_at_it(self, client, link):
        before = list(PasswordReset.objects.values())
        for _look in range(3):
            assert (client.get(link).status_code, client.head(link).status_code) == (200, 200)
        assert list(PasswordReset.objects.values()) == before
        assert set_password(client, link).url == "/anmelden/"

    def test_shows_the_parts_of_a_password_change(self, client, link, user):
        page = client.get(link).content.decode()
        for part in ("data-rules-for", "data-strength-of", "data-propose-for", "Neues Passwort:", user.address):
            assert part in page
        assert "Aktuelles Passwort" not in page and "keep_programs" in page

    def test_is_told_to_nobody_and_kept_by_no_browser(self, client, link):
        response = client.get(link)
        assert response["Referrer-Policy"] == "no-referrer"
        assert "no-store" in response["Cache-Control"]
        # Under no-referrer a form that leads to another page comes from "null", which the portal refuses.
        assert re.findall(r"<form[^>]*>", response.content.decode()) == ['<form method="post">']

    @promise("A-53")
    @pytest.mark.parametrize(
        ("origin", "with_token", "status"),
        [("null", True, 302), ("null", False, 403), ("http://evil.example", True, 403)],
    )
    def test_works_as_browsers_send_it_and_still_needs_the_forms_token(self, link, origin, with_token, status):
        browser = Client(enforce_csrf_checks=True)
        page = browser.get(link).content.decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1] if with_token else ""
        data = {"new_password": NEW, "repeated_password": NEW, "csrfmiddlewaretoken": token}
        assert browser.post(link, data, headers={"origin": origin}).status_code == status

    @promise("A-37")
    def test_sets_the_password_once(self, client, link, user):
        assert set_password(client, link).url == "/anmelden/"
        assert holds(user, NEW)
        other = "Zwölf Raben fliegen 3 Runden?"
        assert set_password(Client(), link, other).status_code == 410
        assert holds(user, NEW)
        dead = client.get(link, headers={"accept-language": "en"}).content.decode()
        assert "does not work any more" in dead and ASK in dead

    @promise("A-37")
    def test_dies_after_half_an_hour(self, client, link, user, time_machine):
        now = timezone.now()
        time_machine.move_to(now + timedelta(minutes=29), tick=False)
        assert client.get(link).status_code == 200
        time_machine.move_to(now + timedelta(minutes=30, seconds=1), tick=False)
        assert (client.get(link).status_code, set_password(client, link).status_code) == (410, 410)
        assert holds(user, PASSWORD)

    @promise("A-37")
    @pytest.mark.parametrize(
        "deed", ["password change", "login", "new address", "removed address", "newer link", "lock", "given out again"]
    )
    def test_dies_with(self, client, cast, link, user, log_in, deed):
        if deed == "password change":
            user.change_password("Zwölf Raben fliegen 3 Runden?", by=user)
        elif deed == "login":
            log_in(Client(), user)
        elif deed == "new address":
            RecoveryAddress.objects.propose(user, "neu@zuhause.example").confirm()
        elif deed == "removed address":
            RecoveryAddress.objects.remove_for(user, by=user)
        elif deed == "newer link":
            PasswordReset.objects.update(created_at=timezone.now() - timedelta(minutes=2))
            ask(client, user)
            work()
        elif deed == "lock":
            user.lock(by=cast.dvb)
            user.unlock(by=cast.dvb)
        else:
            user.issue_initial_password(user.draw_initial_password()[1], by=cast.dvb, issue=0, at=timezone.now())
        before = User.objects.get(pk=user.pk).password
        assert (client.get(link).status_code, set_password(client, link).status_code) == (410, 410)
        assert User.objects.get(pk=user.pk).password == before

    def test_does_nothing_while_its_person_is_locked(self, client, cast, link, user):
        User.objects.filter(pk=user.pk).update(locked_at=timezone.now())
        assert set_password(client, link).status_code == 410
        cast.tenant.suspend(by=cast.staff)
        User.objects.filter(pk=user.pk).update(locked_at=None)
        assert set_password(client, link).status_code == 410

    @promise("A-37")
    @pytest.mark.parametrize(
        "token", ["x", "x" * 43, "x" * 10_000, "ä", "%ff", "..", "' OR 1=1 --", "%0d%0aX:%20y", "\U0001f600"]
    )
    def test_that_was_never_mailed_is_answered_like_one_that_is_over(self, link, user, masked, token):
        client = Client(raise_request_exception=False)
        user.lock(by=None)
        dead = client.get(link)
        for response in (client.get(f"/passwort/neu/{token}/"), set_password(client, f"/passwort/neu/{token}/")):
            assert (response.status_code, masked(response)) == (410, masked(dead))
        assert holds(user, PASSWORD)

    @promise("A-55")
    def test_with_a_nul_is_a_bad_request(self, client, db):
        client.raise_request_exception = False
        assert client.get("/passwort/neu/a%00b/").status_code == 400

    @promise("A-37")
    def test_without_its_secret_sets_nothing(self, client, link, user):
        token_hash = PasswordReset.objects.get().token_hash
        for path in ("/passwort/neu/", "/passwort/neu//", f"/passwort/neu/{token_hash}/", "/passwort/aendern/", ASK):
            set_password(client, path, token=link.split("/")[-2])
        assert holds(user, PASSWORD)

    @promise("A-37")
    @committed
    def test_of_sixteen_uses_at_the_same_time_one_counts(self):
        user = reachable(the_cast().user)
        path = f"/passwort/neu/{PasswordReset.objects.draw(user)}/"
        passwords = [f"Acht Igel husten {number} Mal?" for number in range(16)]

        def race(password):
            try:
                return set_password(Client(), path, password).status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(race, passwords))
        assert sorted(answers) == [302] + [410] * 15
        assert holds(user, passwords[answers.index(302)])
        assert AuditEvent.objects.filter(deed="password_reset").count() == 1


@thorough
class TestTheNewPassword:
    def test_follows_the_one_rule_and_leaves_the_link_alive(self, client, link, user):
        response = set_password(client, link, "mustermann")
        page = response.content.decode()
        assert response.status_code == 422
        for fault in ("15", "Großbuchstabe", "Ziffer", "Sonderzeichen"):
            assert fault in page
        assert set_password(client, link, NEW, repeated_password="another").status_code == 422
        assert set_password(client, link, PASSWORD).status_code == 422
        assert set_password(client, link).status_code == 302

    @promise("A-55")
    @pytest.mark.parametrize("odd", ["", "\0" * 20, "\r\n", "x" * 5000, "ä" * 300, "\ud7ff" * 20])
    def test_of_odd_text_is_refused_calmly(self, client, link, user, odd):
        assert set_password(client, link, odd).status_code == 422
        assert holds(user, PASSWORD)

    @promise("A-10")
    def test_takes_no_other_field(self, client, cast, link, user):
        extra = {"user": cast.dvb.pk, "role": "staff", "initial_password": "on", "address": "x@y.de", "user_id": "1"}
        set_password(client, link, **extra)
        person = User.objects.get(pk=user.pk)
        assert (person.role, person.initial_password, person.address) == ("user", False, user.address)
        assert holds(cast.dvb, PASSWORD)

    @thorough
    def test_may_be_tried_thirty_times(self, client, link):
        answers = [set_password(client, link, "wrong").status_code for _try in range(CHANGE.free + 1)]
        assert answers == [422] * CHANGE.free + [429]

    @promise("A-38")
    def test_logs_nobody_in(self, client, link, user, log_in):
        response = set_password(client, link)
        assert "_auth_user_id" not in client.session
        login = client.get(response.url, headers={"accept-language": "en"}).content.decode()
        assert response.url == "/anmelden/" and "notice-success" in login
        assert client.get("/").status_code == 302
        assert log_in(client, user, password=PASSWORD).status_code == 200
        assert log_in(client, user, password=NEW).status_code == 302

    @promise("A-28")
    @promise("A-38")
    def test_ends_every_session_this_browsers_too(self, cast, link, user, log_in):
        # Each login removes waiting links, so the sessions are made without one.
        here, there = Client(), Client()
        here.force_login(user)
        there.force_login(user)
        set_password(here, link)
        assert here.get("/").url.startswith("/anmelden/") and there.get("/").url.startswith("/anmelden/")

    def test_ends_mail_sessions_is_told_everywhere_and_written_down(self, client, link, user):
        user.choose_language("en")
        OutboxMessage.objects.all().delete()
        set_password(client, link)
        kinds = [
            (each.kind, each.payload.get("to") or each.payload["address"])
            for each in OutboxMessage.objects.order_by("pk")
        ]
        assert kinds == [("email", user.address), ("email", ELSEWHERE), ("end_mail_sessions", user.address)]
        assert OutboxMessage.objects.first().payload["subject"] == "Your password was set anew"
        event = AuditEvent.objects.get(deed="password_reset")
        assert (event.actor, event.network.ip) == (user, "127.0.0.1")
        person = User.objects.get(pk=user.pk)
        assert person.password_changed_at > user.password_changed_at and person.mail_password_enabled

    def test_leaves_no_other_link_alive(self, client, link, user):
        PasswordReset.objects.update(created_at=timezone.now() - timedelta(minutes=2))
        ask(client, user)
        work()
        [newer] = links()
        assert set_password(client, newer).status_code == 302
        assert PasswordReset.objects.alive().count() == 0
        assert set_password(client, link).status_code == 410

    def test_never_meets_an_initial_password_for_that_takes_the_recovery_address_away(self, cast, user):
        user.choose_language("en")
        user.issue_initial_password(user.draw_initial_password()[1], by=cast.dvb, issue=0, at=timezone.now())
        assert not RecoveryAddress.objects.exists()
        told = OutboxMessage.objects.filter(kind="email", payload__subject="Your recovery address was removed")
        assert sorted(message.payload["to"] for message in told) == sorted([user.address, ELSEWHERE])

    @pytest.mark.parametrize("kept", [True, False])
    def test_ends_app_passwords_unless_they_are_kept(self, client, cast, link, kept):
        row, _token = make_app_password(cast.mailbox)
        set_password(client, link, **({"keep_programs": "on"} if kept else {}))
        row.refresh_from_db()
        assert (row.revoked_at is None) == kept


class TestWhereNoRecoveryAddressIs:
    def test_the_dvbs_are_asked_once_and_told(self, client, cast):
        ask(client, cast.user)
        ask(client, cast.user)
        work()
        request = RecoveryRequest.objects.get()
        assert (request.user, request.tenant, request.outcome) == (cast.user, cast.tenant, "open")
        # Neither the former deputy nor the other tenant's DVB.
        assert sorted(message.to[0] for message in mail.outbox) == [cast.deputy.address, cast.dvb.address]
        assert cast.user.address in mail.outbox[0].body and "http://localhost:8000" in mail.outbox[0].body
        assert AuditEvent.objects.filter(deed="recovery_requested", tenant=cast.tenant).count() == 1

    def test_an_expired_initial_password_is_a_reason_to_ask(self, client, cast):
        long_ago = timezone.now() - timedelta(days=15)
        cast.user.issue_initial_password(cast.user.draw_initial_password()[1], by=cast.dvb, issue=0, at=long_ago)
        ask(client, cast.user)
        work()
        assert RecoveryRequest.objects.get().user == cast.user

    @pytest.mark.parametrize("who", ["dvb", "dsb"])
    def test_staff_are_asked_for_a_dvb_or_dsb(self, client, cast, who):
        ask(client, getattr(cast, who))
        work()
        assert [message.to for message in mail.outbox] == [[cast.staff.address]]
        assert RecoveryRequest.objects.visible_to(cast.staff).get().user == getattr(cast, who)
        assert not RecoveryRequest.objects.visible_to(cast.dvb).exists()

    @pytest.mark.parametrize("who", ["staff", "expired_deputy", "locked", "unknown", "wrong area"])
    def test_nobody_is_asked_for(self, client, cast, who):
        if who == "locked":
            cast.user.lock(by=cast.dvb)
        wanted = {"locked": cast.user, "staff": cast.staff, "expired_deputy": cast.expired_deputy}.get(who)
        ask(client, wanted, area="ksc", address=cast.user.address if who == "wrong area" else "nobody@x.example")
        work()
        assert mail.outbox == [] and not RecoveryRequest.objects.exists()


@promise("A-29")
def test_no_secret_stays_in_sessions_outbox_trail_database_or_log(client, user):
    log = io.StringIO()
    [console] = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    stream = console.setStream(log)
    try:
        ask(client, user)
        work()
        [path] = links()
        token = path.split("/")[-2]
        client.get(path)
        set_password(client, path, "too short")
        client.put(path)
        Client(enforce_csrf_checks=True).post(path)
        kept = whole_database()
        set_password(client, path)
        client.get(path)
    finally:
        console.setStream(stream)
    assert token not in kept + whole_database() and NEW not in whole_database()
    assert "/passwort/neu/…" in log.getvalue() and token not in log.getvalue()
    assert all(token not in str(session.get_decoded()) for session in PortalSession.objects.all())


def whole_database() -> str:
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT string_agg(t::text, '|') FROM \"{table}\" t")
            found.append(cursor.fetchone()[0] or "")
    return "\n".join(found)


@promise("A-37")
def test_two_tabs_with_two_questions_leave_the_newest_link_alive(client, user):
    for _tab in range(2):
        ask(client, user)
        work()
        Brake.objects.all().delete()
        PasswordReset.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    first, second = links()
    assert (client.get(first).status_code, client.get(second).status_code) == (410, 200)
