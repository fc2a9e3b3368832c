"""Wiederherstellungsadresse: who may set it, when it counts, and who is told."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail, signing
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.addresses import masked_address, normalise_outside_address
from accounts.management.commands.worker import Command
from accounts.models import AuditEvent, OutboxMessage, PasswordReset, RecoveryAddress, StaleCredentials, User
from accounts.models.brakes import CHANGE, MAILED
from accounts.wall import everybody
from tests.accounts.test_recovery import ELSEWHERE, NEW, reachable, work
from tests.cast import CANARY, PASSWORD, the_cast
from tests.client import Client
from tests.marks import committed, thorough
from tests.promises import promise

pytestmark = thorough

PAGE = "/wiederherstellung/"
REMOVE = "/wiederherstellung/entfernen/"
LINK = re.compile(r"http://localhost:8000(/wiederherstellung/bestaetigen/[\w:-]+/)")


@pytest.fixture
def portal(cast, client, log_in):
    cast.user.choose_language("en")
    log_in(client, cast.user)
    OutboxMessage.objects.all().delete()
    return client


def propose(client, address=ELSEWHERE, password=PASSWORD, **extra):
    return client.post(PAGE, {"address": address, "current_password": password} | extra)


def mailed_link() -> str:
    work()
    [path] = [path for message in mail.outbox for path in LINK.findall(str(message.body))]
    mail.outbox.clear()
    return path


def in_force(user) -> list[str]:
    return list(user.recovery_addresses.in_force().values_list("address", flat=True))


class TestSettingIt:
    def test_counts_only_after_the_link_was_followed_and_the_button_pressed(self, portal, cast):
        assert propose(portal).url == PAGE
        assert in_force(cast.user) == [] and cast.user.reached_at == [cast.user.address]
        link, stranger = mailed_link(), Client()
        assert (stranger.get(link).status_code, stranger.head(link).status_code) == (200, 200)
        assert in_force(cast.user) == []
        assert stranger.post(link).status_code == 200
        assert in_force(cast.user) == [ELSEWHERE]
        assert cast.user.reached_at == [cast.user.address, ELSEWHERE]
        assert "_auth_user_id" not in stranger.session

    def test_is_for_everybody_who_is_logged_in(self, cast, log_in):
        for person in (cast.dvb, cast.dsb, cast.staff):
            client = Client()
            log_in(client, person)
            assert propose(client, f"{person.role}@zuhause.example").url == PAGE
            assert Client().post(mailed_link()).status_code == 200
            assert in_force(person) == [f"{person.role}@zuhause.example"]

    def test_waits_for_the_change_of_an_initial_password(self, client, cast):
        cast.user.issue_initial_password(cast.user.draw_initial_password()[1], by=None, issue=0, at=timezone.now())
        client.force_login(cast.user)
        assert client.get(PAGE).url == propose(client).url == "/passwort/aendern/"

    @promise("A-31")
    @pytest.mark.parametrize("password", ["", "wrong", ["", PASSWORD + "x"], PASSWORD.upper(), "\0", "x" * 5000])
    def test_needs_the_current_password(self, portal, cast, password):
        reachable(cast.user)
        assert propose(portal, "neu@zuhause.example", password).status_code == 422
        assert portal.post(REMOVE, {"current_password": password}).status_code == 422
        assert in_force(cast.user) == [ELSEWHERE] and not OutboxMessage.objects.exists()

    @promise("A-31")
    @thorough
    def test_cannot_serve_to_guess_the_password(self, portal, cast):
        for path in (PAGE, REMOVE):
            answers = [portal.post(path, {"address": ELSEWHERE}).status_code for _try in range(CHANGE.free // 2)]
            assert set(answers) == {422}
        assert [propose(portal).status_code, portal.post(REMOVE).status_code] == [429, 429]

    def test_cannot_serve_to_flood_somebody(self, portal, cast):
        answers = [propose(portal, f"victim{number}@x.example").status_code for number in range(MAILED.free + 2)]
        assert answers == [302] * MAILED.free + [429] * 2

    @pytest.mark.parametrize(
        "address",
        [
            "max.mustermann@musterdomain.de",
            "Max.Mustermann@MUSTERDOMAIN.de",
            "max.mustermann+x@musterdomain.de",
            "info@musterdomain.de",
            "INFO+tag@musterdomain.de",
        ],
    )
    def test_refuses_what_ends_in_the_same_mailbox(self, portal, cast, address):
        assert propose(portal, address).status_code == 422
        assert not RecoveryAddress.objects.exists()

    def test_takes_another_mailbox_of_this_house(self, portal, cast):
        assert propose(portal, f"max.mustermann@{CANARY}.example").status_code == 302

    @promise("A-55")
    @pytest.mark.parametrize(
        "address",
        [
            "",
            "max",
            "@x.example",
            "a@localhost",
            "a@[127.0.0.1]",
            "a b@x.example",
            '"a b"@x.example',
            "Max <max@x.example>",
            "a@x.example, b@x.example",
            "a@b@x.example",
            "a\r\nBcc: b@x.example",
            "a@x.example\nX: y",
            "a\0@x.example",
            "a\u202e@x.example",
            "|cmd@x.example",
            "/etc/passwd@x.example",
            "a%b@x.example",
            "b!a@x.example",
            ".a@x.example",
            "a..b@x.example",
            "ä@x.example",
            "a@-x.example",
            "x" * 65 + "@x.example",
            "a@" + "x" * 300 + ".example",
            "x" * 9000,
            "{{ 7 }}@x.example",
            "<script>@x.example",
        ],
    )
    def test_refuses_what_is_no_plain_address(self, portal, address):
        assert propose(portal, address).status_code == 422
        assert not RecoveryAddress.objects.exists() and not OutboxMessage.objects.exists()

    @pytest.mark.parametrize(
        ("typed", "stored"),
        [
            (" Max.M+ksc@Zuhause.Example ", "Max.M+ksc@zuhause.example"),
            ("o'neil_1@MÜLLER.example", "o'neil_1@xn--mller-kva.example"),
        ],
    )
    def test_keeps_the_part_before_the_at_and_stores_the_domain_in_one_form(self, portal, cast, typed, stored):
        assert normalise_outside_address(typed) == stored
        propose(portal, typed)
        assert cast.user.recovery_addresses.get().address == stored

    @promise("A-10")
    def test_takes_no_other_field(self, portal, cast):
        extra = {"user": cast.dvb.pk, "verified_at": "2020-01-01", "expires_at": "2099-01-01", "id": 7}
        propose(portal, **extra)
        address = RecoveryAddress.objects.get()
        assert (address.user, address.verified_at) == (cast.user, None)
        assert address.expires_at < timezone.now() + timedelta(hours=25)

    def test_shows_only_the_own_one(self, portal, cast):
        reachable(cast.other_user, f"{CANARY}@x.example")
        assert CANARY not in portal.get(PAGE).content.decode()

    def test_needs_the_forms_token(self, cast):
        client = Client(enforce_csrf_checks=True)
        client.force_login(cast.user)
        assert (propose(client).status_code, client.post(REMOVE).status_code) == (403, 403)


class TestTheLink:
    def test_works_once(self, portal, cast):
        propose(portal)
        link = mailed_link()
        assert [Client().post(link).status_code for _click in range(2)] == [200, 410]
        assert Client().get(link).status_code == 410

    def test_dies_after_a_day(self, portal, cast, time_machine):
        propose(portal)
        link, now = mailed_link(), timezone.now()
        time_machine.move_to(now + timedelta(hours=23, minutes=59), tick=False)
        assert Client().get(link).status_code == 200
        time_machine.move_to(now + timedelta(hours=24, seconds=2), tick=False)
        assert Client().post(link).status_code == 410
        assert in_force(cast.user) == []

    @pytest.mark.parametrize("deed", ["password change", "another proposal", "removal", "given out again", "lock"])
    def test_dies_with(self, portal, cast, deed):
        propose(portal)
        link = mailed_link()
        if deed == "password change":
            cast.user.change_password(NEW, by=cast.user)
        elif deed == "another proposal":
            propose(portal, "andere@zuhause.example")
        elif deed == "removal":
            portal.post(REMOVE, {"current_password": PASSWORD})
        elif deed == "given out again":
            cast.user.issue_initial_password(cast.user.draw_initial_password()[1], by=None, issue=0, at=timezone.now())
        else:
            cast.user.lock(by=cast.dvb)
        assert Client().post(link).status_code == 410
        assert in_force(cast.user) == []

    @pytest.mark.parametrize("token", ["x", "x" * 10_000, "ä", "a:b:c", 1, [1]])
    def test_that_was_never_mailed_is_answered_like_one_that_is_over(self, portal, cast, masked, token):
        propose(portal)
        token = token if isinstance(token, str) else signing.dumps(token, salt="phone")
        path = f"/wiederherstellung/bestaetigen/{token}/"
        answers = [Client().get(path), Client().post(path)]
        assert [(each.status_code, masked(each)) for each in answers] == [(410, masked(answers[0]))] * 2

    def test_is_told_to_nobody_and_kept_by_no_browser(self, portal):
        propose(portal)
        response = Client().get(mailed_link())
        assert response["Referrer-Policy"] == "no-referrer" and "no-store" in response["Cache-Control"]

    def test_of_a_second_tab_is_the_one_that_counts(self, portal, cast):
        propose(portal, "erste@zuhause.example")
        first = mailed_link()
        propose(portal, "zweite@zuhause.example")
        second = mailed_link()
        assert (Client().post(first).status_code, Client().post(second).status_code) == (410, 200)
        assert in_force(cast.user) == ["zweite@zuhause.example"]

    @committed
    def test_followed_sixteen_times_at_once_counts_once(self):
        user = the_cast().user
        proposed = RecoveryAddress.objects.propose(user, ELSEWHERE)

        @everybody()
        def race(_number):
            try:
                RecoveryAddress.objects.get(pk=proposed.pk).confirm()
                return True
            except StaleCredentials:
                return False
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(race, range(16))) == [False] * 15 + [True]
        assert AuditEvent.objects.filter(deed="recovery_address", new__state="confirmed").count() == 1

    @committed
    def test_of_sixteen_proposals_at_once_one_waits(self):
        user = the_cast().user

        @everybody()
        def race(number):
            try:
                RecoveryAddress.objects.propose(User.objects.get(pk=user.pk), f"a{number}@x.example")
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(race, range(16)))
        assert RecoveryAddress.objects.waiting().count() == 1


class TestChangingIt:
    def test_keeps_the_old_one_until_then_and_tells_it(self, portal, cast):
        reachable(cast.user, "alt@zuhause.example")
        propose(portal)
        assert in_force(cast.user) == ["alt@zuhause.example"]
        link = mailed_link()
        Client().post(link)
        assert in_force(cast.user) == [ELSEWHERE]
        work()
        told = {message.to[0]: message.subject for message in mail.outbox}
        assert told == dict.fromkeys(
            [cast.user.address, "alt@zuhause.example", ELSEWHERE], "Your recovery address was changed"
        )
        assert "zuhause" not in "".join(message.body for message in mail.outbox)

    def test_removing_it_tells_it_too(self, portal, cast):
        reachable(cast.user)
        assert portal.post(REMOVE, {"current_password": PASSWORD}).url == PAGE
        assert in_force(cast.user) == []
        work()
        told = {message.to[0]: message.subject for message in mail.outbox}
        assert told == dict.fromkeys([cast.user.address, ELSEWHERE], "Your recovery address was removed")

    def test_removing_none_tells_nobody(self, portal, cast):
        assert portal.post(REMOVE, {"current_password": PASSWORD}).url == PAGE
        assert not OutboxMessage.objects.exists() and not AuditEvent.objects.filter(deed="recovery_address").exists()

    def test_is_written_down_without_the_whole_address(self, portal, cast):
        propose(portal)
        Client().post(mailed_link())
        portal.post(REMOVE, {"current_password": PASSWORD})
        events = AuditEvent.objects.filter(deed="recovery_address").order_by("pk")
        assert [event.new for event in events] == [
            {"recovery_address": "m…@zuhause.example", "state": state} for state in ("waiting", "confirmed", "removed")
        ]
        assert {event.actor for event in events} == {cast.user}
        assert masked_address(ELSEWHERE) == "m…@zuhause.example"

    def test_warnings_go_there_too(self, portal, cast):
        reachable(cast.user)
        cast.user.change_password(NEW, by=cast.user)
        to = [message.payload["to"] for message in OutboxMessage.objects.filter(kind="email")]
        assert to == [cast.user.address, ELSEWHERE]


def test_the_database_itself_refuses_a_second_one(cast):
    reachable(cast.user)
    with pytest.raises(IntegrityError, match="one_in_force"), transaction.atomic():
        reachable(cast.user, "zweite@x.example")
    RecoveryAddress.objects.create(user=cast.user, address="a@x.example")
    with pytest.raises(IntegrityError, match="one_waiting"):
        RecoveryAddress.objects.create(user=cast.user, address="b@x.example")


def test_what_is_over_is_tidied_away(cast):
    long_ago = timezone.now() - timedelta(days=3)
    RecoveryAddress.objects.create(user=cast.user, address="a@x.example", expires_at=long_ago)
    PasswordReset.objects.create(user=cast.user, token_hash="x", expires_at=long_ago)
    reachable(cast.user)
    PasswordReset.objects.draw(cast.user)
    Command().tidy()
    assert (RecoveryAddress.objects.count(), PasswordReset.objects.count()) == (1, 1)
