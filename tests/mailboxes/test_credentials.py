"""Giving out Zugangsdaten: once, to the right people, and kept nowhere."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO

import pytest
from django.db import connection
from django.utils import timezone
from pypdf import PdfReader

from accounts.models import AuditEvent, CredentialState, OutboxMessage, PortalSession, Tenant, User
from mailboxes.credentials import CHUNK, Ticket
from tests.cast import make_mailbox, the_cast
from tests.client import Client
from tests.marks import committed, thorough
from tests.promises import promise

pytestmark = thorough

URL = "/desk/mailboxes/mailbox/credentials/"
STAFF_URL = "/staff/accounts/user/credentials/"
# For whoever had a password of their own already.
KNOWN = {"identity_check": "in_person"}


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def newcomer(cast):
    return make_mailbox(cast.domain, "nina.neu", name="Nina Neu", password=None).user


def ticket(user, viewer, issue=None):
    return Ticket(user.pk, user.initial_issues if issue is None else issue).sign(viewer)


def shown_password(response):
    [password] = re.findall(r"\b(?:\w{4}-){5}\w{4}\b", response.content.decode())
    return password


class TestGivingOut:
    def test_shows_a_password_that_logs_in(self, desk, cast, newcomer, client, log_in):
        password = shown_password(desk.post(URL, {"person": ticket(newcomer, cast.dvb), "output": "screen"}))
        newcomer.refresh_from_db()
        assert newcomer.credential_state == CredentialState.ISSUED
        assert log_in(client, newcomer, password=password).status_code == 302

    def test_prints_a_letter_with_the_password_and_the_aliases(self, desk, cast, client, log_in):
        response = desk.post(URL, KNOWN | {"person": ticket(cast.user, cast.dvb), "output": "letter"})
        assert response["Content-Type"] == "application/pdf" and "no-store" in response["Cache-Control"]
        text = "\n".join(page.extract_text() for page in PdfReader(BytesIO(response.content)).pages)
        [password] = re.findall(r"\b(?:\w{4}-){5}\w{4}\b", text)
        assert "info@musterdomain.de" in text
        assert log_in(client, cast.user, password=password).status_code == 302

    @promise("A-33")
    def test_starts_the_fourteen_days(self, desk, cast, newcomer):
        desk.post(URL, {"person": ticket(newcomer, cast.dvb), "output": "screen"})
        newcomer.refresh_from_db()
        assert newcomer.initial_expires_at - newcomer.initial_issued_at == timedelta(days=14)
        assert timezone.now() - newcomer.initial_issued_at < timedelta(minutes=1)

    def test_starts_as_many_days_as_the_tenant_has(self, desk, cast, newcomer):
        cast.tenant.initial_password_days = 3
        cast.tenant.save()
        desk.post(URL, {"person": ticket(newcomer, cast.dvb), "output": "screen"})
        newcomer.refresh_from_db()
        assert newcomer.initial_expires_at - newcomer.initial_issued_at == timedelta(days=3)

    def test_is_written_into_the_audit_trail_without_the_password(self, desk, cast, newcomer):
        password = shown_password(desk.post(URL, {"person": ticket(newcomer, cast.dvb)}))
        event = AuditEvent.objects.get(deed=AuditEvent.Deed.CREDENTIALS_ISSUED)
        assert (event.actor, event.tenant, event.object_label) == (cast.dvb, cast.tenant, newcomer.address)
        assert password not in str((event.old, event.new))

    @promise("A-33")
    @promise("A-29")
    def test_keeps_the_password_nowhere(self, desk, cast, newcomer):
        password = shown_password(desk.post(URL, {"person": ticket(newcomer, cast.dvb)}))
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{password}%"])
                assert cursor.fetchone() == (0,), table
        assert all(password not in str(session.get_decoded()) for session in PortalSession.objects.all())

    def test_again_makes_the_old_password_worthless(self, desk, cast, client, log_in):
        first = shown_password(desk.post(URL, KNOWN | {"person": ticket(cast.user, cast.dvb)}))
        cast.user.refresh_from_db()
        second = shown_password(desk.post(URL, KNOWN | {"person": ticket(cast.user, cast.dvb)}))
        cast.user.refresh_from_db()
        assert cast.user.credential_state == CredentialState.REISSUED
        assert log_in(client, cast.user, password=first).status_code == 200
        assert log_in(client, cast.user, password=second).status_code == 302

    def test_closes_mail_programs_and_ends_their_sessions(self, desk, cast):
        OutboxMessage.objects.all().delete()
        desk.post(URL, KNOWN | {"person": ticket(cast.user, cast.dvb)})
        cast.user.refresh_from_db()
        assert cast.user.mail_password_enabled is False
        assert OutboxMessage.objects.get(kind="end_mail_sessions").payload == {"address": cast.user.address}


class TestTheFormSentAgain:
    def test_is_answered_409_and_changes_nothing(self, desk, cast, newcomer):
        form = {"person": ticket(newcomer, cast.dvb), "output": "screen"}
        desk.post(URL, form)
        before = User.objects.get(pk=newcomer.pk).password
        response = desk.post(URL, form)
        assert response.status_code == 409
        assert "KundenServiceCenter" in response.content.decode()
        assert User.objects.get(pk=newcomer.pk).password == before

    def test_changes_nothing_for_anybody_when_one_of_many_is_stale(self, desk, cast, newcomer):
        stale, fresh = ticket(cast.user, cast.dvb), ticket(newcomer, cast.dvb)
        desk.post(URL, KNOWN | {"person": stale})
        assert desk.post(URL, KNOWN | {"person": [fresh, stale]}).status_code == 409
        assert User.objects.get(pk=newcomer.pk).credential_state == CredentialState.CREATED

    @committed
    def test_sixteen_times_at_once_gives_out_one_password(self):
        cast = the_cast()
        form = KNOWN | {"person": ticket(cast.user, cast.dvb)}
        sessions = [Client() for _each in range(16)]
        for session in sessions:
            session.force_login(cast.dvb)

        def send(session):
            try:
                return session.post(URL, form).status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            answers = sorted(pool.map(send, sessions))
        assert answers == [200] + [409] * 15


class TestAForgedForm:
    @promise("A-01")
    @pytest.mark.parametrize("victim", ["other_user", "other_dvb", "dvb", "deputy", "dsb", "staff"])
    def test_reaches_nobody_but_the_tenants_mailbox_users(self, desk, cast, victim):
        victim = getattr(cast, victim)
        before = victim.password
        assert desk.post(URL, {"person": ticket(victim, cast.dvb)}).status_code == 409
        victim.refresh_from_db()
        assert victim.password == before

    @promise("A-11")
    def test_of_staff_never_reaches_a_mailbox_user(self, cast):
        staff = Client()
        staff.force_login(cast.staff)
        assert staff.post(STAFF_URL, {"person": ticket(cast.user, cast.staff)}).status_code == 409
        assert staff.post(STAFF_URL, KNOWN | {"person": ticket(cast.dvb, cast.staff)}).status_code == 200

    @pytest.mark.parametrize("person", [[], ["x"], ["1:2:3"], [""], ["\0"], ["x" * 10000]])
    def test_with_a_broken_ticket_is_a_bad_request(self, desk, cast, person):
        assert desk.post(URL, {"person": person}).status_code == 400

    def test_with_another_viewers_ticket_is_a_bad_request(self, desk, cast):
        assert desk.post(URL, {"person": ticket(cast.user, cast.other_dvb)}).status_code == 400

    def test_with_too_many_people_is_a_bad_request(self, desk, cast):
        tickets = [ticket(cast.user, cast.dvb, issue=issue) for issue in range(CHUNK + 1)]
        assert desk.post(URL, {"person": tickets}).status_code == 400


class TestManyAtOnce:
    def test_are_confirmed_in_chunks_and_printed_a_page_each(self, desk, cast, monkeypatch):
        monkeypatch.setattr("mailboxes.people_admin.CHUNK", 10)
        Tenant.objects.update(max_mailboxes=1000)
        boxes = [make_mailbox(cast.domain, f"user{number}", password=None) for number in range(13)]
        chosen = {"action": "give_credentials", "_selected_action": [box.pk for box in boxes], "select_across": 0}
        page = desk.post("/desk/mailboxes/mailbox/", chosen).content.decode()
        assert page.count('<form class="card"') == 2
        tickets = re.findall(r'name="person" value="([^"]+)"', page)
        assert len(tickets) == 13
        response = desk.post(URL, {"person": tickets[10:], "output": "letter"})
        assert len(PdfReader(BytesIO(response.content)).pages) == 3

    def test_with_ids_of_another_tenant_give_only_the_own(self, desk, cast):
        chosen = {"action": "give_credentials", "_selected_action": [cast.mailbox.pk, cast.other_mailbox.pk]}
        page = desk.post("/desk/mailboxes/mailbox/", chosen).content.decode()
        assert page.count('name="person"') == 1
