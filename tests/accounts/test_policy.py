"""What a customer decides about second factors and mail passwords."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import AuditEvent, OutboxMessage, Tenant, User
from accounts.policy import announce_app_passwords, settle_mail_passwords
from tests.cast import add_app
from tests.client import Client

POLICY = "/desk/accounts/policy/{}/change/"


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


def opens_mail(user):
    return User.objects.get(pk=user.pk).mail_password_enabled


def save(client, tenant, **form):
    unchanged = {
        "second_factor": "free",
        "second_factor_from": "",
        "factor_removal_hours": 0,
        "app_passwords_from": "",
        "forwards_outside": "approval",
    }
    return client.post(POLICY.format(tenant.pk), unchanged | form)


def close_mail_passwords(client, tenant, *, days=3, **form):
    """Let the day come from which on the tenant wants app passwords; what is due then is done."""
    day = timezone.localdate() + timedelta(days=days)
    answer = save(client, tenant, app_passwords_from=day.isoformat(), **form)
    with time_machine.travel(timezone.now() + timedelta(days=days), tick=False):
        due = OutboxMessage.objects.filter(kind="settle_mail_passwords", due__lte=timezone.now(), done_at=None)
        for message in due.exclude(due__lt=timezone.now() - timedelta(days=1)):
            settle_mail_passwords(**message.payload)
    return answer


class TestTheDVB:
    def test_closes_the_password_for_mail_programs_of_all_on_a_day_and_opens_it_again(self, desk, cast):
        OutboxMessage.objects.all().delete()
        assert close_mail_passwords(desk, cast.tenant).status_code == 302
        assert not opens_mail(cast.user) and opens_mail(cast.other_user)
        kicked = OutboxMessage.objects.filter(kind="end_mail_sessions").values_list("payload__address", flat=True)
        assert list(kicked) == [cast.user.address]
        save(desk, cast.tenant)
        assert opens_mail(cast.user)
        assert AuditEvent.objects.filter(deed="changed", object_type="accounts.tenant").count() == 2

    def test_closes_it_not_before_people_were_told(self, desk, cast):
        OutboxMessage.objects.all().delete()
        soon, later = (timezone.localdate() + timedelta(days=days) for days in (2, 9))
        assert "Geben Sie den Leuten Zeit" in save(desk, cast.tenant, app_passwords_from=soon).content.decode()
        save(desk, cast.tenant, app_passwords_from=later)
        assert opens_mail(cast.user)
        announce_app_passwords(cast.tenant.pk)
        told = OutboxMessage.objects.get(kind="email").payload
        assert told["to"] == cast.user.address and "App-Passw" in told["text"] and f"{later.day}." in told["text"]
        home = Client()
        home.force_login(cast.user)
        assert "öffnet Ihr Passwort keine Mailprogramme mehr" in home.get("/").content.decode()
        assert save(desk, cast.tenant, app_passwords_from=later).status_code == 302
        settle_mail_passwords(cast.tenant.pk)
        assert opens_mail(cast.user)

    def test_has_one_page_for_that(self, desk, cast):
        assert desk.get("/desk/accounts/policy/").url == POLICY.format(cast.tenant.pk)

    def test_opens_it_for_nobody_with_an_initial_password_or_a_second_factor(self, desk, cast):
        close_mail_passwords(desk, cast.tenant)
        User.objects.filter(pk=cast.user.pk).update(initial_password=True)
        save(desk, cast.tenant)
        assert not opens_mail(cast.user)
        User.objects.filter(pk=cast.user.pk).update(initial_password=False)
        add_app(cast.user)
        save(desk, cast.tenant)
        assert not opens_mail(cast.user)

    def test_must_say_from_which_day_on(self, desk, cast):
        assert "ab welchem Tag" in save(desk, cast.tenant, second_factor="from_date").content.decode()
        day = timezone.localdate() + timedelta(days=14)
        save(desk, cast.tenant, second_factor="from_date", second_factor_from=day.strftime("%d.%m.%Y"))
        assert Tenant.objects.get(pk=cast.tenant.pk).second_factor_from == day

    def test_sets_nothing_else_and_nobody_elses(self, desk, cast):
        save(desk, cast.tenant, max_mailboxes="999", name="x", status="suspended")
        save(desk, cast.other_tenant, second_factor="required")
        tenant, other = Tenant.objects.get(pk=cast.tenant.pk), Tenant.objects.get(pk=cast.other_tenant.pk)
        assert (tenant.max_mailboxes, tenant.name, tenant.status) == (50, "Musterfirma", "active")
        assert other.second_factor == "free"


class TestAPasswordChange:
    def test_leaves_the_mail_password_closed_where_it_is(self, cast):
        cast.tenant.app_passwords_from = timezone.localdate()
        cast.tenant.save()
        User.objects.get(pk=cast.user.pk).change_password("Neun Otter singen 5 Lieder!", by=cast.user)
        assert not opens_mail(cast.user)

    def test_opens_it_after_the_initial_password(self, cast):
        User.objects.filter(pk=cast.user.pk).update(initial_password=True, mail_password_enabled=False)
        User.objects.get(pk=cast.user.pk).change_password("Neun Otter singen 5 Lieder!", by=cast.user)
        assert opens_mail(cast.user)


class TestAReminder:
    def test_stands_on_the_home_page_until_the_day(self, client, cast):
        client.force_login(cast.user)
        assert "brauchen Sie" not in client.get("/").content.decode()
        day = timezone.localdate() + timedelta(days=9)
        Tenant.objects.filter(pk=cast.tenant.pk).update(second_factor="from_date", second_factor_from=day)
        page = client.get("/").content.decode()
        assert "brauchen Sie einen zweiten Faktor" in page
        add_app(cast.user)
        client.force_login(cast.user)
        assert "brauchen Sie einen zweiten Faktor" not in client.get("/").content.decode()
