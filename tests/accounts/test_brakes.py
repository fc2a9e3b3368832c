from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from accounts.models import Brake
from accounts.models.brakes import ACCOUNT, NETWORK, PAIR, BrakeQuerySet
from accounts.networks import network_of
from tests.cast import PASSWORD, the_cast
from tests.client import Client
from tests.marks import committed, thorough
from tests.promises import LONG, promise

pytestmark = thorough

# What the promises name is a thousand tries; the everyday run takes a tenth.
MANY = 1000 if LONG else 100
PARALLEL = 50 if LONG else 16
GUESSES = 5000 if LONG else 300


def tries(number, *, address="max@musterdomain.de", ip="198.51.100.7"):
    """How many of so many tries in a row may go on to the hash."""
    return sum(Brake.objects.count_try(area="mailbox", address=address, ip=ip) is None for _try in range(number))


def later(**how_long):
    """Let time pass for all counters."""
    shift = timedelta(**how_long)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_brake SET last_try = last_try - %s, blocked_until = blocked_until - %s", [shift, shift]
        )


@pytest.mark.django_db
class TestTheBrake:
    @promise("A-22")
    @thorough
    def test_lets_five_tries_of_one_network_on_one_mailbox_pass(self):
        assert tries(MANY) == PAIR.free

    def test_grows_with_each_try_after_that_up_to_fifteen_minutes(self):
        tries(PAIR.free)
        minutes = []
        for _round in range(8):
            wait = Brake.objects.count_try(area="mailbox", address="max@musterdomain.de", ip="198.51.100.7")
            minutes.append(round(wait.total_seconds() / 60, 1))
            later(minutes=15, seconds=1)
            assert tries(1) == 1
        assert minutes == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]

    @promise("A-22")
    def test_does_not_stop_the_owner_in_another_network(self):
        tries(MANY)
        assert tries(1, ip="203.0.113.20") == 1

    @promise("A-23")
    def test_allows_less_than_a_hundred_tries_on_one_account_from_many_networks(self):
        passed = sum(tries(1, ip=f"10.0.{number // 250}.{number % 250}") for number in range(MANY))
        assert passed == ACCOUNT.free <= 100

    @promise("A-23")
    def test_never_lasts_longer_than_fifteen_minutes(self):
        for number in range(200):
            tries(1, ip=f"10.0.0.{number}")
        later(minutes=15, seconds=1)
        assert tries(1, ip="203.0.113.20") == 1

    @promise("A-23")
    def test_stops_spraying_from_one_network_at_thirty(self):
        assert sum(tries(1, address=f"user{number}@musterdomain.de") for number in range(MANY)) == NETWORK.free

    @promise("A-24")
    def test_forgives_the_account_but_never_the_network(self):
        tries(PAIR.free - 2)
        for number in range(NETWORK.free - PAIR.free + 1):
            tries(1, address=f"user{number}@musterdomain.de")
        assert tries(1) == 1
        Brake.objects.forgive(area="mailbox", address="max@musterdomain.de", ip="198.51.100.7")
        assert tries(PAIR.free) == 1

    def test_does_not_slow_an_office_whose_logins_are_right(self):
        for number in range(NETWORK.free * 2):
            login = {"area": "mailbox", "address": f"user{number}@musterdomain.de", "ip": "198.51.100.7"}
            assert Brake.objects.count_try(**login) is None
            Brake.objects.forgive(**login)

    def test_of_one_mailbox_does_not_use_up_what_the_network_has(self):
        assert tries(MANY) == PAIR.free
        assert sum(tries(1, address=f"user{number}@musterdomain.de") for number in range(20)) == 20

    def test_lets_the_next_try_pass_when_its_row_is_gone(self, monkeypatch):
        tries(PAIR.free)
        monkeypatch.setattr(BrakeQuerySet, "_count", lambda *args: Brake.objects.all().delete() and False)
        assert Brake.objects.count_try(area="mailbox", address="x@y.de", ip="198.51.100.7") <= timedelta(seconds=1)

    def test_forgets_after_an_hour_of_rest(self):
        tries(100)
        later(hours=1, seconds=1)
        assert tries(100) == PAIR.free
        later(hours=1, seconds=1)
        assert Brake.objects.forgotten().count() == Brake.objects.count()

    def test_keeps_no_address_and_no_network_in_its_table(self):
        tries(2)
        assert all(len(key) == 64 and "max" not in key for key in Brake.objects.values_list("key", flat=True))

    @pytest.mark.parametrize(
        ("ip", "network"),
        [
            ("198.51.100.7", "198.51.100.7/32"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::ffff:198.51.100.7", "198.51.100.7/32"),
        ],
    )
    def test_counts_an_ipv6_line_as_one(self, ip, network):
        assert network_of(ip) == network


class TestALoginPastTheLimit:
    def test_is_answered_429_with_the_time_to_wait(self, client, cast, log_in):
        for _try in range(PAIR.free):
            log_in(client, cast.user, password="wrong")
        response = log_in(client, cast.user)
        assert response.status_code == 429
        assert 0 < int(response["Retry-After"]) <= 30
        assert "KundenServiceCenter" in response.content.decode()

    @promise("A-24")
    def test_counts_spellings_of_one_address_together(self, client, cast, log_in):
        spellings = [
            "max.mustermann@musterdomain.de",
            "MAX.MUSTERMANN@musterdomain.de",
            " Max.Mustermann@MUSTERDOMAIN.de ",
        ]
        answers = [
            log_in(client, cast.user, address=spelling, password="wrong").status_code for spelling in spellings * 2
        ]
        assert answers == [200] * PAIR.free + [429]

    def test_is_the_same_for_an_unknown_address(self, client, cast, log_in):
        for _try in range(PAIR.free):
            log_in(client, area="mailbox", address="nobody@musterdomain.de")
        assert log_in(client, area="mailbox", address="nobody@musterdomain.de").status_code == 429


@promise("A-22")
@committed
def test_parallel_guesses_get_no_more_tries_than_guesses_in_a_row(log_in):
    user = the_cast().user

    def guess(number):
        try:
            return log_in(Client(), user, password=f"guess {number}").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(guess, range(PARALLEL)))
    assert sorted(answers) == [200] * PAIR.free + [429] * (PARALLEL - PAIR.free)


@promise("A-22")
@promise("A-23")
@committed
def test_thousands_of_guesses_from_everywhere_neither_get_in_nor_keep_the_owner_out(log_in):
    """The owner has logged in from home before and goes on doing so while strangers guess from many networks."""
    user, home = the_cast().user, "203.0.113.20"
    assert log_in(Client(REMOTE_ADDR=home), user).status_code == 302

    def guess(number):
        owner = number % 10 == 0
        client = Client(REMOTE_ADDR=home if owner else f"10.{number % 7}.{number // 250 % 250}.{number % 250}")
        try:
            return owner, log_in(client, user, password=PASSWORD if owner else f"guess {number}").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        answers = Counter(pool.map(guess, range(GUESSES)))
    assert answers[True, 302] == GUESSES // 10
    assert answers[False, 302] == 0
    assert answers[False, 200] == ACCOUNT.free


def test_the_right_password_within_the_limit_clears_the_count(client, cast, log_in):
    for _round in range(3):
        for _try in range(PAIR.free - 1):
            log_in(client, cast.user, password="wrong")
        assert log_in(client, cast.user, password=PASSWORD).status_code == 302
        client.post("/abmelden/")
