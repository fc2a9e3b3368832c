"""How long a session lasts, as the page asks before it announces the end."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import PortalSession
from tests.client import Client


@pytest.fixture
def portal(cast):
    client = Client()
    client.force_login(cast.user)
    client.get("/")
    return client


def ends():
    return PortalSession.objects.latest("expire_date").expire_date


def test_asking_tells_the_seconds_and_prolongs_nothing(portal, settings):
    settings.SESSION_SEEN_EVERY = -1
    PortalSession.objects.update(expire_date=timezone.now() + timedelta(seconds=100))
    before = ends()
    assert 98 <= portal.get("/sitzung/").json()["left"] <= 100
    assert ends() == before


def test_staying_prolongs_it_up_to_its_absolute_age(portal, settings):
    PortalSession.objects.update(expire_date=timezone.now() + timedelta(seconds=100))
    assert portal.post("/sitzung/").json()["left"] >= settings.SESSION_COOKIE_AGE - 2
    settings.SESSION_ABSOLUTE_AGE = 600
    assert portal.post("/sitzung/").json()["left"] <= 600


def test_staying_needs_the_forms_token(cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.user)
    assert client.post("/sitzung/").status_code == 403


def test_nobody_has_no_time_left(client, db):
    assert client.get("/sitzung/").json() == client.post("/sitzung/").json() == {"left": 0}


def test_the_login_page_says_why_it_is_there(client, db):
    assert "Sitzung" in client.get("/anmelden/?next=/weiterleitungen/").content.decode()
    assert "Sitzung" not in client.get("/anmelden/").content.decode()
