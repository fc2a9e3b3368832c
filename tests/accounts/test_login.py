from datetime import timedelta
from itertools import product
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import hashers
from accounts.first_page import TOKEN
from accounts.models import AuditEvent, Brake, Installation, PortalSession, Tenant, User
from tests.cast import PASSWORD, make_mailbox
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise


@pytest.fixture
def hashes(monkeypatch):
    """How many Argon2 hashes were computed."""
    counted = []
    for name in ("verify", "encode"):
        original = getattr(hashers.PortalArgon2PasswordHasher, name)

        def counting(self, *args, original=original):
            counted.append(1)
            return original(self, *args)

        monkeypatch.setattr(hashers.PortalArgon2PasswordHasher, name, counting)
    original_verify = hashers.argon2.PasswordHasher.verify

    def verify(self, *args):
        counted.append(1)
        return original_verify(self, *args)

    monkeypatch.setattr(hashers.argon2.PasswordHasher, "verify", verify)
    return counted


class TestTheLoginPage:
    def test_shows_the_given_labels_with_single_mailbox_preselected(self, client, db):
        page = client.get("/anmelden/").content.decode()
        for label in (
            "KundenServiceCenter",
            "E-Mailadresse",
            "Passwort",
            "Loginbereich",
            "einzelne Mailbox",
            "Anmelden",
            "Passwort vergessen?",
        ):
            assert label in page
        assert page.count("checked") == 1
        assert page.index('value="mailbox"') < page.index("checked")

    def test_a_mere_look_writes_nothing_and_makes_no_session(self, client, db):
        with CaptureQueriesContext(connection) as queries:
            response = client.get("/anmelden/")
        assert len(queries) <= 1
        assert PortalSession.objects.count() == 0
        assert "ksc" not in response.cookies

    def test_is_drawn_once_and_yet_has_a_token_of_each_visitors_own(self, cast, log_in):
        visitors = [Client(enforce_csrf_checks=True) for _ in range(2)]
        tokens = [TOKEN.findall(visitor.get("/anmelden/").content) for visitor in visitors]
        assert len(set(tokens[0])) == len(set(tokens[1])) == 1 and tokens[0] != tokens[1]
        for visitor, [token, *_same], status in ((visitors[0], tokens[0], 302), (visitors[1], tokens[0], 403)):
            assert log_in(visitor, cast.user, headers={"x-csrftoken": token.decode()}).status_code == status

    def test_shows_at_once_what_staff_change(self, client, db):
        for email in ("first@hoster.example", "second@hoster.example"):
            Installation.objects.update_or_create(pk=1, defaults={"support_email": email})
            assert email in client.get("/anmelden/").content.decode()

    def test_a_failed_try_leaves_no_session_behind(self, client, cast, log_in):
        log_in(client, cast.user, password="wrong")
        assert PortalSession.objects.count() == 0


class TestAMailboxUser:
    def test_gets_in_with_the_right_password(self, client, cast, log_in):
        response = log_in(client, cast.user)
        assert (response.status_code, response.url) == (302, "/")

    @promise("A-24")
    @pytest.mark.parametrize("typed", ["MAX.Mustermann@Musterdomain.DE", "  max.mustermann@musterdomain.de "])
    def test_may_type_the_address_in_any_case_and_with_spaces_around(self, client, cast, log_in, typed):
        assert log_in(client, cast.user, address=typed).status_code == 302

    def test_is_written_into_the_audit_trail(self, client, cast, log_in):
        log_in(client, cast.user)
        event = AuditEvent.objects.get(deed=AuditEvent.Deed.LOGGED_IN)
        assert (event.actor, event.tenant, event.network.ip) == (cast.user, cast.tenant, "127.0.0.1")

    @promise("A-28")
    def test_gets_a_new_session_key(self, client, cast, log_in):
        client.cookies["ksc"] = "attackers-choice-of-a-session-key"
        log_in(client, cast.user)
        assert client.cookies["ksc"].value != "attackers-choice-of-a-session-key"

    def test_with_the_same_address_in_both_areas_has_two_passwords(self, client, cast, log_in):
        other = "Acht Igel husten 9 Mal?"
        twin = User.objects.create_person(role=User.Role.DVB, address=cast.user.address, tenant=cast.tenant)
        twin.change_password(other, by=twin)
        assert log_in(client, cast.user, password=other).status_code == 200
        assert log_in(client, twin, password=PASSWORD).status_code == 200
        assert log_in(client, twin, password=other).status_code == 302


class TestAnInitialPassword:
    @pytest.fixture
    def initial(self, cast):
        password, encoded = cast.user.draw_initial_password()
        cast.user.issue_initial_password(encoded, by=cast.dvb, issue=0, at=timezone.now())
        return password

    @pytest.mark.parametrize("typed", ["{} ", " {}", "\t{}\u00a0 "])
    def test_may_be_pasted_with_spaces_around(self, client, cast, log_in, hashes, initial, typed):
        hashes.clear()
        assert log_in(client, cast.user, password=typed.format(initial)).status_code == 302
        assert len(hashes) == 1

    def test_is_not_guessed_from_anything_else(self, client, cast, log_in, initial):
        for typed in (initial[:-1] + " ", f"{initial} {initial}", initial.lower(), initial.replace("-", " ")):
            assert log_in(client, cast.user, password=typed).status_code == 200


class TestAnOwnPassword:
    def test_is_taken_with_its_spaces_alone(self, client, cast, log_in):
        cast.user.change_password("  Acht Igel husten 9 Mal? ", by=cast.user)
        assert log_in(client, cast.user, password="Acht Igel husten 9 Mal?").status_code == 200
        assert log_in(client, cast.user, password="  Acht Igel husten 9 Mal? ").status_code == 302


def test_an_address_without_an_at_sign_is_refused_at_once_whosever_it_is(client, cast, log_in, hashes):
    hashes.clear()
    for address in ("max.mustermann", "niemand"):
        page = log_in(client, area="mailbox", address=address).content.decode()
        assert "Das @ fehlt." in page and "Diese Anmeldung" not in page
    assert not hashes


def wrong_password(cast):
    return {"user": cast.user, "password": "not the password"}


def unknown_address(cast):
    return {"area": "mailbox", "address": "nobody@musterdomain.de"}


def no_address_at_all(cast):
    return {"area": "mailbox", "address": "<script>@"}


def wrong_area(cast):
    return {"area": "ksc", "address": cast.user.address}


def locked(cast):
    cast.user.lock(by=cast.dvb)
    return {"user": cast.user}


def without_credentials(cast):
    return {"user": make_mailbox(cast.domain, "new", password=None).user}


def expired_initial_password(cast):
    password, encoded = cast.user.draw_initial_password()
    cast.user.issue_initial_password(encoded, by=cast.dvb, issue=0, at=timezone.now() - timedelta(days=14, hours=1))
    return {"user": cast.user, "password": password}


def expired_deputy(cast):
    return {"user": cast.expired_deputy}


def suspended_tenant(cast):
    """Its people learn of the suspension by the right password alone."""
    cast.tenant.suspend(by=cast.staff)
    return {"user": cast.user, "password": "not the password"}


REFUSED = [
    wrong_password,
    unknown_address,
    no_address_at_all,
    wrong_area,
    locked,
    without_credentials,
    expired_initial_password,
    expired_deputy,
    suspended_tenant,
]


class TestWhoeverIsRefused:
    @promise("A-26")
    @promise("A-27")
    @pytest.mark.parametrize("case", REFUSED)
    def test_reads_the_same_neutral_message(self, client, cast, log_in, masked, case):
        reference = log_in(client, cast.dsb, password="wrong", address=cast.dsb.address)
        response = log_in(client, **case(cast))
        assert response.status_code == 200
        area, address = response.wsgi_request.POST["auth-area"], response.wsgi_request.POST["auth-address"]
        page = response.content.decode()
        assert "Loginbereich" in page and "Großbuchstaben" in page and "Leerzeichen" in page and "DVB" in page
        assert "ksc" not in response.cookies
        message = page[page.index("Diese Anmeldung") : page.index("</", page.index("Diese Anmeldung"))]
        assert message in reference.content.decode()
        assert area in ("ksc", "mailbox") and address

    @promise("A-27")
    @pytest.mark.parametrize("case", REFUSED)
    def test_costs_exactly_one_hash(self, client, cast, log_in, hashes, case):
        arguments = case(cast)
        hashes.clear()
        log_in(client, **arguments)
        assert len(hashes) == 1

    @pytest.mark.parametrize("case", REFUSED)
    def test_is_logged_in_nowhere(self, client, cast, log_in, case):
        log_in(client, **case(cast))
        assert client.get("/").status_code == 302
        assert "_auth_user_id" not in client.session


class TestWhoseTenantIsSuspended:
    def refused(self, client, cast, log_in, user, **arguments):
        """What the page says to a person of the suspended tenant, in English."""
        cast.tenant.suspend(by=cast.staff)
        response = log_in(client, user, headers={"accept-language": "en"}, **arguments)
        assert "ksc" not in response.cookies and "_auth_user_id" not in client.session
        return response.status_code, response.content.decode()

    def test_learns_it_by_the_right_password_and_whom_to_ask(self, client, cast, log_in):
        status, page = self.refused(client, cast, log_in, cast.user)
        assert status == 403
        assert "Your password is right." in page and "“Musterfirma” are suspended" in page
        assert "(DVB)" in page and cast.tenant.customer_number not in page

    def test_is_told_the_hosters_support_where_the_person_is_the_dvb(self, client, cast, log_in):
        Installation.objects.create(support_email="support@hoster.example", support_phone="+49 30 1234")
        status, page = self.refused(client, cast, log_in, cast.dvb)
        assert status == 403
        assert "support@hoster.example · +49 30 1234. Your customer number is 1001." in page

    @pytest.mark.parametrize(
        "case", [locked, expired_deputy, expired_initial_password, without_credentials, wrong_area]
    )
    def test_reads_the_neutral_message_where_something_else_is_in_the_way_too(self, client, cast, log_in, case):
        status, page = self.refused(client, cast, log_in, **({"user": None} | case(cast)))
        assert status == 200 and "This login did not work." in page and "suspended" not in page

    @promise("A-27")
    def test_costs_exactly_one_hash_and_counts_as_a_try(self, client, cast, log_in, hashes):
        hashes.clear()
        self.refused(client, cast, log_in, cast.user)
        assert len(hashes) == 1
        assert [log_in(client, cast.user).status_code for _try in range(30)][-1] == 429

    def test_gets_in_again_when_it_is_resumed(self, client, cast, log_in):
        self.refused(client, cast, log_in, cast.user)
        cast.tenant.resume(by=cast.staff)
        assert log_in(client, cast.user).status_code == 302


class TestTheWayBack:
    @promise("A-52")
    @pytest.mark.parametrize(
        "target",
        [
            "https://evil.example/",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "http:evil.example",
            "javascript:alert(1)",
            "https://testserver.evil.example/",
            "http://testserver@evil.example/",
            "\\\\evil.example",
            "%2f%2fevil.example",
            " //evil.example",
            "/\t/evil.example",
            "https:///evil.example",
            "data:text/html,hi",
            "//evil.example%2f@localhost/",
            "http://[::1]/",
        ],
    )
    def test_never_leads_to_another_host(self, client, cast, log_in, target):
        client.get("/anmelden/", {"next": target})
        response = log_in(client, cast.user, path=f"/anmelden/?next={target}")
        assert urlsplit(response.url).netloc == ""
        assert response.url.startswith("/") and not response.url.startswith(("//", "/\\"))

    def test_leads_to_the_page_that_was_asked_for(self, client, cast, log_in):
        asked = client.get("/weiterleitungen/")
        assert asked.url == "/anmelden/?next=/weiterleitungen/"
        assert log_in(client, cast.user, path=asked.url).url == "/weiterleitungen/"


class TestAnOpenSession:
    @promise("A-13")
    @pytest.mark.parametrize("deed", ["lock", "suspend", "deputy ends"])
    def test_ends_at_the_very_next_request(self, client, cast, log_in, deed):
        person = cast.deputy if deed == "deputy ends" else cast.user
        log_in(client, person)
        assert client.get("/").status_code in (200, 302)
        if deed == "lock":
            person.lock(by=cast.dvb)
        elif deed == "suspend":
            cast.tenant.suspend(by=cast.staff)
        else:
            User.objects.filter(pk=person.pk).update(valid_until=timezone.localdate() - timedelta(days=1))
        assert client.get("/").url.startswith("/anmelden/")

    @promise("A-28")
    def test_ends_when_the_password_changes_elsewhere(self, client, cast, log_in):
        log_in(client, cast.user)
        User.objects.get(pk=cast.user.pk).change_password("Neun Otter singen 5 Lieder!", by=cast.user)
        assert client.get("/").url.startswith("/anmelden/")

    @promise("A-28")
    def test_ends_by_post_only_and_on_the_server(self, client, cast, log_in):
        log_in(client, cast.user)
        key = client.cookies["ksc"].value
        assert client.get("/abmelden/").status_code == 405
        response = client.post("/abmelden/")
        assert response["Clear-Site-Data"] == '"cache", "storage"'
        assert "Sie sind abgemeldet." in client.get(response.url).content.decode()
        client.cookies["ksc"] = key
        assert client.get("/").status_code == 302

    def test_is_not_said_to_have_ended_by_a_link(self, client, cast, log_in):
        assert "abgemeldet" not in client.get("/anmelden/").content.decode()
        log_in(client, cast.user)
        assert client.get("/anmelden/?abgemeldet=").status_code == 302
        assert client.get("/").status_code == 200

    def test_writes_last_seen_at_most_every_five_minutes(self, client, cast, log_in):
        log_in(client, cast.user)
        client.get("/")
        with CaptureQueriesContext(connection) as queries:
            client.get("/")
        assert [
            query["sql"] for query in queries if not query["sql"].startswith(("SELECT", "SAVEPOINT", "RELEASE"))
        ] == []


class TestForgedRequests:
    @promise("A-53")
    def test_without_csrf_token_are_refused_in_the_portals_look(self, cast):
        client = Client(enforce_csrf_checks=True)
        response = client.post("/anmelden/", {"auth-area": "mailbox"})
        assert response.status_code == 403
        assert "KundenServiceCenter" in response.content.decode()

    @promise("A-30")
    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"login_view-current_step": "token", "token-otp_token": "123456"},
            {"login_view-current_step": "backup", "backup-otp_token": "123456"},
            {"login_view-current_step": "nonsense"},
            {"wizard_goto_step": "token"},
            {"challenge_device": "otp_totp.totpdevice/1"},
            {"login_view-current_step": ["auth", "token"], "auth-password": "x"},
        ],
    )
    def test_of_the_wizard_neither_log_in_nor_fail(self, client, cast, data):
        client.raise_request_exception = False
        response = client.post("/anmelden/", data)
        assert response.status_code in (200, 302, 400)
        assert "_auth_user_id" not in client.session

    @promise("A-55")
    @thorough
    def test_with_odd_text_are_answered_calmly(self, client, cast, log_in):
        client.raise_request_exception = False
        odd = ["\0", "a\0@b.de", "ä" * 300, "\ud7ff" * 10, "x" * 5000, "' OR 1=1 --", "%s", "\n\r"]
        for address, password in product(odd, odd):
            Brake.objects.all().delete()
            answer = log_in(client, area="mailbox", address=address, password=password)
            assert answer.status_code in (200, 400), (address, password)


@promise("A-25")
class TestTheClientsAddress:
    def headers(self):
        return {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9"}

    def test_is_never_taken_from_what_a_client_sends(self, client, cast, log_in):
        log_in(client, cast.user, headers=self.headers())
        assert AuditEvent.objects.get(deed="logged_in").network.ip == "127.0.0.1"

    def test_is_what_our_own_proxy_added_last(self, client, cast, log_in, settings):
        settings.PROXY_HOPS = 1
        log_in(client, cast.user, headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
        assert AuditEvent.objects.get(deed="logged_in").network.ip == "203.0.113.9"


class TestSuspension:
    def test_of_a_tenant_is_told_from_the_tenant_alone(self, cast):
        cast.tenant.suspend(by=cast.staff)
        assert Tenant.objects.get(pk=cast.tenant.pk).is_suspended
        assert User.objects.for_sign_in().get(pk=cast.user.pk).may_sign_in is False
        assert User.objects.for_sign_in().get(pk=cast.other_user.pk).may_sign_in is True
