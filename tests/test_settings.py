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
    "BASE_URL": "https://kundenservice.hoster.example",
    "DATABASE_URL": "postgres://ksc_app:x@localhost/ksc",
    "PATH": os.environ["PATH"],
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
    @pytest.mark.parametrize("missing", ["SECRET_KEY", "BASE_URL", "DATABASE_URL"])
    def test_without_what_it_needs(self, read, missing):
        with pytest.raises(ImproperlyConfigured, match=missing):
            read(without=[missing])

    @pytest.mark.parametrize("base_url", ["http://kundenservice.hoster.example", "kundenservice"])
    def test_on_plain_http_beyond_this_machine(self, read, base_url):
        with pytest.raises(ImproperlyConfigured, match="BASE_URL"):
            read(BASE_URL=base_url)

    def test_with_debug_on_the_open_net(self, read):
        with pytest.raises(ImproperlyConfigured, match="DEBUG"):
            read(DEBUG="1")


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
