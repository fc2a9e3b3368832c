"""Support-Zugriff in the portal: allowed for a time, shown while it is open, ended, and on record."""

from datetime import timedelta
from urllib.parse import unquote

import pytest
import time_machine
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import AuditEvent, SupportConsent, User
from tests.cast import CANARY
from tests.client import Client
from tests.marks import thorough

pytestmark = thorough

PAGE, ALLOW, END = "/support-zugriff/", "/support-zugriff/erlauben/", "/support-zugriff/beenden/"
BANNER = "Support can see your settings until"


@pytest.fixture
def portal(cast):
    client = Client(headers={"accept-language": "en"})
    client.force_login(cast.user)
    return client


def deeds(user):
    return [(event.deed, event.actor) for event in AuditEvent.objects.support_of(user)]


class TestAllowing:
    @pytest.mark.parametrize("hours", [1, 168])
    def test_lasts_as_long_as_was_chosen(self, portal, cast, hours):
        assert portal.post(ALLOW, {"lasting": hours}).url == PAGE
        consent = SupportConsent.objects.get()
        assert (consent.user, consent.tenant) == (cast.user, cast.tenant)
        assert consent.until - consent.given_at == timedelta(hours=hours)
        assert deeds(cast.user) == [("support_allowed", cast.user)]

    @pytest.mark.parametrize("hours", ["", "0", "-1", "2", "169", "999999999999", "x", "1e9"])
    def test_lasts_no_other_time(self, portal, hours):
        assert portal.post(ALLOW, {"lasting": hours}).status_code == 422
        assert not SupportConsent.objects.exists()

    def test_asks_first_who_sits_there(self, portal):
        session = portal.session
        session["proved"] = 0
        session.save()
        for answer in (portal.get(ALLOW), portal.post(ALLOW, {"lasting": 1})):
            assert unquote(answer.url) == f"/anmelden/bestaetigen/?next={ALLOW}"
        assert not SupportConsent.objects.exists()

    def test_again_counts_from_now_and_there_is_one(self, portal):
        portal.post(ALLOW, {"lasting": 168})
        portal.post(ALLOW, {"lasting": 1})
        consent = SupportConsent.objects.get()
        assert consent.until < timezone.now() + timedelta(hours=1, minutes=1)

    def test_is_for_oneself_whatever_the_form_says(self, portal, cast):
        portal.post(ALLOW, {"lasting": 1, "user": cast.other_user.pk, "tenant": cast.other_tenant.pk})
        assert SupportConsent.objects.get().user == cast.user

    def test_says_what_support_will_see(self, portal):
        for page in (PAGE, ALLOW):
            assert "Support never sees your mail, and never a password." in portal.get(page).content.decode()


class TestWhileItIsOpen:
    def test_every_page_says_so_and_can_end_it(self, portal, cast):
        pages = ("/", PAGE, ALLOW, "/protokoll/", "/app-passwoerter/", "/einrichtung/", "/passwort/aendern/")
        assert all(BANNER not in portal.get(page).content.decode() for page in pages)
        SupportConsent.objects.give(cast.user, lasting=timedelta(hours=4))
        for page in pages:
            shown = portal.get(page).content.decode()
            assert BANNER in shown and f'action="{END}"' in shown, page
        portal.force_login(cast.other_user)
        assert BANNER not in portal.get("/").content.decode()

    def test_it_is_over_with_its_time_and_no_job_is_needed(self, portal, cast):
        SupportConsent.objects.give(cast.user, lasting=timedelta(hours=1))
        with time_machine.travel(timezone.now() + timedelta(minutes=59), tick=False):
            assert SupportConsent.objects.visible_to(cast.staff).exists()
        with time_machine.travel(timezone.now() + timedelta(minutes=61), tick=False):
            assert not SupportConsent.objects.visible_to(cast.staff).exists()
            assert User.objects.for_sign_in().get(pk=cast.user.pk).support_until is None
            call_command("worker", once=True)
        assert not SupportConsent.objects.exists()

    def test_the_person_ends_it_at_any_time_without_being_asked_anything(self, portal, cast):
        SupportConsent.objects.give(cast.user, lasting=timedelta(days=7))
        session = portal.session
        session["proved"] = 0
        session.save()
        assert portal.get(END).status_code == 405
        for _time in range(2):
            assert portal.post(END).url == PAGE
        assert not SupportConsent.objects.exists()
        assert deeds(cast.user) == [("support_ended", cast.user), ("support_allowed", cast.user)]

    def test_nobody_ends_or_sees_anothers(self, portal, cast):
        SupportConsent.objects.give(cast.other_user, lasting=timedelta(days=1))
        portal.post(END)
        assert SupportConsent.objects.get().user == cast.other_user
        for viewer in (cast.user, cast.dvb, cast.dsb, cast.other_dvb):
            assert not SupportConsent.objects.visible_to(viewer).exists()

    def test_it_ends_when_the_login_may_pass_to_somebody_else(self, cast):
        SupportConsent.objects.give(cast.user, lasting=timedelta(days=7))
        _password, encoded = cast.user.draw_initial_password()
        cast.user.issue_initial_password(encoded, by=cast.dvb, issue=0, at=timezone.now())
        assert not SupportConsent.objects.exists()
        assert deeds(cast.user)[0] == ("support_ended", cast.dvb)


class TestAfterwards:
    def test_the_person_the_dvb_and_the_dsb_read_who_looked(self, portal, cast):
        SupportConsent.objects.give(cast.user, lasting=timedelta(hours=1)).look(by=cast.staff)
        SupportConsent.objects.give(cast.other_user, lasting=timedelta(hours=1))
        for page in (PAGE, "/protokoll/"):
            shown = portal.get(page).content.decode()
            assert "settings looked at by support" in shown and str(cast.staff) in shown and CANARY not in shown
        for person in (cast.dvb, cast.dsb):
            portal.force_login(person)
            trail = portal.get("/desk/accounts/auditevent/").content.decode()
            assert "settings looked at by support" in trail and str(cast.staff) in trail


class TestTheTable:
    @pytest.mark.parametrize("lasting", [timedelta(0), timedelta(days=7, seconds=1), timedelta(days=-1)])
    def test_holds_no_time_that_nobody_may_choose(self, cast, lasting):
        with pytest.raises(IntegrityError, match="a_week_at_most"), transaction.atomic():
            SupportConsent.objects.give(cast.user, lasting=lasting)

    def test_holds_nobody_of_another_tenant(self, cast):
        SupportConsent.objects.give(cast.user, lasting=timedelta(hours=1))
        with pytest.raises(IntegrityError, match="same_tenant"), transaction.atomic():
            SupportConsent.objects.update(tenant=cast.other_tenant)
            connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
