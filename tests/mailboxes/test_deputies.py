"""Deputies of the DVB: appointed on the desk, for some time, and by nobody who is one."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Deputy, User
from mailboxes.credentials import Ticket
from tests.cast import CANARY, PASSWORD, make_mailbox
from tests.client import Client
from tests.marks import thorough

pytestmark = thorough
ROOM = "/desk/accounts/deputy/"
TODAY = timezone.localdate()


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def colleague(cast):
    return make_mailbox(cast.domain, "erika.mustermann", name="Erika Mustermann").user


def form(person, days=14):
    return {"address": str(person), "valid_until": (timezone.localdate() + timedelta(days=days)).isoformat()}


def text(response):
    return response.content.decode()


class TestTheDVB:
    def test_appoints_a_colleague_who_gets_credentials_and_works_on_the_desk(self, desk, cast, colleague, log_in):
        assert desk.post(f"{ROOM}add/", form(colleague)).status_code == 302
        deputy = Deputy.objects.get(address=colleague.address)
        assert (deputy.name, deputy.tenant, deputy.area) == ("Erika Mustermann", cast.tenant, "ksc")
        page = text(desk.post(f"{ROOM}credentials/", {"person": Ticket(deputy.pk, 0).sign(cast.dvb)}))
        deputy.refresh_from_db()
        assert deputy.initial_password
        client = Client()
        password = page.partition('<span class="mono password">')[2].partition("<")[0]
        assert log_in(client, deputy, password=password).status_code == 302
        # The mailbox's own login has its own password still.
        assert User.objects.get(pk=colleague.pk).is_current_password(PASSWORD)

    def test_changes_the_last_day_and_it_is_on_record(self, desk, cast):
        day = TODAY + timedelta(days=100)
        desk.post(f"{ROOM}{cast.deputy.pk}/change/", {"valid_until": day.isoformat()})
        assert User.objects.get(pk=cast.deputy.pk).valid_until == day
        event = AuditEvent.objects.filter(deed="changed", object_id=cast.deputy.pk).get()
        assert event.old == {"valid_until": str(cast.deputy.valid_until)}
        assert event.new == {"valid_until": str(day)}

    def test_ends_a_login_at_once_by_locking_it(self, desk, cast):
        session = Client()
        session.force_login(cast.deputy)
        assert session.get("/desk/").status_code == 200
        desk.post(f"{ROOM}{cast.deputy.pk}/lock/", {"reason": "ausgeschieden"})
        assert session.get("/desk/").status_code == 302

    def test_sees_who_is_over_and_brings_them_back(self, desk, cast):
        assert "(vorbei)" in text(desk.get(ROOM))
        desk.post(f"{ROOM}{cast.expired_deputy.pk}/change/", {"valid_until": TODAY.isoformat()})
        assert "(vorbei)" not in text(desk.get(ROOM))

    @pytest.mark.parametrize("days", [-1, 367, 40_000])
    def test_chooses_no_day_that_is_over_or_too_far_away(self, desk, cast, colleague, days):
        assert "Wählen Sie einen letzten Tag" in text(desk.post(f"{ROOM}add/", form(colleague, days)))
        assert not User.objects.filter(area="ksc", address=colleague.address).exists()
        answer = desk.post(f"{ROOM}{cast.deputy.pk}/change/", form(colleague, days))
        assert "Wählen Sie einen letzten Tag" in text(answer)
        assert User.objects.get(pk=cast.deputy.pk).valid_until == cast.deputy.valid_until

    def test_appoints_nobody_twice(self, desk, colleague):
        desk.post(f"{ROOM}add/", form(colleague))
        assert "bereits einen Zugang" in text(desk.post(f"{ROOM}add/", form(colleague)))
        assert Deputy.objects.filter(address=colleague.address).count() == 1

    @pytest.mark.parametrize("address", [f"max.mustermann@{CANARY}.example", "a@b", "", "nobody@musterdomain.de"])
    def test_appoints_nobody_without_a_mailbox_here(self, desk, address):
        before = User.objects.count()
        answer = desk.post(f"{ROOM}add/", {"address": address, "valid_until": TODAY.isoformat()})
        assert answer.status_code == 200
        assert User.objects.count() == before

    def test_cannot_forge_a_role_or_a_tenant(self, desk, cast, colleague):
        forged = {"role": "staff", "tenant": cast.other_tenant.pk, "area": "mailbox"}
        desk.post(f"{ROOM}add/", form(colleague) | forged)
        deputy = User.objects.get(area="ksc", address=colleague.address)
        assert (deputy.role, deputy.tenant) == ("dvb", cast.tenant)


class TestADeputy:
    @pytest.fixture
    def deputy(self, cast):
        client = Client()
        client.force_login(cast.deputy)
        return client

    def test_sees_who_the_others_are(self, deputy, cast):
        assert str(cast.expired_deputy) in text(deputy.get(ROOM))

    def test_prolongs_nobody_and_appoints_nobody(self, deputy, cast, colleague):
        path = f"{ROOM}{cast.deputy.pk}/"
        assert deputy.post(f"{ROOM}add/", form(colleague)).status_code == 403
        assert deputy.post(f"{path}change/", {"valid_until": "2027-01-01"}).status_code == 403
        assert deputy.post(f"{path}lock/").status_code == 403
        assert deputy.post(f"{path}unlock/").status_code == 403
        assert deputy.get(f"{ROOM}credentials/", {"id": cast.expired_deputy.pk}).status_code == 403
        assert not User.objects.filter(area="ksc", address=colleague.address).exists()

    @pytest.mark.parametrize("room", [ROOM, "/desk/mailboxes/mailbox/"])
    def test_gives_no_deputy_credentials(self, deputy, cast, room):
        ticket = Ticket(cast.expired_deputy.pk, 0).sign(cast.deputy)
        assert deputy.post(f"{room}credentials/", {"person": ticket}).status_code in (403, 409)
        assert not User.objects.get(pk=cast.expired_deputy.pk).initial_password

    def test_stands_in_the_trail_as_deputy(self, deputy, cast):
        deputy.post(f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/lock/")
        assert AuditEvent.objects.get(deed="locked").actor_role == "deputy"


def test_nobody_gives_the_dvb_credentials_on_the_desk(desk, cast):
    for room in (ROOM, "/desk/mailboxes/mailbox/"):
        answer = desk.post(f"{room}credentials/", {"person": Ticket(cast.dvb.pk, 0).sign(cast.dvb)})
        assert answer.status_code == 409
