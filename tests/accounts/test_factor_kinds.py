"""YubiKeys and security keys as second factors of the portal: added, shown, replayed, forged."""

import json
import re
from html import unescape

import pytest

from accounts.models import Factor
from tests.accounts.software_key import SoftwareKey
from tests.accounts.test_factors import codes_on, factor_step, is_in, password_step
from tests.accounts.validation_service import Key, ValidationService
from tests.cast import add_app, app_code
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

YUBIKEY, SECURITY_KEY = "/zwei-faktor/yubikey/", "/zwei-faktor/sicherheitsschluessel/"
ORIGIN = "http://localhost:8000"


@pytest.fixture
def portal(cast, client):
    client.force_login(cast.user)
    return client


class TestAYubikey:
    @pytest.fixture
    def key(self):
        return Key()

    @pytest.fixture
    def service(self, key, settings):
        with ValidationService(key) as service:
            for name, value in service.settings.items():
                setattr(settings, name, value)
            yield service

    def test_is_offered_only_where_a_service_judges_it(self, portal, service, settings):
        assert YUBIKEY in portal.get("/zwei-faktor/").content.decode()
        settings.YUBIKEY_VALIDATION_URLS = []
        assert YUBIKEY not in portal.get("/zwei-faktor/").content.decode()
        assert portal.get(YUBIKEY).status_code == 404

    def test_is_added_by_one_touch_and_logs_in_by_another(self, portal, cast, service, key):
        assert len(codes_on(portal.post(YUBIKEY, {"code": key.press(), "name": "Schlüsselbund"}))) == 10
        factor = cast.user.factors.devices().get()
        assert (factor.kind, factor.name, factor.identifier) == ("yubikey", "Schlüsselbund", key.public_id)
        client = Client()
        password_step(client, cast.user)
        assert factor_step(client, key.press()).status_code == 302 and is_in(client)

    @promise("A-21")
    def test_opens_nothing_with_what_was_used_before_nor_for_somebody_else(self, portal, cast, service, key):
        first, second, third = key.press(), key.press(), key.press()
        portal.post(YUBIKEY, {"code": second, "name": "x"})
        Factor.objects.add(cast.dvb, "yubikey", name="Meiner", identifier="c" * 12, by=cast.dvb)
        for user, otp in ((cast.user, first), (cast.user, second), (cast.dvb, third), (cast.user, "c" * 44)):
            client = Client()
            password_step(client, user)
            assert factor_step(client, otp).status_code == 200 and not is_in(client)

    @promise("A-21")
    @pytest.mark.parametrize("mode", ["backend_error", "unsigned", "down"])
    def test_without_its_service_leaves_the_other_factors(self, portal, cast, service, key, settings, mode):
        portal.post(YUBIKEY, {"code": key.press(), "name": "x"})
        add_app(cast.user)
        service.mode = mode
        if mode == "down":
            service.stop()
        client = Client()
        password_step(client, cast.user)
        answer = factor_step(client, key.press())
        assert answer.status_code == 200 and "nicht erreichbar" in answer.content.decode()
        assert factor_step(client, app_code(cast.user)).status_code == 302

    def test_is_refused_twice_and_by_anything_that_is_no_otp(self, portal, cast, service, key):
        portal.post(YUBIKEY, {"code": key.press(), "name": "x"})
        for code in (key.press(), "123456", "x" * 44, "", "c" * 10_000):
            assert portal.post(YUBIKEY, {"code": code, "name": "y"}).status_code == 422
        assert cast.user.factors.devices().count() == 1


def options_on(response):
    return unescape(re.search(r'data-options="([^"]+)"', response.content.decode())[1])


class TestASecurityKey:
    @pytest.fixture(autouse=True)
    def origin(self, settings):
        settings.BASE_URL = ORIGIN

    def add(self, portal, key, origin=ORIGIN):
        answer = key.create(options_on(portal.get(SECURITY_KEY)), origin)
        return portal.post(SECURITY_KEY, {"answer": answer, "name": "Mein Schlüssel"})

    def answer(self, client, answer):
        return client.post("/anmelden/", {"login_view-current_step": "factor", "factor-answer": answer})

    def test_is_added_and_logs_in_without_any_code(self, portal, cast):
        key = SoftwareKey()
        assert len(codes_on(self.add(portal, key))) == 10
        client = Client()
        options = options_on(password_step(client, cast.user))
        assert self.answer(client, key.get(options, ORIGIN)).status_code == 302 and is_in(client)
        factor = cast.user.factors.devices().get()
        assert (factor.kind, factor.sign_count) == ("webauthn", 1) and factor.last_used_at

    @promise("A-20")
    def test_opens_no_second_session_with_a_recorded_answer(self, portal, cast):
        key = SoftwareKey()
        self.add(portal, key)
        first, second = Client(), Client()
        recorded = key.get(options_on(password_step(first, cast.user)), ORIGIN)
        password_step(second, cast.user)
        assert [self.answer(client, recorded).status_code for client in (second, first)] == [200, 302]
        assert is_in(first) and not is_in(second)

    @promise("A-20")
    def test_counts_each_challenge_once_even_where_a_key_does_not_count(self, portal, cast):
        key = SoftwareKey(counts=0)
        self.add(portal, key)
        client = Client()
        recorded = key.get(options_on(password_step(client, cast.user)), ORIGIN)
        before = client.session[("wizard_login_view")], client.session["challenge"]
        assert self.answer(client, recorded).status_code == 302
        again = Client()
        password_step(again, cast.user)
        session = again.session
        session["wizard_login_view"], session["challenge"] = before
        session.save()
        assert self.answer(again, recorded).status_code == 200 and not is_in(again)

    @promise("A-20")
    def test_of_another_origin_another_person_or_a_broken_signature_is_refused(self, portal, cast):
        key, foreign, broken = SoftwareKey(), SoftwareKey(), SoftwareKey(flips_signature=True)
        assert self.add(portal, key, "https://evil.example").status_code == 422
        self.add(portal, key)
        other = Client()
        other.force_login(cast.other_user)
        self.add(other, foreign)
        self.add(portal, broken)
        for forger, origin in ((key, "https://evil.example"), (broken, ORIGIN)):
            client = Client()
            answer = self.answer(client, forger.get(options_on(password_step(client, cast.user)), origin))
            assert answer.status_code == 200 and "Sicherheitsschlüssel hat hier nicht" in answer.content.decode()
            assert not is_in(client)
        client = Client()
        options = json.loads(options_on(password_step(client, cast.user)))
        options["allowCredentials"] = [{"id": json.loads(foreign.answer())["id"], "type": "public-key"}]
        assert self.answer(client, foreign.get(json.dumps(options), ORIGIN)).status_code == 200
        assert not is_in(client)

    @pytest.mark.parametrize("answer", ["{}", "[]", "null", "x" * 20_000, '{"id": "a"}', "\0", "{" * 5000])
    def test_of_garbage_gets_a_calm_answer(self, portal, cast, answer):
        self.add(portal, SoftwareKey())
        client = Client()
        password_step(client, cast.user)
        assert self.answer(client, answer).status_code == 200 and not is_in(client)
        assert portal.post(SECURITY_KEY, {"answer": answer, "name": "x"}).status_code == 422

    def test_in_two_tabs_takes_the_later_one(self, portal, cast):
        key = SoftwareKey()
        first, _second = (options_on(portal.get(SECURITY_KEY)) for _tab in range(2))
        refused = portal.post(SECURITY_KEY, {"answer": key.create(first, ORIGIN), "name": "x"})
        assert refused.status_code == 422
        answer = key.create(options_on(refused), ORIGIN)
        assert portal.post(SECURITY_KEY, {"answer": answer, "name": "x"}).status_code == 200

    @promise("A-12")
    def test_says_the_name_of_no_other_host(self, portal, cast):
        page = portal.get(SECURITY_KEY, headers={"host": "localhost"})
        assert json.loads(options_on(page))["rp"]["id"] == "localhost"
