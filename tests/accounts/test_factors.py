"""Second factors: adding, logging in with them, giving them up; and that nobody gets round them."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import unquote

import pytest
from django.db import connection
from django.utils import timezone

from accounts import totp
from accounts.models import AuditEvent, BackupCode, Brake, Factor, OutboxMessage, PortalSession, Tenant, User
from tests.cast import PASSWORD, TOTP_KEY, add_app, app_code, make_person
from tests.client import Client
from tests.marks import committed, thorough
from tests.promises import LONG, promise
from tests.test_access import ROUTES, objects, url

APP = "/zwei-faktor/app/"


def now_step():
    return int(time.time()) // totp.PERIOD


def new_key(client):
    """What the page for a new app carries: the key in words, and sealed."""
    page = client.get(APP).content.decode()
    key = re.search(r'class="key">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    return key, re.search(r'name="sealed" value="([^"]+)"', page)[1]


def enrol(client, *, code=None, name="Handy"):
    key, sealed = new_key(client)
    code = totp.code_at(key, now_step()) if code is None else code
    return client.post(APP, {"sealed": sealed, "code": code, "name": name}), key


def codes_on(response):
    return re.findall(r"<code>([a-z0-9-]+)</code>", response.content.decode())


def password_step(client, user, password=PASSWORD):
    data = {"login_view-current_step": "auth", "auth-area": user.area, "auth-address": user.address}
    return client.post("/anmelden/", data | {"auth-password": password})


def factor_step(client, code):
    return client.post("/anmelden/", {"login_view-current_step": "factor", "factor-code": code})


def is_in(client):
    return "_auth_user_id" in client.session


@pytest.fixture
def portal(cast, client):
    client.force_login(cast.user)
    return client


class TestACodeThatHasNotSixDigits:
    SAID = "hat sechs Ziffern"

    @pytest.mark.parametrize(
        ("code", "said"), [("12345", True), ("123 456 7", True), ("000000", False), ("abcdef", False)]
    )
    def test_is_told_from_a_wrong_one_at_the_login(self, cast, client, code, said):
        add_app(cast.user)
        password_step(client, cast.user)
        page = factor_step(client, code).content.decode()
        assert ((self.SAID in page), ("Uhr Ihres Telefons" in page)) == (said, not said)

    @pytest.mark.parametrize(("code", "said"), [("12345", True), ("12345x", True), ("000000", False)])
    def test_is_told_from_a_wrong_one_with_a_new_app(self, portal, code, said):
        page = enrol(portal, code=code)[0].content.decode()
        assert ((self.SAID in page), ("Uhr Ihres Telefons" in page)) == (said, not said)


@thorough
class TestAddingAnApp:
    def test_shows_the_key_as_picture_and_as_text_and_stores_nothing(self, portal):
        page = portal.get(APP).content.decode()
        key, _sealed = new_key(portal)
        assert len(key) == 32 and "<svg" in page and "otpauth://totp/KundenServiceCenter" in page
        assert not Factor.objects.filter(user__role="user").exists()

    def test_gives_ten_backup_codes_once_and_tells_the_person(self, portal, cast):
        response, _key = enrol(portal)
        codes = codes_on(response)
        assert len(set(codes)) == 10 and {len(code) for code in codes} == {14}
        factor = cast.user.factors.devices().get()
        assert (factor.name, factor.kind) == ("Handy", "totp")
        subjects = list(OutboxMessage.objects.filter(kind="email").values_list("payload__subject", flat=True))
        assert "Ein zweiter Faktor wurde hinzugefügt" in subjects
        event = AuditEvent.objects.get(deed="factor_added", actor=cast.user)
        assert event.new == {"kind": "totp", "name": "Handy"}
        assert codes_on(portal.get("/zwei-faktor/")) == []

    def test_verifies_this_session_and_ends_the_others(self, portal, cast):
        other = Client()
        other.force_login(cast.user)
        assert other.get("/").status_code == 200
        key = portal.cookies["ksc"].value
        enrol(portal)
        assert portal.cookies["ksc"].value != key
        assert portal.get("/").status_code == 200 and portal.get("/").wsgi_request.user.is_verified()
        assert other.get("/").url.startswith("/anmelden/")

    def test_closes_the_mail_password_in_the_same_moment(self, portal, cast):
        assert User.objects.get(pk=cast.user.pk).mail_password_enabled
        enrol(portal)
        assert not User.objects.get(pk=cast.user.pk).mail_password_enabled
        assert OutboxMessage.objects.filter(kind="end_mail_sessions").exists()

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "12 34", "１２３４５６", "1" * 10_000, "\n"])
    def test_refuses_what_is_no_code(self, portal, cast, code):
        response, _key = enrol(portal, code=code)
        assert response.status_code == 422
        assert not cast.user.factors.exists()

    def test_takes_a_code_with_spaces_and_a_clock_one_step_off(self, portal, cast):
        for offset, name in ((-1, "langsam"), (0, "genau"), (1, "schnell")):
            key, sealed = new_key(portal)
            code = totp.code_at(key, now_step() + offset)
            portal.post(APP, {"sealed": sealed, "code": f" {code[:3]} {code[3:]} ", "name": name})
        assert [factor.name for factor in cast.user.factors.devices()] == ["langsam", "genau", "schnell"]

    def test_takes_no_key_that_was_not_made_for_this_person_just_now(self, portal, cast, time_machine):
        other = Client()
        other.force_login(cast.other_user)
        key, sealed = new_key(other)
        code = totp.code_at(key, now_step())
        for forged in ("", "A" * 44, sealed, sealed[:-4] + "AAA="):
            assert portal.post(APP, {"sealed": forged, "code": code, "name": "x"}).status_code == 422
        key, sealed = new_key(portal)
        time_machine.move_to(timezone.now() + timedelta(minutes=31))
        portal.force_login(cast.user)
        late = portal.post(APP, {"sealed": sealed, "code": totp.code_at(key, now_step()), "name": "x"})
        assert late.status_code == 422 and "zu lange offen" in late.content.decode()
        assert not cast.user.factors.exists()

    def test_sent_again_is_told_so(self, portal, cast):
        key, sealed = new_key(portal)
        form = {"sealed": sealed, "code": totp.code_at(key, now_step()), "name": "Handy"}
        assert portal.post(APP, form).status_code == 200
        again = portal.post(APP, form)
        assert again.status_code == 422 and "schon hinzugefügt" in again.content.decode()
        assert cast.user.factors.devices().count() == 1

    @promise("A-50")
    def test_shows_a_hostile_name_as_text(self, portal, cast):
        enrol(portal, name="<script>alert(1)</script>")
        page = portal.get("/zwei-faktor/").content.decode()
        assert "<script>alert" not in page and "&lt;script&gt;" in page

    @promise("A-31")
    @pytest.mark.parametrize("path", [APP, "/zwei-faktor/sicherheitsschluessel/", "/zwei-faktor/ersatz-codes/"])
    def test_needs_a_fresh_login(self, portal, cast, path):
        add_app(cast.user)
        portal.force_login(cast.user)
        session = portal.session
        session["proved"] = time.time() - 301
        session.save()
        for method in (portal.get, portal.post):
            assert unquote(method(path).url) == f"/anmelden/bestaetigen/?next={path}"

    @promise("A-29")
    def test_leaves_the_key_in_no_table_session_log_or_mail(self, portal, cast, caplog):
        response, key = enrol(portal)
        codes = [code.replace("-", "") for code in codes_on(response)]
        kept = caplog.text + "".join(str(row.get_decoded()) for row in PortalSession.objects.all())
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{table}" t')
                kept += cursor.fetchone()[0] or ""
        assert cast.user.address in kept
        for secret in (key, totp.in_groups(key), *codes):
            assert secret not in kept


@thorough
class TestLoggingIn:
    @pytest.fixture(autouse=True)
    def app(self, cast):
        return add_app(cast.user)

    def test_asks_for_the_factor_after_the_password(self, client, cast):
        page = password_step(client, cast.user).content.decode()
        assert "Einmalcode" in page and "zweiten Faktor" in page and not is_in(client)
        key = client.cookies["ksc"].value
        response = factor_step(client, app_code(cast.user))
        assert (response.status_code, response.url) == (302, "/")
        assert client.cookies["ksc"].value != key
        assert client.get("/").wsgi_request.user.is_verified()

    def test_leads_to_the_page_that_was_asked_for(self, client, cast, log_in):
        response = log_in(client, cast.user, path="/anmelden/?next=/weiterleitungen/")
        assert response.url == "/weiterleitungen/"

    @promise("A-17")
    def test_takes_no_code_twice_nor_an_older_one(self, cast):
        step, codes = now_step(), []
        for offset in (0, 0, -1, 1, 1):
            client = Client()
            password_step(client, cast.user)
            codes.append(factor_step(client, totp.code_at(TOTP_KEY, step + offset)).status_code)
        assert codes == [302, 200, 200, 302, 200]

    @promise("A-17")
    def test_takes_no_code_that_added_the_app(self, cast):
        client = Client()
        client.force_login(cast.dvb)
        _response, key = enrol(client)
        stranger = Client()
        password_step(stranger, cast.dvb)
        assert factor_step(stranger, totp.code_at(key, cast.dvb.factors.devices().last().position)).status_code == 200
        assert not is_in(stranger)

    @pytest.mark.parametrize(
        "code",
        ["", "000000x", "abcdef", "1" * 10_000, "'; DROP", "\0", "１２３４５６", "ä" * 44, "c" * 44, " ", "-" * 12],
    )
    def test_answers_what_is_no_code_calmly(self, client, cast, code):
        password_step(client, cast.user)
        response = factor_step(client, code)
        assert response.status_code == 200 and not is_in(client)
        assert "Einmalcode" in response.content.decode()

    def test_takes_another_persons_code_for_wrong(self, client, cast):
        password_step(client, cast.user)
        assert factor_step(client, app_code(cast.dvb)).status_code == 302
        Factor.objects.filter(user=cast.user).delete()
        Factor.objects.add_app(cast.user, key=totp.new_key(), step=0, name="x", by=cast.user)
        stranger = Client()
        password_step(stranger, cast.user)
        assert factor_step(stranger, app_code(cast.dvb)).status_code == 200 and not is_in(stranger)

    @promise("A-19")
    def test_is_throttled_over_new_password_logins(self, cast):
        answers = []
        for _try in range(8):
            client = Client()
            password_step(client, cast.user)
            answers.append(factor_step(client, "000000").status_code)
        assert answers == [200] * 5 + [429] * 3
        client = Client()
        password_step(client, cast.user)
        blocked = factor_step(client, app_code(cast.user))
        assert blocked.status_code == 429 and int(blocked["Retry-After"]) > 0

    def test_forgets_wrong_tries_after_a_right_one(self, client, cast):
        for _try in range(4):
            password_step(client, cast.user)
            factor_step(client, "000000")
        factor_step(client, app_code(cast.user))
        assert is_in(client) and not Brake.objects.filter(tries__gte=4).exists()

    def test_waits_ten_minutes_for_the_second_step(self, client, cast, time_machine):
        password_step(client, cast.user)
        time_machine.move_to(timezone.now() + timedelta(minutes=11))
        response = factor_step(client, app_code(cast.user))
        assert not is_in(client) and 'name="auth-password"' in response.content.decode()

    def test_lets_somebody_else_begin_anew(self, client, cast):
        password_step(client, cast.user)
        page = client.post("/anmelden/", {"wizard_goto_step": "auth"}).content.decode()
        assert 'name="auth-password"' in page

    def test_asks_for_no_factor_that_was_removed_in_the_meantime(self, client, cast):
        password_step(client, cast.user)
        code = app_code(cast.user)
        cast.user.remove_factors(by=cast.dvb, check={})
        assert factor_step(client, code).url == "/anmelden/" and not is_in(client)
        assert password_step(client, cast.user).url == "/" and is_in(client)

    @promise("A-30")
    def test_takes_no_second_step_without_the_first(self, client, cast):
        assert factor_step(client, app_code(cast.user)).url == "/anmelden/"
        assert not is_in(client)

    @promise("A-29")
    def test_keeps_no_code_in_the_session(self, client, cast):
        password_step(client, cast.user)
        factor_step(client, "987654")
        kept = "".join(str(row.get_decoded()) for row in PortalSession.objects.all())
        assert "user_pk" in kept and "987654" not in kept and PASSWORD not in kept

    def test_ends_a_session_that_never_showed_the_factor(self, client, cast):
        client.force_login(cast.user)
        session = client.session
        del session["otp_device_id"]
        session.save()
        assert client.get("/").url == "/anmelden/?next=/"
        assert not is_in(client)


@promise("A-17")
@promise("A-18")
class TestManyAtOnce:
    @committed
    @pytest.mark.parametrize("what", ["app", "paper"])
    def test_one_code_opens_one_session(self, cast, what):
        add_app(cast.user)
        for _round in range(50 if LONG else 3):
            Brake.objects.all().delete()
            code = app_code(cast.user) if what == "app" else Factor.objects.draw_codes(cast.user, by=None)[0]
            clients = [Client() for _ in range(16)]
            for client in clients:
                Brake.objects.all().delete()
                password_step(client, cast.user)
            assert sum(self.all_at_once(clients, code)) == 1

    def all_at_once(self, clients, code):
        barrier = Barrier(len(clients))

        def show(client):
            barrier.wait()
            try:
                return factor_step(client, code).status_code == 302
            finally:
                connection.close()

        with ThreadPoolExecutor(len(clients)) as pool:
            return list(pool.map(show, clients))


@promise("A-18")
class TestBackupCodes:
    def test_let_in_once_each_however_they_are_typed(self, cast):
        add_app(cast.user)
        first, second, *_rest = Factor.objects.draw_codes(cast.user, by=cast.user)
        answers = []
        for typed in (first.upper(), first, second.replace("-", " ")):
            client = Client()
            password_step(client, cast.user)
            answers.append(factor_step(client, typed).status_code)
        assert answers == [302, 200, 302]
        assert BackupCode.objects.filter(factor__user=cast.user).count() == 8

    def test_are_kept_as_digests_and_die_when_new_ones_are_made(self, portal, cast):
        codes = codes_on(enrol(portal)[0])
        stored = BackupCode.objects.values_list("digest", flat=True)
        assert len(stored) == 10 and not set(stored) & {code.replace("-", "") for code in codes}
        assert codes_on(portal.get("/zwei-faktor/ersatz-codes/")) == []
        fresh = codes_on(portal.post("/zwei-faktor/ersatz-codes/"))
        assert len(fresh) == 10 and not set(fresh) & set(codes)
        assert BackupCode.objects.count() == 10

    def test_are_for_people_with_a_factor_only(self, portal):
        assert portal.post("/zwei-faktor/ersatz-codes/").url == "/zwei-faktor/"
        assert BackupCode.objects.count() == 0


@thorough
class TestGivingUp:
    def test_a_factor_opens_mail_with_the_password_again_and_ends_other_sessions(self, portal, cast):
        enrol(portal)
        other = Client()
        other.force_login(cast.user)
        factor = cast.user.factors.devices().get()
        assert "Handy" in portal.get(f"/zwei-faktor/{factor.pk}/entfernen/").content.decode()
        assert portal.post(f"/zwei-faktor/{factor.pk}/entfernen/").url == "/zwei-faktor/"
        assert not cast.user.factors.exists() and BackupCode.objects.count() == 0
        assert User.objects.get(pk=cast.user.pk).mail_password_enabled
        assert portal.get("/").status_code == 200
        assert other.get("/").url.startswith("/anmelden/")
        assert AuditEvent.objects.get(deed="factor_removed").old == {"kind": "totp", "name": "Handy"}

    def test_the_one_that_opened_this_session_asks_for_another_login(self, portal, cast):
        enrol(portal)
        add_app(cast.user)
        first = cast.user.factors.devices().first()
        portal.post(f"/zwei-faktor/{first.pk}/entfernen/")
        assert portal.get("/").url == "/anmelden/?next=/"

    def test_the_last_one_is_refused_where_one_is_required(self, cast, client):
        client.force_login(cast.dvb)
        path = f"/zwei-faktor/{cast.dvb.factors.get().pk}/entfernen/"
        assert "Pflicht" in client.get(path).content.decode()
        client.post(path)
        assert cast.dvb.factors.count() == 1

    @promise("A-12")
    def test_of_another_persons_factor_does_not_exist(self, portal, cast):
        path = f"/zwei-faktor/{cast.dvb.factors.get().pk}/entfernen/"
        assert portal.get(path).status_code == portal.post(path).status_code == 404
        assert cast.dvb.factors.count() == 1


@thorough
class TestConfirming:
    @pytest.fixture
    def stale(self, cast):
        client = Client()
        add_app(cast.user)
        client.force_login(cast.user)
        session = client.session
        session["proved"] = 0
        session.save()
        return client

    def confirm(self, client, password, code, wanted=APP):
        return client.post(f"/anmelden/bestaetigen/?next={wanted}", {"password": password, "code": code})

    def test_takes_password_and_code_and_leads_back(self, stale, cast):
        assert self.confirm(stale, PASSWORD, app_code(cast.user)).url == APP
        assert stale.get(APP).status_code == 200

    def test_needs_both(self, stale, cast):
        for password, code in (("wrong", app_code(cast.user)), (PASSWORD, "000000"), (PASSWORD, ""), ("", "")):
            assert self.confirm(stale, password, code).status_code == 422
        assert stale.get(APP).status_code == 302

    def test_never_leads_to_another_host(self, stale, cast):
        for wanted in ("//evil.example/", "https://evil.example/", "javascript:alert(1)", ""):
            assert self.confirm(stale, PASSWORD, app_code(cast.user), wanted).url == "/"

    def test_is_slowed_down(self, stale, cast):
        answers = {self.confirm(stale, PASSWORD, "000000").status_code for _try in range(7)}
        assert answers == {422, 429}


@promise("A-16")
class TestWhoMustHaveOne:
    @thorough
    @pytest.mark.parametrize("role", ["dvb", "dsb", "staff"])
    def test_opens_no_page_but_the_one_to_add_it(self, cast, role):
        ids = objects(cast)
        Factor.objects.all().delete()
        client = Client(raise_request_exception=False)
        client.force_login(getattr(cast, role))
        allowed = {"/anmelden/bestaetigen/", "/zwei-faktor/", APP, "/zwei-faktor/sicherheitsschluessel/"}
        allowed |= {"/passwort/aendern/", "/abmelden/", "/sitzung/", "/zwei-faktor/yubikey/"}
        for route, row in ROUTES.items():
            path = url(route, ids)
            if row["anonymous"] == "/anmelden/" and path not in allowed:
                for answer in (client.get(path), client.post(path)):
                    assert (answer.status_code, answer.url) == (302, "/zwei-faktor/"), path

    def test_is_led_back_by_admins_own_login_page(self, cast):
        Factor.objects.all().delete()
        client = Client()
        client.force_login(cast.dvb)
        response = client.get("/desk/login/?next=/desk/", follow=True)
        assert response.redirect_chain[-1][0] == "/zwei-faktor/"

    def test_are_mailbox_users_too_where_the_customer_says_so(self, portal, cast):
        today = timezone.localdate()
        for policy, day, answer in (
            ("free", None, 200),
            ("from_date", today + timedelta(days=1), 200),
            ("from_date", today, 302),
            ("required", None, 302),
        ):
            Tenant.objects.filter(pk=cast.tenant.pk).update(second_factor=policy, second_factor_from=day)
            assert portal.get("/").status_code == answer, (policy, day)

    def test_comes_first_after_the_initial_password(self, cast, client):
        dvb = make_person(User.Role.DVB, "neu@musterdomain.de", cast.tenant)
        dvb.factors.all().delete()
        User.objects.filter(pk=dvb.pk).update(initial_password=True, initial_expires_at=timezone.now() + timedelta(1))
        client.force_login(dvb)
        assert client.get("/desk/").url == client.get("/zwei-faktor/").url == "/passwort/aendern/"
