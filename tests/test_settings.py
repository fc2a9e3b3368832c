"""Settings that would be dangerous do not start."""

import os
import runpy
import subprocess
import sys
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.marks import thorough
from tests.promises import promise

SAFE = {
    "SECRET_KEY": "a-key-that-is-only-for-this-test-and-fifty-characters-long",
    "APP_PASSWORD_PEPPER": "0123456789abcdef" * 4,
    "BASE_URL": "https://kundenservice.hoster.example",
    "DATABASE_URL": "postgres://ksc_app:x@localhost/ksc",
    "PATH": os.environ["PATH"],
}
VALIDATION = {
    "YUBIKEY_VALIDATION_URLS": "https://val.hoster.example/wsapi/2.0/verify",
    "YUBIKEY_CLIENT_ID": "4711",
    "YUBIKEY_CLIENT_KEY": "dHdlbnR5IHNlY3JldCBieXRlcyE=",
}


@pytest.fixture
def read(monkeypatch):
    """Read the settings as a start with this environment does."""

    def read(*, without=(), **changed):
        with monkeypatch.context() as patch:
            for name in set(os.environ) - {"PATH"}:
                patch.delenv(name)
            for name, value in (SAFE | changed).items():
                if name not in without:
                    patch.setenv(name, value)
            return SimpleNamespace(**runpy.run_path("kscsite/settings.py"))

    return read


@promise("A-60")
class TestThePortalDoesNotStart:
    @pytest.mark.parametrize("missing", ["SECRET_KEY", "BASE_URL", "DATABASE_URL", "APP_PASSWORD_PEPPER"])
    def test_without_what_it_needs(self, read, missing):
        with pytest.raises(ImproperlyConfigured, match=missing):
            read(without=[missing])

    @pytest.mark.parametrize("base_url", ["http://kundenservice.hoster.example", "kundenservice"])
    def test_on_plain_http_beyond_this_machine(self, read, base_url):
        with pytest.raises(ImproperlyConfigured, match="BASE_URL"):
            read(BASE_URL=base_url)

    @pytest.mark.parametrize("end", ["", "%u", "'", '"', ";salt=x:", "}", "{", "\\", "\n"])
    def test_with_a_pepper_that_is_short_or_would_break_dovecots_configuration(self, read, end):
        with pytest.raises(ImproperlyConfigured, match="APP_PASSWORD_PEPPER"):
            read(APP_PASSWORD_PEPPER="a" * (32 if end else 31) + end)

    def test_with_debug_on_the_open_net(self, read):
        with pytest.raises(ImproperlyConfigured, match="DEBUG"):
            read(DEBUG="1")

    @pytest.mark.parametrize(
        ("complaint", "changed"),
        [
            ("URLS", {"YUBIKEY_VALIDATION_URLS": "http://val.hoster.example/wsapi/2.0/verify"}),
            ("URLS", {"YUBIKEY_VALIDATION_URLS": f"{VALIDATION['YUBIKEY_VALIDATION_URLS']},ftp://localhost/verify"}),
            ("URLS", {"YUBIKEY_VALIDATION_URLS": "https://val.hoster.example/wsapi/2.0/verify?id=1"}),
            ("URLS", {"YUBIKEY_VALIDATION_URLS": "https://somebody@val.hoster.example/wsapi/2.0/verify"}),
            ("CLIENT_ID", {"YUBIKEY_CLIENT_ID": ""}),
            ("CLIENT_KEY", {"YUBIKEY_CLIENT_KEY": ""}),
            ("CLIENT_KEY", {"YUBIKEY_CLIENT_KEY": "c2hvcnQ="}),
            ("CLIENT_KEY", {"YUBIKEY_CLIENT_KEY": "not base64, but long enough"}),
        ],
    )
    def test_with_a_validation_service_that_it_could_not_trust(self, read, complaint, changed):
        with pytest.raises(ImproperlyConfigured, match=complaint):
            read(**VALIDATION | changed)

    @pytest.mark.parametrize(
        "resolver", ["127.0.0.1", "dns.hoster.example:53", "127.0.0.1:0", "127.0.0.1:65536", ":53"]
    )
    def test_with_a_resolver_that_cannot_be_asked(self, read, resolver):
        with pytest.raises(ImproperlyConfigured, match="DNS_RESOLVER"):
            read(DNS_RESOLVER=resolver)


class TestAValidationService:
    def test_is_asked_at_addresses_separated_by_commas(self, read):
        addresses = ["https://a.hoster.example/wsapi/2.0/verify", "http://localhost:8080/wsapi/2.0/verify"]
        settings = read(**VALIDATION | {"YUBIKEY_VALIDATION_URLS": ", ".join([*addresses, ""])})
        assert addresses == settings.YUBIKEY_VALIDATION_URLS

    def test_is_off_until_one_is_named(self, read):
        assert read().YUBIKEY_VALIDATION_URLS == []


def test_rspamds_secret_is_long_and_plain_or_there_is_none(read):
    for secret in ("", "a" * 32):
        assert secret == read(VERDICTS_SECRET=secret).VERDICTS_SECRET
    for secret in ("a" * 31, "a" * 32 + " ", "ä" * 40):
        with pytest.raises(ImproperlyConfigured, match="VERDICTS_SECRET"):
            read(VERDICTS_SECRET=secret)


@pytest.mark.parametrize("resolver", ["", "127.0.0.1:53", "[::1]:5353"])
def test_a_resolver_is_an_address_and_a_port(read, resolver):
    assert resolver == read(DNS_RESOLVER=resolver).DNS_RESOLVER


@promise("A-54")
class TestCookies:
    def test_are_host_bound_and_secure_on_https(self, read):
        settings = read()
        assert (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME) == ("__Host-ksc", "__Host-csrf")
        assert settings.SESSION_COOKIE_SECURE and settings.SECURE_HSTS_SECONDS == 31536000
        assert settings.ALLOWED_HOSTS == ["kundenservice.hoster.example"]

    def test_are_plain_on_localhost_alone(self, read):
        settings = read(BASE_URL="http://localhost:8000")
        assert (settings.SESSION_COOKIE_NAME, settings.SECURE_HSTS_SECONDS) == ("ksc", 0)
        assert not settings.SESSION_COOKIE_SECURE


@promise("A-60")
@thorough
def test_djangos_own_check_for_production_is_silent():
    check = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    environment = SAFE | {"DJANGO_SETTINGS_MODULE": "kscsite.settings"}
    done = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "no issues" in done.stdout + done.stderr
