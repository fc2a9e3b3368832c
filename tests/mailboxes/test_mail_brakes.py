"""Passwords tried by mail programs, counted by the database before Dovecot hashes any."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connections
from django.db.models import F

from accounts.models import Brake, KnownPlace, User
from accounts.models.brakes import ACCOUNT
from accounts.networks import network_of
from tests.mailboxes.test_contract import MAX, ask
from tests.marks import committed
from tests.promises import LONG, promise

HOME, CAFE = "203.0.113.20", "198.51.100.7"
FREE = 10  # passwords that one network may try on one mailbox at once
GUESSES = 5000 if LONG else 300


def digest(text):
    """As Dovecot makes it."""
    return hashlib.sha256((settings.APP_PASSWORD_PEPPER + text).encode()).hexdigest()


def tried(guess, *, address=MAX, ip=CAFE):
    """Whether Dovecot gets a hash to compare this guess with."""
    question = "SELECT username FROM mail.password_of(%s, %s, %s, %s)"
    return bool(ask("mail_auth", question, address, digest(address), digest(guess)[:8], ip))


def logged_in(*, address=MAX, ip=HOME):
    ask("mail_auth", "SELECT mail.note_login(%s, 'imap', %s, %s)", address, digest(address), ip)


def later(**how_long):
    Brake.objects.update(blocked_until=F("blocked_until") - timedelta(**how_long))


def strangers(number):
    return f"10.{number % 7}.{number // 250 % 250}.{number % 250}"


@committed
class TestOneNetwork:
    @promise("A-22")
    def test_may_try_ten_passwords_on_a_mailbox_and_then_waits(self, cast):
        passed = [tried(f"guess {number}") for number in range(20)]
        assert passed == [True] * FREE + [False] * 10
        assert not tried("the right one") and tried("guess", ip=HOME)
        assert tried("guess", address=cast.other_user.address)
        later(seconds=31)
        # On all connections of a program at once, although the first puts the brake on again.
        assert all(tried("the right one") for _connection in range(4))
        assert not tried("guess")

    def test_may_try_the_same_password_again_and_again(self, cast):
        assert all(tried("of last year") for _try in range(3 * FREE))
        assert all(tried(f"guess {number}") for number in range(FREE - 1))
        assert not tried("one more")

    def test_begins_anew_after_a_login(self, cast):
        for _round in range(3):
            assert all(tried(f"guess {number}") for number in range(FREE - 1))
            logged_in(ip=CAFE)
        assert Brake.objects.count() == 0

    def test_leaves_no_trace_of_an_address_that_has_no_password_for_mail(self, cast):
        assert not tried("guess", address="nobody@musterdomain.de")
        User.objects.filter(pk=cast.user.pk).update(mail_password_enabled=False)
        assert not tried("guess")
        assert Brake.objects.count() == 0

    def test_is_known_by_no_name_and_no_password(self, cast):
        tried("guess")
        logged_in()
        assert Brake.objects.get(tries=1, key__regex="^[0-9a-f]{64}$").guess == digest("guess")[:8]
        assert KnownPlace.objects.get().key not in {digest(MAX), digest(HOME)}


@committed
class TestWhereTheOwnerHasLoggedIn:
    @promise("A-23")
    def test_strangers_keep_nobody_out(self, cast):
        logged_in()

        def guess(number):
            owner = number % 10 == 0
            return owner, tried("right" if owner else f"guess {number}", ip=HOME if owner else strangers(number))

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(guess, range(GUESSES)))
        assert all(passed for owner, passed in answers if owner)
        assert sum(passed for owner, passed in answers if not owner) == ACCOUNT.free
        assert not tried("right", ip=CAFE)

    def test_portal_and_mail_know_it_alike(self, cast):
        for ip in (HOME, "2001:db8:7:1::20", "::ffff:192.0.2.9", ""):
            assert not KnownPlace.objects.knows_network(area="mailbox", address=MAX, ip=ip)
            logged_in(ip=ip)
            assert KnownPlace.objects.knows_network(area="mailbox", address=MAX, ip=ip)
        assert KnownPlace.objects.knows_network(area="mailbox", address=MAX, ip="2001:db8:7:1::99")
        assert not KnownPlace.objects.knows_network(area="ksc", address=MAX, ip=HOME)
        assert not KnownPlace.objects.knows_network(area="mailbox", address=cast.other_user.address, ip=HOME)

    @pytest.mark.parametrize(
        "ip", ["192.0.2.7", "::1", "fe80::1", "2001:db8:0:1::5", "2001:db8::", "::ffff:1.2.3.4", ""]
    )
    def test_is_written_alike_by_portal_and_mail(self, db, ip):
        with connections["owner"].cursor() as cursor:
            cursor.execute("SET ROLE mail_owner")
            cursor.execute("SELECT mail.network_of(%s)", [ip])
            written = cursor.fetchall()
            cursor.execute("RESET ROLE")
        assert written == [(network_of(ip),)]


@promise("A-23")
@committed
def test_portal_and_mail_share_what_everybody_together_may_try(cast):
    def at_the_portal(number):
        return Brake.objects.count_try(area="mailbox", address=MAX, ip=strangers(number)) is None

    half = ACCOUNT.free // 2
    assert all(at_the_portal(number) for number in range(half))
    assert all(tried(f"guess {number}", ip=strangers(number)) for number in range(half, ACCOUNT.free))
    assert not tried("right", ip=CAFE) and not at_the_portal(999)
