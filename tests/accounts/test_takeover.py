"""What somebody keeps who has got hold of something, once the owner or a helper acts: nothing."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from accounts import factor_removal
from accounts.models import AuditNetwork, Brake, Factor, KnownPlace, OutboxMessage, RecoveryAddress, Tenant, User
from mailboxes.models import AppPassword
from tests.accounts.test_factors import factor_step, is_in, password_step
from tests.cast import PASSWORD, add_app, app_code, make_app_password
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough
CHECK = {"identity_check": "in_person", "identity_note": ""}
NEW = "Fünf Falken fliegen 5 Mal!"
THIEF = "203.0.113.9"


def reissue(user, by):
    user = User.objects.get(pk=user.pk)
    _password, encoded = user.draw_initial_password()
    user.issue_initial_password(encoded, by=by, issue=user.initial_issues, at=timezone.now(), check=CHECK)


def change(user, by):
    User.objects.get(pk=user.pk).change_password(NEW, by=user)


def lock_for_a_moment(user, by):
    user = User.objects.get(pk=user.pk)
    user.lock(by=by)
    user.unlock(by=by)


def suspend_for_a_moment(user, by):
    user.tenant.suspend(by=by)
    user.tenant.resume(by=by)


def end_all_others(user, by):
    user.sessions.all().delete()


def stale(client):
    session = client.session
    session["proved"] = 0
    session.save()


def told(kind="email"):
    return [message.payload["subject"] for message in OutboxMessage.objects.filter(kind=kind)]


@pytest.fixture
def user(cast):
    return cast.user


@pytest.mark.parametrize("deed", [reissue, change, lock_for_a_moment, suspend_for_a_moment, end_all_others])
class TestASession:
    def test_that_waits_for_the_second_factor_is_over(self, cast, user, deed):
        add_app(user)
        thief = Client()
        assert "Einmalcode" in password_step(thief, user).content.decode()
        deed(user, cast.dvb)
        assert factor_step(thief, app_code(user)).url == "/anmelden/" and not is_in(thief)

    @promise("A-28")
    def test_that_was_open_is_over_for_good(self, cast, user, deed):
        thief = Client()
        thief.force_login(user)
        deed(user, cast.dvb)
        assert thief.get("/").status_code == 302
        assert not user.sessions.exists()


def test_a_session_that_waits_is_not_shown_as_one_that_is_open(cast, user, client):
    add_app(user)
    password_step(Client(), user)
    client.force_login(user)
    assert len(client.get("/anmeldungen/").context["sessions"]) == 1


def test_whoever_ends_their_own_session_logs_in_again(user, client, log_in):
    log_in(client, user)
    answer = client.post("/anmeldungen/beenden/", {"number": client.session["number"]})
    assert (answer.status_code, answer.url) == (302, "/anmelden/")


class TestGivingOutAgain:
    def test_ends_app_passwords_for_good_and_forgets_networks(self, cast, user):
        make_app_password(cast.mailbox)
        KnownPlace.objects.greet(user, ip=THIEF, device="x")
        reissue(user, cast.dvb)
        assert not AppPassword.objects.kept().filter(mailbox=cast.mailbox).exists()
        assert not user.places.exists()

    def test_is_told_where_the_person_was_reached_before(self, cast, user):
        user.recovery_addresses.create(address="max@elsewhere.example", verified_at=timezone.now())
        OutboxMessage.objects.all().delete()
        reissue(user, cast.dvb)
        sent = [m.payload["to"] for m in OutboxMessage.objects.filter(kind="email", payload__subject__icontains="Zug")]
        assert sorted(sent) == ["max.mustermann@musterdomain.de", "max@elsewhere.example"]

    def test_for_the_first_time_tells_nobody(self, cast, user):
        User.objects.filter(pk=user.pk).update(password_changed_at=None)
        OutboxMessage.objects.all().delete()
        reissue(user, cast.dvb)
        assert told() == []


class TestTheRemovalOfFactors:
    @pytest.fixture(autouse=True)
    def pause(self, cast, user):
        Tenant.objects.filter(pk=cast.tenant.pk).update(factor_removal_hours=24)
        add_app(user)

    @pytest.fixture
    def desk(self, cast, client):
        client.force_login(cast.dvb)
        return client

    def ask(self, desk, cast):
        return desk.post(f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/factors/", CHECK)

    def over(self):
        past = timezone.now() - timedelta(minutes=1)
        User.objects.filter(factors_end_at__isnull=False).update(factors_end_at=past)
        OutboxMessage.objects.update(due=past)
        call_command("worker", "--once")

    def test_cannot_be_hastened_by_a_shorter_pause(self, cast, desk):
        policy = {"second_factor": "free", "second_factor_from": "", "app_passwords_from": ""}
        policy |= {"forwards_outside": "approval"}
        url = f"/desk/accounts/policy/{cast.tenant.pk}/change/"
        page = desk.post(url, policy | {"factor_removal_hours": "0"})
        assert "Verkürzen kann sie unser Support" in page.content.decode()
        assert desk.post(url, policy | {"factor_removal_hours": "48"}).status_code == 302
        assert Tenant.objects.get(pk=cast.tenant.pk).factor_removal_hours == 48

    @pytest.mark.parametrize("deed", [reissue, lock_for_a_moment, lambda user, by: add_more(user)])
    def test_is_called_off_by_what_keeps_the_person_from_objecting_or_shows_they_are_there(
        self, cast, user, desk, deed
    ):
        self.ask(desk, cast)
        assert User.objects.get(pk=user.pk).factors_end_at
        deed(user, cast.dvb)
        self.over()
        assert user.factors.devices().exists()

    def test_needs_a_factor(self, cast, user, desk):
        user.factors.all().delete()
        page = desk.post(f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/factors/", CHECK, follow=True)
        assert "hat keinen zweiten Faktor" in page.content.decode()
        assert User.objects.get(pk=user.pk).factors_end_at is None

    def test_asks_the_row_itself_whether_it_is_still_wanted(self, cast, user):
        User.objects.filter(pk=user.pk).update(factors_end_at=timezone.now())
        with transaction.atomic():
            factor_removal.carry_out(user.pk)
            with connection.cursor() as cursor:
                cursor.execute("SELECT mode FROM pg_locks WHERE relation = 'accounts_user'::regclass")
                assert ("RowShareLock",) in cursor.fetchall()
        assert not user.factors.exists()

    def test_of_staff_is_a_command_alone(self, cast, client):
        client.force_login(cast.staff)
        assert client.post(f"/staff/accounts/user/{cast.staff.pk}/factors/", CHECK).status_code == 403
        assert cast.staff.factors.exists()


def add_more(user):
    Factor.objects.add(user, Factor.Kind.YUBIKEY, name="x", identifier="cccc", by=user)


class TestAnOldSession:
    @pytest.mark.parametrize("path", ["/wiederherstellung/", "/wiederherstellung/entfernen/"])
    def test_changes_no_recovery_address(self, user, client, path):
        add_app(user)
        client.force_login(user)
        stale(client)
        form = {"address": "thief@evil.example", "current_password": PASSWORD}
        assert client.post(path, form).url.startswith("/anmelden/bestaetigen/")
        assert not RecoveryAddress.objects.exists()

    @pytest.mark.parametrize("deed", ["{}/factors/", "credentials/"])
    def test_of_staff_takes_over_no_colleague(self, cast, client, deed):
        client.force_login(cast.staff)
        stale(client)
        path = f"/staff/accounts/user/{deed.format(cast.dvb.pk)}"
        assert client.post(path, CHECK).url.startswith("/anmelden/bestaetigen/")

    def test_of_a_dvb_removes_no_factor(self, cast, client):
        client.force_login(cast.dvb)
        stale(client)
        path = f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/factors/"
        assert client.post(path, CHECK).url.startswith("/anmelden/bestaetigen/")


class TestAFormOfStaff:
    @pytest.fixture
    def staff(self, cast, client):
        client.force_login(cast.staff)
        return client

    @promise("A-40")
    def test_writes_over_nothing_that_happened_meanwhile(self, cast, staff, monkeypatch):
        def meanwhile(form):
            person = User.objects.get(pk=cast.dvb.pk)
            person.change_password(NEW, by=person)
            person.lock(by=cast.staff)
            return form.cleaned_data["name"]

        monkeypatch.setattr("accounts.forms.PersonForm.clean_name", meanwhile, raising=False)
        fields = {"name": "Neu", "language": "de", "valid_until": ""}
        assert staff.post(f"/staff/accounts/user/{cast.dvb.pk}/change/", fields).status_code == 302
        person = User.objects.get(pk=cast.dvb.pk)
        assert (person.name, person.is_locked, person.is_current_password(NEW)) == ("Neu", True, True)

    def test_of_a_customer_lifts_no_suspension(self, cast, staff, monkeypatch):
        monkeypatch.setattr("accounts.forms.TenantForm.save_logo", lambda form: None)

        def meanwhile(form):
            Tenant.objects.get(pk=cast.tenant.pk).suspend(by=cast.staff)

        monkeypatch.setattr("accounts.forms.TenantForm.clean_logo", meanwhile)
        page = staff.get(f"/staff/accounts/tenant/{cast.tenant.pk}/change/")
        fields = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
        answer = staff.post(f"/staff/accounts/tenant/{cast.tenant.pk}/change/", fields | {"name": "Neu GmbH"})
        assert answer.status_code == 302
        tenant = Tenant.objects.get(pk=cast.tenant.pk)
        assert (tenant.name, tenant.status) == ("Neu GmbH", "suspended")


class TestABackupCode:
    @promise("A-18")
    def test_that_was_used_is_told_with_how_many_are_left(self, user, client):
        add_app(user)
        codes = Factor.objects.draw_codes(user, by=user)
        OutboxMessage.objects.all().delete()
        password_step(client, user)
        factor_step(client, codes[0])
        assert is_in(client)
        assert "Ein Ersatz-Code wurde benutzt" in told()
        assert "9 Codes" in OutboxMessage.objects.get(payload__subject__icontains="Ersatz").payload["text"]

    def test_that_opened_the_session_may_draw_new_ones_and_stay(self, user, client):
        add_app(user)
        codes = Factor.objects.draw_codes(user, by=user)
        password_step(client, user)
        factor_step(client, codes[0])
        client.post("/zwei-faktor/ersatz-codes/")
        assert client.get("/").status_code == 200


class TestAStranger:
    def test_uses_up_no_link_of_the_owner(self, cast, user, mailoutbox, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        user.recovery_addresses.create(address="max@elsewhere.example", verified_at=timezone.now())
        question = {"area": "mailbox", "address": user.address}
        for _question in range(3):
            Client().post("/passwort/vergessen/", question, REMOTE_ADDR=THIEF)
        call_command("worker", "--once")
        assert len(mailoutbox) == 1
        earlier = timezone.now() - timedelta(minutes=31)
        user.password_resets.update(created_at=earlier, expires_at=earlier)
        Client().post("/passwort/vergessen/", question)
        call_command("worker", "--once")
        assert len(mailoutbox) == 2

    def test_in_a_network_that_is_stopped_uses_up_nothing_more(self, client, log_in, user):
        for number in range(40):
            log_in(client, area="mailbox", address=f"a{number}@x.example", password="x", REMOTE_ADDR=THIEF)
        before = Brake.objects.count()
        for _try in range(4):
            answer = log_in(client, area="mailbox", address=user.address, password="x", REMOTE_ADDR=THIEF)
            assert answer.status_code == 429
        assert Brake.objects.count() == before

    def test_asking_for_another_device_begins_anew(self, user, client):
        add_app(user)
        password_step(client, user)
        assert client.post("/anmelden/", {"challenge_device": "x"}).url == "/anmelden/"


def test_the_trails_addresses_are_never_changed(cast):
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        AuditNetwork.objects.update(ip="8.8.8.8")
