"""Requests for new credentials on the desk, and how it was made sure who asks before they are given out."""

import re

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, RecoveryRequest, StaleCredentials, User
from mailboxes.credentials import Ticket, draw, store
from tests.cast import CANARY, make_mailbox
from tests.client import logged_in
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

LIST = "/desk/accounts/recoveryrequest/"
STAFF_LIST = "/staff/accounts/recoveryrequest/"
GIVE_OUT = "/desk/mailboxes/mailbox/credentials/"


def request_of(person, **fields):
    return RecoveryRequest.objects.create(user=person, tenant=person.tenant, **fields)


@pytest.fixture
def desk(cast):
    return logged_in(cast.dvb)


@pytest.fixture
def asking(cast):
    """A mailbox user whose request is open."""
    return request_of(cast.user)


def give_out(desk, person, viewer, **extra):
    return desk.post(GIVE_OUT, {"person": Ticket(person.pk, person.initial_issues).sign(viewer)} | extra)


class TestTheList:
    def test_shows_who_asks_since_when_and_leads_to_giving_out(self, desk, cast, asking):
        page = desk.get(LIST).content.decode()
        assert cast.user.address in page and cast.user.name in page
        [link] = re.findall(rf'href="({GIVE_OUT}\?id=\d+)"', page)
        assert link == f"{GIVE_OUT}?id={cast.mailbox.pk}"
        assert 'name="identity_check"' in desk.get(link).content.decode()

    def test_has_open_ones_first(self, desk, cast, asking):
        other = make_mailbox(cast.domain, "nina").user
        asking.dismiss(by=cast.dvb)
        later = request_of(other)
        rows = re.findall(r"(nina|max\.mustermann)@musterdomain\.de</a>", desk.get(LIST).content.decode())
        assert rows == ["nina", "max.mustermann"] and later.outcome == "open"

    @promise("A-01")
    def test_knows_only_the_own_mailbox_users(self, cast, asking):
        others = [request_of(person) for person in (cast.other_user, cast.deputy, cast.dsb, cast.other_dvb)]
        for who in (cast.dvb, cast.dsb):
            page = logged_in(who).get(LIST).content.decode()
            assert cast.user.address in page
            assert not [each for each in others if each.user != who and each.user.address in page]
            assert CANARY not in page
        page = logged_in(cast.staff).get(STAFF_LIST).content.decode()
        assert cast.deputy.address in page and cast.other_dvb.address in page
        assert cast.user.address not in page and cast.other_user.address not in page

    def test_leads_staff_to_giving_out_to_a_dvb(self, cast):
        request_of(cast.deputy)
        staff = logged_in(cast.staff)
        [link] = re.findall(
            r'href="(/staff/accounts/user/credentials/\?id=\d+)"', staff.get(STAFF_LIST).content.decode()
        )
        assert link.endswith(f"={cast.deputy.pk}") and staff.get(link).status_code == 200

    def test_costs_the_same_number_of_statements_at_one_and_at_three_rows(self, desk, cast, asking):
        desk.get(LIST)
        with CaptureQueriesContext(connection) as one:
            desk.get(LIST)
        for number in range(2):
            request_of(make_mailbox(cast.domain, f"user{number}").user)
        with CaptureQueriesContext(connection) as three:
            desk.get(LIST)
        assert len(one) == len(three) <= 10

    def test_is_read_only_and_the_dsb_dismisses_nothing(self, cast, asking):
        chosen = {"action": "dismiss_selected", "_selected_action": [asking.pk]}
        dsb = logged_in(cast.dsb)
        assert "dismiss_selected" not in dsb.get(LIST).content.decode()
        dsb.post(LIST, chosen)
        for client in (dsb, logged_in(cast.dvb)):
            assert client.post(f"{LIST}{asking.pk}/change/", {"outcome": "done"}).status_code == 403
        asking.refresh_from_db()
        assert asking.outcome == "open"

    @promise("A-08")
    def test_dismissing_reaches_only_own_rows_and_happens_once(self, desk, cast, asking):
        foreign = request_of(cast.other_user)
        chosen = {"action": "dismiss_selected", "_selected_action": [asking.pk, foreign.pk]}
        for _click in range(2):
            desk.post(LIST, chosen)
        asking.refresh_from_db()
        foreign.refresh_from_db()
        assert (asking.outcome, asking.closed_by, foreign.outcome) == ("dismissed", cast.dvb, "open")
        event = AuditEvent.objects.get(object_type="accounts.recoveryrequest")
        assert (event.actor, event.new, event.tenant) == (cast.dvb, {"outcome": "dismissed"}, cast.tenant)

    @promise("A-09")
    def test_refuses_a_person_of_another_tenant_in_the_database_itself(self, cast):
        with pytest.raises(IntegrityError, match="same_tenant"), transaction.atomic():
            RecoveryRequest.objects.create(user=cast.other_user, tenant=cast.tenant)
            connection.check_constraints()

    def test_holds_one_open_request_of_a_person(self, cast, asking):
        with pytest.raises(IntegrityError, match="one_open"):
            request_of(cast.user)


class TestGivingOutAgain:
    def test_needs_to_know_how_the_person_was_identified(self, desk, cast):
        before = User.objects.get(pk=cast.user.pk)
        for extra in ({}, {"identity_check": ""}, {"identity_check": "telepathy"}, {"identity_check": "other"}):
            response = give_out(desk, cast.user, cast.dvb, **extra)
            assert response.status_code == 422 and 'name="identity_check"' in response.content.decode()
        after = User.objects.get(pk=cast.user.pk)
        assert (after.password, after.initial_issues) == (before.password, before.initial_issues)

    @pytest.mark.parametrize("how", ["in_person", "call_back", "video", "id_card"])
    def test_writes_how_and_by_whom_into_the_trail(self, desk, cast, how):
        assert give_out(desk, cast.user, cast.dvb, identity_check=how).status_code == 200
        event = AuditEvent.objects.get(deed="credentials_issued")
        assert event.new == {
            "issue": 1,
            "identity_check": how,
            "identity_note": "",
            "checked_by": cast.dvb.address,
        }

    def test_otherwise_needs_words(self, desk, cast):
        note = "Er saß neben mir."
        assert give_out(desk, cast.user, cast.dvb, identity_check="other", identity_note="  ").status_code == 422
        assert give_out(desk, cast.user, cast.dvb, identity_check="other", identity_note=note).status_code == 200
        assert AuditEvent.objects.get(deed="credentials_issued").new["identity_note"] == note

    @promise("A-55")
    @pytest.mark.parametrize("note", ["\0", "a\r\nb", "x" * 201, "\u202e", "\ud7ff" * 300])
    def test_refuses_odd_words_calmly(self, desk, cast, note):
        assert give_out(desk, cast.user, cast.dvb, identity_check="other", identity_note=note).status_code in (
            400,
            422,
        )
        assert not AuditEvent.objects.filter(deed="credentials_issued").exists()

    @promise("A-50")
    def test_shows_script_in_the_words_as_text(self, desk, cast):
        note = "<script>alert(1)</script>"
        give_out(desk, cast.user, cast.dvb, identity_check="other", identity_note=note)
        for path in (f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/history/", "/desk/accounts/auditevent/"):
            assert note not in desk.get(path).content.decode()

    def test_closes_the_request(self, desk, cast, asking):
        give_out(desk, cast.user, cast.dvb, identity_check="call_back")
        asking.refresh_from_db()
        assert (asking.outcome, asking.closed_by) == ("done", cast.dvb)
        assert asking.closed_at <= timezone.now()

    def test_of_a_chosen_password_asks_in_every_chunk_only_where_somebody_needs_it(self, desk, cast):
        fresh = make_mailbox(cast.domain, "nina.neu", password=None)
        chosen = {"action": "give_credentials", "_selected_action": [fresh.pk]}
        assert "identity_check" not in desk.post("/desk/mailboxes/mailbox/", chosen).content.decode()
        chosen["_selected_action"].append(cast.mailbox.pk)
        assert desk.post("/desk/mailboxes/mailbox/", chosen).content.decode().count('name="identity_check"') == 1


class TestTheFirstGivingOut:
    def test_asks_nothing(self, desk, cast):
        fresh = make_mailbox(cast.domain, "nina.neu", password=None).user
        assert give_out(desk, fresh, cast.dvb).status_code == 200
        assert AuditEvent.objects.get(deed="credentials_issued").new == {"issue": 1}

    def test_asks_where_somebody_asked_from_outside(self, desk, cast):
        fresh = make_mailbox(cast.domain, "nina.neu", password=None).user
        request_of(fresh)
        assert give_out(desk, fresh, cast.dvb).status_code == 422

    def test_stores_nothing_when_that_request_came_at_the_last_moment(self, cast):
        fresh = make_mailbox(cast.domain, "nina.neu", password=None).user
        drawn = draw([Ticket(fresh.pk, 0)], User.objects.may_get_credentials_from(cast.dvb))
        request_of(fresh)
        with pytest.raises(StaleCredentials):
            store(drawn, by=cast.dvb)
        assert not User.objects.get(pk=fresh.pk).has_usable_password()
