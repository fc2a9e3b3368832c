from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection
from django.utils import timezone

from accounts.models import AuditEvent, CredentialState, OutboxMessage, PortalSession, StaleCredentials, User
from accounts.models.brakes import CHANGE
from accounts.wall import everybody
from tests.cast import PASSWORD, the_cast
from tests.marks import committed, thorough
from tests.promises import promise

NEW = "Neun Otter singen 5 Lieder!"


def change(client, *, current=None, new=NEW, repeated=None):
    data = {"new_password": new, "repeated_password": new if repeated is None else repeated}
    return client.post("/passwort/aendern/", data | ({"current_password": current} if current is not None else {}))


@pytest.fixture
def newcomer(cast):
    """Somebody who holds an initial password: (user, password)."""
    password, encoded = cast.user.draw_initial_password()
    cast.user.issue_initial_password(encoded, by=cast.dvb, issue=cast.user.initial_issues, at=timezone.now())
    return cast.user, password


class TestWithAnInitialPassword:
    @promise("A-32")
    def test_every_page_leads_to_the_change_by_every_method(self, client, newcomer, log_in):
        user, password = newcomer
        log_in(client, user, password=password)
        pages = [
            "/",
            "/weiterleitungen/",
            "/black-whitelist/",
            "/spamfilter/",
            "/passwort/geaendert/",
            "/desk/",
            "/staff/",
        ]
        for path, method in product(pages, ("get", "post", "put", "delete", "head", "options")):
            response = getattr(client, method)(path)
            assert (response.status_code, response.url) == (302, "/passwort/aendern/"), (path, method)

    @pytest.mark.parametrize("path", ["/passwort/vergessen/", "/healthz"])
    def test_public_pages_stay_reachable(self, client, newcomer, log_in, path):
        user, password = newcomer
        log_in(client, user, password=password)
        assert client.get(path).status_code == 200

    def test_the_state_moves_from_given_out_to_logged_in_to_changed(self, client, newcomer, log_in):
        user, password = newcomer
        states = [user.credential_state]
        log_in(client, user, password=password)
        states.append(User.objects.get(pk=user.pk).credential_state)
        change(client)
        states.append(User.objects.get(pk=user.pk).credential_state)
        assert states == [CredentialState.ISSUED, CredentialState.LOGGED_IN, CredentialState.CHANGED]

    def test_the_current_one_is_not_asked_for(self, client, newcomer, log_in):
        user, password = newcomer
        log_in(client, user, password=password)
        page = client.get("/passwort/aendern/").content.decode()
        assert "Aktuelles Passwort" not in page
        assert all(label in page for label in ("Neues Passwort:", "Passwort wiederholen:", "Abbrechen", "OK"))

    @promise("A-33")
    def test_it_cannot_be_kept(self, client, newcomer, log_in):
        user, password = newcomer
        log_in(client, user, password=password)
        assert change(client, new=password).status_code == 422
        assert User.objects.get(pk=user.pk).initial_password

    def test_after_the_change_the_portal_opens_and_mail_programs_too(self, client, newcomer, log_in):
        user, password = newcomer
        log_in(client, user, password=password)
        assert change(client).url == "/passwort/geaendert/"
        assert client.get("/").status_code == 200
        user.refresh_from_db()
        assert user.mail_password_enabled and not user.initial_password

    def test_the_database_itself_refuses_to_open_mail_with_it(self, newcomer):
        user, _password = newcomer
        with pytest.raises(IntegrityError, match="initial_password_opens_no_mail"):
            User.objects.filter(pk=user.pk).update(mail_password_enabled=True)


class TestLaterChanges:
    @promise("A-36")
    @pytest.mark.parametrize("current", [None, "", "wrong", ["", PASSWORD + "x"]])
    def test_need_the_current_password(self, client, cast, log_in, current):
        log_in(client, cast.user)
        before = User.objects.get(pk=cast.user.pk).password
        assert change(client, current=current).status_code == 422
        assert User.objects.get(pk=cast.user.pk).password == before

    @thorough
    def test_are_slowed_down_after_thirty_tries(self, client, cast, log_in):
        log_in(client, cast.user)
        answers = [change(client, current="wrong").status_code for _try in range(CHANGE.free + 1)]
        assert answers == [422] * CHANGE.free + [429]

    def test_keep_this_session_and_give_it_a_new_key(self, client, cast, log_in):
        log_in(client, cast.user)
        key = client.cookies["ksc"].value
        assert change(client, current=PASSWORD).status_code == 302
        assert client.cookies["ksc"].value != key
        assert client.get("/").status_code == 200

    @pytest.mark.parametrize("opens", [True, False])
    def test_are_to_be_entered_only_in_mail_programs_that_they_open(self, client, cast, opens):
        User.objects.filter(pk=cast.user.pk).update(mail_password_enabled=opens)
        client.force_login(cast.user)
        page = client.get("/passwort/geaendert/").content.decode()
        assert ("Tragen Sie das neue Passwort in jedem Mailprogramm" in page) == opens
        assert ("Tragen Sie es nicht in Mailprogramme ein" in page) != opens

    def test_end_open_mail_sessions_and_are_written_down(self, client, cast, log_in):
        log_in(client, cast.user)
        OutboxMessage.objects.all().delete()
        change(client, current=PASSWORD)
        letter, kick = OutboxMessage.objects.order_by("pk")
        assert (kick.kind, kick.payload) == ("end_mail_sessions", {"address": cast.user.address})
        assert (letter.kind, letter.payload["to"]) == ("email", cast.user.address)
        assert letter.payload["subject"] == "Ihr Passwort wurde geändert"
        assert letter.payload["text"].startswith(f"Das Passwort von {cast.user.address} wurde im Portal geändert.")
        assert AuditEvent.objects.filter(deed="password_changed", actor=cast.user).count() == 1

    def test_name_all_faults_at_once(self, client, cast, log_in):
        log_in(client, cast.user)
        page = change(client, current=PASSWORD, new="mustermann").content.decode()
        for fault in ("15", "Großbuchstabe", "Ziffer", "Sonderzeichen", "mustermann"):
            assert fault in page

    def test_refuse_two_different_new_passwords(self, client, cast, log_in):
        log_in(client, cast.user)
        assert change(client, current=PASSWORD, repeated=NEW + "x").status_code == 422

    def test_refuse_the_current_password_as_new(self, client, cast, log_in):
        log_in(client, cast.user)
        assert change(client, current=PASSWORD, new=PASSWORD).status_code == 422

    def test_follow_the_tenants_passphrase_rule(self, client, cast, log_in):
        cast.tenant.password_rule = "passphrase"
        cast.tenant.save()
        log_in(client, cast.user)
        assert change(client, current=PASSWORD, new="neun otter singen lieder").status_code == 422
        assert change(client, current=PASSWORD, new="neun otter singen fünf laute lieder").status_code == 302

    @promise("A-29")
    def test_leave_no_password_in_session_trail_or_outbox(self, client, cast, log_in):
        log_in(client, cast.user)
        change(client, current=PASSWORD)
        kept = [str(session.get_decoded()) for session in PortalSession.objects.all()]
        kept += [str(values) for values in AuditEvent.objects.values_list("old", "new")]
        kept += [str(payload) for payload in OutboxMessage.objects.values_list("payload", flat=True)]
        assert not [text for text in kept if PASSWORD in text or NEW in text]


class TestTwoWritersAtOnce:
    def test_the_later_change_from_the_same_state_is_refused(self, cast):
        first, second = (User.objects.get(pk=cast.user.pk) for _each in range(2))
        first.change_password(NEW, by=first)
        with pytest.raises(StaleCredentials):
            second.change_password("Zwölf Raben fliegen 3 Runden?", by=second)
        assert User.objects.get(pk=cast.user.pk).is_current_password(NEW)

    def test_a_rehash_never_writes_the_old_password_back(self, cast):
        slow_login = User.objects.get(pk=cast.user.pk)
        User.objects.get(pk=cast.user.pk).change_password(NEW, by=cast.user)
        slow_login.refresh_hash(PASSWORD)
        assert User.objects.get(pk=cast.user.pk).is_current_password(NEW)

    def test_a_login_renews_an_outdated_hash(self, client, cast, log_in, settings):
        settings.ARGON2_TIME_COST = 2
        outdated = make_password(PASSWORD)
        settings.ARGON2_TIME_COST = 1
        User.objects.filter(pk=cast.user.pk).update(password=outdated)
        assert log_in(client, cast.user).status_code == 302
        renewed = User.objects.get(pk=cast.user.pk).password
        assert ",t=2," in outdated and ",t=1," in renewed

    @promise("A-40")
    @committed
    def test_of_sixteen_parallel_changes_exactly_one_wins(self):
        user = the_cast().user
        passwords = [f"Acht Igel husten {number} Mal?" for number in range(16)]

        @everybody()
        def race(password):
            try:
                User.objects.get(pk=user.pk)
                user_now = User(
                    pk=user.pk,
                    password=user.password,
                    area=user.area,
                    address=user.address,
                    role=user.role,
                    tenant=user.tenant,
                )
                user_now.change_password(password, by=user)
                return password
            except StaleCredentials:
                return None
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            winners = [password for password in pool.map(race, passwords) if password]
        assert len(winners) == 1
        assert User.objects.get(pk=user.pk).is_current_password(winners[0])
