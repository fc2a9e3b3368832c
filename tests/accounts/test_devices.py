"""Anmeldungen und Geräte: who is logged in as me, and how that ends."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.agents import described
from accounts.models import KnownPlace, OutboxMessage
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile Safari/604.1"
PAGE = "/anmeldungen/"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox, Windows"),
        (IPHONE, "Safari, iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8", ""),
        ("", ""),
    ],
)
def test_a_browser_is_told_in_words(agent, words):
    assert described(agent) == words


@pytest.fixture
def two(cast, log_in):
    """The same person with a computer and a phone."""
    clients = [Client(headers={"user-agent": FIREFOX}), Client(headers={"user-agent": IPHONE})]
    for number, client in enumerate(clients):
        client.defaults["REMOTE_ADDR"] = f"198.51.100.{number}"
        assert log_in(client, cast.user).status_code == 302
    return clients


def number_of(client):
    return client.session["number"]


class TestTheList:
    def test_shows_devices_networks_and_times(self, two):
        page = two[0].get(PAGE).content.decode()
        assert page.index("Firefox, Windows") < page.index("Safari, iPhone")
        assert "198.51.100.1" in page and "im Netz" in page
        assert page.count('name="number"') == 1

    def test_shows_nobody_elses(self, two, cast):
        stranger = Client()
        stranger.force_login(cast.other_user)
        page = stranger.get(PAGE).content.decode()
        assert "Firefox, Windows" not in page and "198.51.100" not in page

    @promise("A-29")
    def test_shows_no_key_that_opens_a_session(self, two):
        page = two[0].get(PAGE).content.decode()
        assert two[0].cookies["ksc"].value not in page and two[1].cookies["ksc"].value not in page


class TestEnding:
    def test_one_session(self, two):
        assert two[0].post("/anmeldungen/beenden/", {"number": number_of(two[1])}).url == PAGE
        assert two[1].get("/").status_code == 302 and two[0].get("/").status_code == 200

    def test_all_others(self, two):
        two[1].post("/anmeldungen/andere-beenden/")
        assert two[0].get("/").status_code == 302 and two[1].get("/").status_code == 200

    @promise("A-12")
    @pytest.mark.parametrize("number", ["", "0" * 32, "x" * 10_000, "'"])
    def test_of_what_is_not_ones_own_changes_nothing(self, two, cast, number):
        stranger = Client()
        stranger.force_login(cast.other_user)
        for each in (number, number_of(two[0])):
            assert stranger.post("/anmeldungen/beenden/", {"number": each}).url == PAGE
        assert two[0].get("/").status_code == 200 and stranger.get("/").status_code == 200


class TestANewDevice:
    def subjects(self):
        return list(OutboxMessage.objects.filter(kind="email").values_list("payload__subject", flat=True))

    def test_is_told_to_whoever_had_others(self, two):
        assert self.subjects() == ["Anmeldung mit einem neuen Gerät"]
        [text] = OutboxMessage.objects.values_list("payload__text", flat=True)
        assert "Safari, iPhone" in text and "198.51.100.1" in text

    def test_is_known_the_next_time_for_ninety_days(self, two, cast, log_in):
        log_in(Client(headers={"user-agent": IPHONE}), cast.user)
        assert len(self.subjects()) == 1
        KnownPlace.objects.update(seen_at=timezone.now() - timedelta(days=91))
        KnownPlace.objects.forgotten().delete()
        assert KnownPlace.objects.count() == 0
