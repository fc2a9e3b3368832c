"""A lost phone: the DVB, staff or a command take the second factors away, on record and with a chance to object."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import AuditEvent, Factor, OutboxMessage, Tenant, User
from tests.cast import add_app, app_code
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

CHECK = {"identity_check": "in_person", "identity_note": ""}


@pytest.fixture
def path(cast):
    add_app(cast.user)
    Factor.objects.draw_codes(cast.user, by=cast.user)
    return f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/factors/"


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


def factors(user):
    return user.factors.count()


def told(user):
    letters = OutboxMessage.objects.filter(kind="email", payload__to=user.address).order_by("pk")
    return list(letters.values_list("payload__subject", flat=True))[-1]


class TestTheDVB:
    def test_takes_them_away_at_once_and_it_is_on_record(self, desk, cast, path):
        session = Client()
        session.force_login(cast.user)
        assert "Zweite Faktoren entfernen" in desk.get(path.replace("factors", "change")).content.decode()
        assert desk.get(path).status_code == 200
        assert desk.post(path, CHECK).url.endswith("/change/")
        assert factors(cast.user) == 0
        event = AuditEvent.objects.get(deed="factors_removed")
        assert (event.actor, event.new) == (cast.dvb, CHECK)
        assert told(cast.user) == "Ihre zweiten Faktoren wurden entfernt"
        assert session.get("/").status_code == 302
        assert User.objects.get(pk=cast.user.pk).mail_password_enabled

    def test_must_say_how_it_was_made_sure_who_asks(self, desk, cast, path):
        for form in ({}, {"identity_check": "other"}, {"identity_check": "x"}):
            assert desk.post(path, form).status_code == 422
        assert factors(cast.user) == 2

    @promise("A-01")
    def test_does_so_for_nobody_elses_people(self, cast, path):
        stranger = Client()
        stranger.force_login(cast.other_dvb)
        assert stranger.post(path, CHECK).status_code == 404
        assert factors(cast.user) == 2

    @promise("A-11")
    def test_does_so_for_no_colleague(self, desk, cast):
        for site in ("desk", "staff"):
            assert desk.post(f"/{site}/accounts/user/{cast.deputy.pk}/factors/", CHECK).status_code in (403, 404)
        assert factors(cast.deputy) == 1

    def test_waits_where_the_customer_wants_it_and_the_person_can_object(self, desk, cast, path):
        Tenant.objects.filter(pk=cast.tenant.pk).update(factor_removal_hours=24)
        desk.post(path, CHECK)
        assert factors(cast.user) == 2 and told(cast.user) == "Ihre zweiten Faktoren werden entfernt"
        call_command("worker", "--once")
        assert factors(cast.user) == 2
        owner = Client()
        owner.force_login(cast.user)
        assert "Das war nicht ich" in owner.get("/").content.decode()
        owner.post("/zwei-faktor/behalten/")
        OutboxMessage.objects.filter(kind="remove_factors").update(due=timezone.now())
        call_command("worker", "--once")
        assert factors(cast.user) == 2
        assert "Das war nicht ich" not in owner.get("/").content.decode()

    def test_has_it_done_when_the_pause_is_over(self, desk, cast, path):
        Tenant.objects.filter(pk=cast.tenant.pk).update(factor_removal_hours=24)
        desk.post(path, CHECK)
        past = timezone.now() - timedelta(seconds=1)
        OutboxMessage.objects.filter(kind="remove_factors").update(due=past)
        User.objects.filter(pk=cast.user.pk).update(factors_end_at=past)
        call_command("worker", "--once")
        assert factors(cast.user) == 0


class TestTheStaff:
    def test_help_a_dvb_who_then_sets_up_a_new_one(self, cast):
        staff, dvb = Client(), Client()
        staff.force_login(cast.staff)
        assert staff.post(f"/staff/accounts/user/{cast.dvb.pk}/factors/", CHECK).status_code == 302
        dvb.force_login(cast.dvb)
        assert dvb.get("/desk/").url == "/zwei-faktor/"

    def test_are_helped_by_a_command(self, cast, capsys):
        call_command("remove_factors", "Staff@hoster.example", checked="met at the office")
        assert factors(cast.staff) == 0
        event = AuditEvent.objects.get(deed="factors_removed")
        assert event.new == {"identity_check": "command", "identity_note": "met at the office"}
        for nobody in ("dvb@musterdomain.de", "nobody@hoster.example", ""):
            with pytest.raises(CommandError):
                call_command("remove_factors", nobody, checked="x")


class TestTheCoverage:
    def test_says_who_has_what_since_when(self, desk, cast):
        page = "/desk/mailboxes/mailbox/"
        assert "Authenticator-App" not in desk.get(page).content.decode()
        add_app(cast.user)
        shown = desk.get(page).content.decode()
        assert f"Authenticator-App seit {timezone.localdate().day}." in shown
        assert cast.user.address in desk.get(page + "?factor=yes").content.decode()
        assert cast.user.address not in desk.get(page + "?factor=no").content.decode()
        assert desk.get(page + "?factor=nonsense").status_code == 200

    def test_of_a_code_on_paper_is_none(self, cast):
        add_app(cast.user)
        assert app_code(cast.user)
        Factor.objects.draw_codes(cast.user, by=None)
        cast.user.factors.devices().get().remove(by=cast.user)
        assert not cast.user.factors.exists()
