"""Support's room in the staff admin: settings of those who let support look, and nobody else's."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, SupportConsent
from filters.models import Absence, SenderRule, SpamSettings
from filters.own_settings import own_settings
from mailboxes.models import Forward
from tests.cast import CANARY, make_app_password
from tests.client import Client
from tests.marks import thorough

pytestmark = thorough

LIST = "/staff/accounts/supportconsent/"
HOUR = timedelta(hours=1)


@pytest.fixture
def staff(cast):
    client = Client(headers={"accept-language": "en"})
    client.force_login(cast.staff)
    return client


@pytest.fixture
def settled(cast):
    """Something of everything in both tenants' mailboxes."""
    for who, word in ((cast.mailbox, "max"), (cast.other_mailbox, CANARY)):
        own = {"tenant": who.tenant, "mailbox": who}
        Forward.objects.create(target=f"{word}@elsewhere.example", **own)
        SenderRule.objects.create(kind="block", sender=f"{word}@spam.example", **own)
        SpamSettings.objects.create(action="mark", threshold=4, **own)
        Absence.objects.create(is_on=True, subject=f"{word} subject", text=f"{word} text", **own)
        make_app_password(who, f"Phone of {word}")
    return cast


@pytest.fixture
def consent(settled):
    now = timezone.now()
    for number, user in ((432_001, settled.other_user), (432_002, settled.user)):
        # Numbers that stand nowhere else on a page.
        SupportConsent.objects.create(pk=number, user=user, tenant=user.tenant, given_at=now, until=now + HOUR)
    return SupportConsent.objects.give(settled.user, lasting=HOUR)


def page_of(consent):
    return f"{LIST}{consent.pk}/change/"


def looks(user):
    return [event.actor for event in AuditEvent.objects.support_of(user).filter(deed="support_looked")]


class TestTheRoom:
    def test_lists_just_those_who_let_support_look(self, staff, cast):
        assert staff.get(LIST).context["cl"].result_count == 0
        SupportConsent.objects.give(cast.user, lasting=HOUR)
        SupportConsent.objects.give(cast.other_user, lasting=HOUR)
        SupportConsent.objects.filter(user=cast.other_user).update(
            given_at=timezone.now() - 2 * HOUR, until=timezone.now() - HOUR
        )
        shown = staff.get(LIST)
        assert [row.user for row in shown.context["cl"].result_list] == [cast.user]
        assert CANARY not in shown.content.decode()

    def test_shows_the_settings_and_keeps_to_this_person(self, staff, consent):
        shown = staff.get(page_of(consent)).content.decode()
        for word in (
            "max.mustermann@musterdomain.de",
            "info@musterdomain.de",
            "max@elsewhere.example",
            "Phone of max",
        ):
            assert word in shown, word
        assert "mark the subject" in shown and "high" in shown
        assert CANARY not in shown

    def test_shows_no_sender_no_text_and_no_secret(self, staff, consent, settled):
        shown = staff.get(page_of(consent)).content.decode()
        for word in ("max@spam.example", "max subject", "max text", settled.user.password[:20]):
            assert word not in shown, word

    def test_changes_nothing(self, staff, consent):
        for method in (staff.post, staff.put, staff.patch, staff.delete):
            assert method(page_of(consent), {"until": "2099-01-01"}).status_code == 403
        for deed in (f"{consent.pk}/delete/", "add/"):
            assert staff.post(f"{LIST}{deed}", {"post": "yes"}).status_code == 403
        assert staff.post(LIST, {"action": "delete_selected", "_selected_action": [consent.pk]}).status_code < 400
        assert SupportConsent.objects.count() == 2
        assert looks(consent.user) == []


class TestEachLook:
    @pytest.mark.parametrize("method", ["get", "head"])
    def test_is_on_record_before_anything_shows(self, staff, consent, cast, method):
        assert getattr(staff, method)(page_of(consent)).status_code == 200
        assert looks(cast.user) == [cast.staff] and looks(cast.other_user) == []

    def test_comes_too_late_when_the_person_has_just_ended_it(self, consent, cast):
        """The page has found the consent, and then it is gone."""
        SupportConsent.objects.end(cast.user, by=cast.user)
        assert consent.look(by=cast.staff) is False
        assert looks(cast.user) == []


class TestWithoutConsent:
    @pytest.mark.parametrize("how", ["ended", "over"])
    @pytest.mark.parametrize("deed", ["change/", "history/", "delete/", ""])
    def test_a_person_is_answered_like_one_that_never_existed(self, staff, consent, cast, masked, how, deed):
        if how == "ended":
            SupportConsent.objects.end(cast.user, by=cast.user)
        else:
            SupportConsent.objects.filter(pk=consent.pk).update(
                given_at=timezone.now() - 2 * HOUR, until=timezone.now() - HOUR
            )
        gone, never = (staff.get(f"{LIST}{pk}/{deed}", follow=True) for pk in (consent.pk, 987654321))
        assert (gone.status_code, gone.redirect_chain[:1]) == (
            never.status_code,
            never.redirect_chain[:1],
        ) or deed == ""
        assert masked(gone, consent.pk) == masked(never, 987654321)
        assert looks(cast.user) == []

    @pytest.mark.parametrize("how", ["locked", "suspended"])
    def test_a_person_who_could_not_end_it_is_not_looked_at(self, staff, consent, cast, how):
        if how == "locked":
            cast.user.lock(by=cast.dvb)
        else:
            cast.tenant.suspend(by=cast.staff)
        assert [row.user for row in staff.get(LIST).context["cl"].result_list] == [cast.other_user]
        assert staff.get(page_of(consent)).url == "/staff/"
        assert consent.look(by=cast.staff) is False and looks(cast.user) == []

    @pytest.mark.parametrize("who", ["user", "dvb", "deputy", "dsb", "other_dvb"])
    def test_nobody_else_gets_in(self, consent, cast, who):
        client = Client()
        client.force_login(getattr(cast, who))
        assert client.get(LIST).status_code == client.get(page_of(consent)).status_code == 403
        assert looks(cast.user) == []


def test_a_person_without_anything_has_settings_too(cast):
    shown = {row[0]: row[1] for section in own_settings(cast.other_user) for row in section.rows}
    assert "info@kanarienvogel.example" in shown and "max.mustermann@kanarienvogel.example" in shown.values()
