"""Settings that would be dangerous do not start."""

import os
import subprocess
import sys

import pytest

from tests.promises import promise

SAFE = {
    "SECRET_KEY": "a-key-that-is-only-for-this-test-and-fifty-characters-long",
    "BASE_URL": "https://kundenservice.hoster.example",
    "DATABASE_URL": "postgres://ksc_app:x@localhost/ksc",
    "PATH": os.environ["PATH"],
}


def start(expression="pass", *, without=(), **changed):
    environment = {key: value for key, value in (SAFE | changed).items() if key not in without}
    code = f"import django; django.setup(); from django.conf import settings; {expression}"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"DJANGO_SETTINGS_MODULE": "kscsite.settings"},
        capture_output=True,
        text=True,
        check=False,
    )


@promise("A-60")
class TestThePortalDoesNotStart:
    @pytest.mark.parametrize("missing", ["SECRET_KEY", "BASE_URL", "DATABASE_URL"])
    def test_without_what_it_needs(self, missing):
        done = start(without=[missing])
        assert done.returncode and missing in done.stderr

    @pytest.mark.parametrize("base_url", ["http://kundenservice.hoster.example", "kundenservice"])
    def test_on_plain_http_beyond_this_machine(self, base_url):
        done = start(BASE_URL=base_url)
        assert done.returncode and "BASE_URL" in done.stderr

    def test_with_debug_on_the_open_net(self):
        done = start(DEBUG="1")
        assert done.returncode and "DEBUG" in done.stderr


@promise("A-54")
class TestCookies:
    def test_are_host_bound_and_secure_on_https(self):
        names = "settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.SESSION_COOKIE_SECURE"
        done = start(f"print({names}, settings.SECURE_HSTS_SECONDS, settings.ALLOWED_HOSTS)")
        assert done.stdout == "__Host-ksc __Host-csrf True 31536000 ['kundenservice.hoster.example']\n"

    def test_are_plain_on_localhost_alone(self):
        done = start(
            "print(settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS)",
            BASE_URL="http://localhost:8000",
        )
        assert done.stdout == "ksc False 0\n"


@promise("A-60")
def test_djangos_own_check_for_production_is_silent():
    done = start(
        "from django.core.management import call_command; call_command('check', deploy=True, fail_level='WARNING')"
    )
    assert (done.returncode, done.stderr) == (0, "System check identified no issues (1 silenced).\n") or (
        done.returncode == 0 and "no issues" in done.stdout + done.stderr
    )
