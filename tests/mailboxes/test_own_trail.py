"""Wer war an meinem Postfach: the person's own page, and the trail on the desk in words."""

import re

import pytest
from django.utils import translation

from accounts.models import AuditEvent, AuditNetwork
from accounts.trail_words import details
from tests.cast import CANARY, make_app_password
from tests.client import Client, body
from tests.marks import thorough

pytestmark = thorough
PAGE = "/protokoll/"


@pytest.fixture
def portal(cast):
    client = Client()
    client.force_login(cast.user)
    return client


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


def page(client, query=""):
    return client.get(PAGE + query).content.decode().partition("<table")[2]


class TestThePersonsPage:
    def test_tells_what_others_did_and_what_changed(self, portal, cast):
        cast.mailbox.change(name="Max", language="de", storage_mb=200, delivery="defer", by=cast.dvb)
        cast.user.lock(by=cast.deputy, reason="Handy gestohlen")
        cast.user.unlock(by=cast.staff)
        # The lock has ended the session.
        portal.force_login(cast.user)
        shown = page(portal, "?others")
        assert "Speicherplatz (MB): 100 → 200" in shown
        assert "empfängt Mail → Mail wird zurückgestellt" in shown
        assert "Sprache" not in shown
        assert "Grund: Handy gestohlen" in shown
        assert f"{cast.deputy}" in shown and "Stellvertretung" in shown
        assert f"{cast.staff}" in shown

    def test_shows_networks_of_the_persons_own_deeds_alone(self, portal, cast):
        own, others = (AuditEvent.objects.record("changed", cast.user, by=who) for who in (cast.user, cast.dvb))
        AuditNetwork.objects.create(event=own, ip="192.0.2.7")
        AuditNetwork.objects.create(event=others, ip="198.51.100.9")
        shown = page(portal)
        assert "192.0.2.7" in shown and "198.51.100.9" not in shown

    def test_leaves_the_persons_own_deeds_out_when_asked(self, portal, cast):
        make_app_password(cast.mailbox, "Telefon in der Jacke")
        assert "Telefon in der Jacke" in page(portal)
        assert "Telefon in der Jacke" not in page(portal, "?others")

    def test_shows_nothing_of_anybody_else(self, portal, cast):
        cast.other_user.lock(by=cast.other_dvb, reason=CANARY)
        cast.dvb.lock(by=cast.staff, reason="nicht für Max")
        shown = page(portal)
        assert CANARY not in shown and "nicht für Max" not in shown

    def test_is_turned_over_page_by_page(self, portal, cast):
        for number in range(30):
            AuditEvent.objects.record("changed", cast.user, by=cast.dvb, new={"name": f"Name {number}"})
        assert "Name 29" in page(portal) and "Name 0<" not in page(portal)
        assert "Name 0<" in page(portal, "?page=2")
        for odd in ("?page=99", "?page=x", "?page=-1", "?others=x"):
            assert portal.get(PAGE + odd).status_code == 200

    def test_takes_hostile_text_as_text(self, portal, cast):
        cast.user.lock(by=cast.dvb, reason="<script>alert(1)</script>")
        cast.user.unlock(by=cast.dvb)
        portal.force_login(cast.user)
        assert "<script>alert" not in page(portal) and "alert(1)" in page(portal)

    def test_asks_the_same_few_questions_for_one_and_for_many(self, portal, cast, django_assert_max_num_queries):
        for number in range(30):
            AuditEvent.objects.record("changed", cast.user, by=cast.dvb, new={"name": f"{number}"})
        portal.get(PAGE)
        with django_assert_max_num_queries(9):
            portal.get(PAGE)


class TestTheDesk:
    def test_tells_in_words_what_changed(self, desk, cast):
        cast.mailbox.change(name="Max", language="en", storage_mb=100, delivery="accept", by=cast.dvb)
        listed = desk.get("/desk/accounts/auditevent/").content.decode()
        assert "Sprache: Deutsch → English" in listed
        history = desk.get(f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/history/").content.decode()
        assert "Sprache: Deutsch → English" in history

    @pytest.mark.parametrize("query", ["?days=1", "?role=dvb", "?days=x", "?deed__exact=changed"])
    def test_is_narrowed_by_time_role_and_deed(self, desk, cast, query):
        cast.mailbox.change(name="Max", language="en", storage_mb=100, delivery="accept", by=cast.dvb)
        answer = desk.get(f"/desk/accounts/auditevent/{query}")
        assert answer.status_code == 200
        assert "Sprache: Deutsch → English" in answer.content.decode()

    def test_of_a_role_shows_no_other(self, desk, cast):
        cast.mailbox.change(name="Max", language="en", storage_mb=100, delivery="accept", by=cast.dvb)
        assert "Sprache: Deutsch" not in desk.get("/desk/accounts/auditevent/?role=deputy").content.decode()

    @pytest.mark.parametrize("who", ["dvb", "dsb"])
    def test_is_had_as_a_table_as_it_is_narrowed(self, cast, who):
        cast.mailbox.change(name="=1+1", language="en", storage_mb=100, delivery="accept", by=cast.dvb)
        cast.other_user.lock(by=cast.other_dvb, reason=CANARY)
        client = Client()
        client.force_login(getattr(cast, who))
        made = body(client.post("/desk/accounts/auditevent/export/?deed__exact=changed")).decode()
        assert "Sprache: Deutsch → English" in made and CANARY not in made
        assert ";erstellt;" not in made
        event = AuditEvent.objects.latest("pk")
        assert (event.actor, event.tenant, event.new) == (getattr(cast, who), cast.tenant, {"rows": 1})

    def test_counts_entries(self, desk):
        listed = desk.get("/desk/accounts/auditevent/").content.decode()
        assert re.search(r"\d Einträge\s", listed)


@pytest.mark.parametrize(
    ("about", "kept", "said"),
    [
        ("mailbox", {"state": "waiting"}, "Stand: wartet auf Freigabe oder Zustimmung"),
        ("mailbox", {"outcome": "refused"}, "Ergebnis: vom DVB abgelehnt"),
        ("mailbox", {"keeps_copy": True}, "Kopie im Postfach behalten: ja"),
        ("user", {"kind": "totp"}, "Art: Authenticator-App"),
        ("user", {"valid_until": "2026-12-31"}, "Stellvertretung bis: 31.12.2026"),
        ("user", {"support_until": "2026-12-31 18:05"}, "bis: 31.12.2026 18:05"),
        ("user", {"name": "2026-99-99"}, "Name: 2026-99-99"),
    ],
)
def test_a_value_is_told_as_its_page_tells_it(cast, about, kept, said):
    [told] = details(AuditEvent(object_type=getattr(cast, about)._meta.label_lower, old={}, new=kept))
    with translation.override("de"):
        assert str(told) == said


def test_an_app_password_is_told_by_names(cast):
    make_app_password(cast.mailbox, "Handy")
    event = AuditEvent.objects.get(object_type="mailboxes.apppassword")
    with translation.override("de"):
        assert "erlaubt für: IMAP (Empfangen), SMTP (Senden)" in [str(each) for each in details(event)]


def test_each_event_of_the_cast_can_be_told(cast):
    for event in AuditEvent.objects.all():
        assert all(detail.label for detail in details(event))
