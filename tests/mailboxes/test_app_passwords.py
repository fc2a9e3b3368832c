"""App passwords in the portal: made once, shown once, kept as hash, revoked for good."""

import plistlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import DataError, IntegrityError, ProgrammingError
from django.utils import timezone

from accounts.models import AuditEvent, OutboxMessage, PortalSession
from mailboxes.models import AppPassword, LimitReached, ServerAddress
from mailboxes.models.app_passwords import ALPHABET, IP_KEPT, MOST_LIVE, draw_token, hash_of
from mailboxes.networks import normalise_network
from tests.cast import CANARY, make_app_password, make_mailbox, the_cast
from tests.client import Client
from tests.marks import committed, thorough
from tests.promises import promise

LIST, NEW, PROFILE = "/app-passwoerter/", "/app-passwoerter/neu/", "/app-passwoerter/profil/"
TOKEN = re.compile(rf"\b(?:[{ALPHABET}]{{4}}-){{6}}[{ALPHABET}]{{4}}\b")
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def portal(cast):
    client = Client(headers=ENGLISH)
    client.force_login(cast.user)
    return client


@pytest.fixture
def servers(cast):
    for protocol, port in (("imap", 993), ("pop3", 995), ("submission", 465), ("sieve", 4190)):
        ServerAddress.objects.create(protocol=protocol, host=f"{protocol}.hoster.example", port=port, encryption="tls")


def form(client, **fields):
    """The fields of a fresh form, filled in."""
    [ticket] = re.findall(r'name="ticket" value="([^"]+)"', client.get(NEW).content.decode())
    return {"ticket": ticket, "name": "Phone", "protocols": ["imap", "smtp"]} | fields


def yesterday():
    return timezone.localdate() - timedelta(days=1)


def shown_token(response):
    assert response.status_code == 200
    [token, *same] = TOKEN.findall(response.content.decode())
    assert set(same) <= {token}
    return token


def kept(mailbox, name="Phone", token=None, **fields):
    """A row as it stands after some time: the serving role may insert it, but not change it so."""
    token = token or draw_token()
    given = {"tenant": mailbox.tenant, "mailbox": mailbox, "holder": mailbox.user, "name": name, "protocols": ["imap"]}
    return AppPassword.objects.create(**given, token_hash=hash_of(token), **fields)


def revoke_url(row):
    return f"/app-passwoerter/{row.public_id}/widerrufen/"


@thorough
class TestANewOne:
    def test_is_shown_once_and_kept_as_a_hash(self, portal, cast):
        response = portal.post(NEW, form(portal))
        token, row = shown_token(response), AppPassword.objects.get()
        assert "no-store" in response["Cache-Control"]
        assert (row.mailbox, row.tenant, row.name) == (cast.mailbox, cast.tenant, "Phone")
        assert (row.protocols, row.networks, row.valid_until) == (["imap", "smtp"], [], None)
        assert row.token_hash == hash_of(token)
        assert token not in portal.get(LIST).content.decode()

    @promise("A-29")
    def test_keeps_the_token_nowhere(self, portal, caplog):
        token = shown_token(portal.post(NEW, form(portal)))
        portal.post(PROFILE, {"token": token})
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{token}%"])
                assert cursor.fetchone() == (0,), table
        assert all(token not in str(session.get_decoded()) for session in PortalSession.objects.all())
        assert token not in caplog.text

    @pytest.mark.usefixtures("servers")
    def test_comes_with_a_code_and_just_the_servers_that_it_opens(self, portal):
        page = portal.post(NEW, form(portal, protocols=["pop3", "sieve"])).content.decode()
        assert page.count("<svg xmlns=") == 1 and "data-print" in page and page.count("data-copy=") > 3
        for protocol in ("imap", "pop3", "submission", "sieve"):
            assert (f"{protocol}.hoster.example" in page) == (protocol in ("pop3", "sieve"))
        assert PROFILE not in page

    def test_may_end_and_be_bound_to_networks(self, portal):
        tomorrow = timezone.localdate() + timedelta(days=1)
        networks = "192.0.2.7/24\r\n\r\n 2001:DB8::1/32\r\n198.51.100.1\r\n192.0.2.0/24"
        shown_token(portal.post(NEW, form(portal, valid_until=tomorrow.isoformat(), networks=networks)))
        row = AppPassword.objects.get()
        assert row.valid_until == tomorrow
        assert row.networks == ["192.0.2.0/24", "2001:db8::/32", "198.51.100.1/32"]
        assert "192.0.2.0/24, 2001:db8::/32" in portal.get(LIST).content.decode()

    def test_is_in_the_trail_without_its_token_and_its_networks(self, portal, cast):
        token = shown_token(portal.post(NEW, form(portal, networks="192.0.2.7")))
        event = AuditEvent.objects.get(object_type="mailboxes.apppassword")
        assert (event.deed, event.actor, event.tenant) == ("created", cast.user, cast.tenant)
        assert event.new == {"protocols": ["imap", "smtp"], "valid_until": None, "networks": 1}
        assert token not in str(event.new)

    def test_is_told_to_the_person(self, portal, cast):
        cast.user.language = "en"
        cast.user.save()
        OutboxMessage.objects.all().delete()
        token = shown_token(portal.post(NEW, form(portal, name="Phone <b>&")))
        [mail] = OutboxMessage.objects.filter(kind="email")
        assert mail.payload["to"] == cast.user.address
        assert "“Phone <b>&”" in mail.payload["text"] and token not in str(mail.payload)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "x" * 61),
            ("name", "two\nlines"),
            ("name", "turned \u202e round"),
            ("protocols", []),
            ("protocols", ["imap", "lmtp"]),
            ("protocols", "imap'; --"),
            ("valid_until", "2020-02-30"),
            ("valid_until", "2020-01-01"),
            ("networks", "home"),
            ("networks", "192.0.2.0/33"),
            ("networks", "192.0.2.1 192.0.2.2"),
            ("networks", "\n".join(f"192.0.2.{n}" for n in range(11))),
            ("ticket", ""),
        ],
    )
    def test_with_a_fault_is_not_made_and_the_page_says_why(self, portal, field, value):
        response = portal.post(NEW, form(portal, **{field: value}))
        page = unescape(response.content.decode())
        assert response.status_code == 422 and 'role="alert"' in page
        assert not TOKEN.findall(page) and not AppPassword.objects.exists()

    def test_of_a_hostile_name_shows_it_as_text(self, portal):
        hostile = "<script>alert(1)</script>\"'&{{x}}"
        assert "<script>alert" not in portal.post(NEW, form(portal, name=hostile)).content.decode()
        row = AppPassword.objects.get()
        assert row.name == hostile
        for path in (LIST, revoke_url(row)):
            page = portal.get(path).content.decode()
            assert hostile not in page and hostile in unescape(page)

    def test_ignores_fields_that_are_not_on_the_form(self, portal, cast):
        forged = {"mailbox": cast.other_mailbox.pk, "tenant": cast.other_tenant.pk, "token_hash": "0" * 64}
        token = shown_token(portal.post(NEW, form(portal, **forged)))
        row = AppPassword.objects.get()
        assert (row.mailbox, row.tenant, row.token_hash) == (cast.mailbox, cast.tenant, hash_of(token))

    def test_needs_a_form_that_was_made_for_this_person(self, portal, cast):
        stranger = Client(headers=ENGLISH)
        stranger.force_login(cast.other_user)
        for ticket in (form(stranger)["ticket"], "x", "x:y:z"):
            assert portal.post(NEW, form(portal, ticket=ticket)).status_code == 400
        assert not AppPassword.objects.exists()


class TestTheFormSentAgain:
    def test_is_answered_409_and_makes_nothing(self, portal):
        fields = form(portal)
        shown_token(portal.post(NEW, fields))
        response = portal.post(NEW, fields)
        assert response.status_code == 409 and not TOKEN.findall(response.content.decode())
        assert AppPassword.objects.count() == 1

    def test_after_a_fault_is_taken(self, portal):
        fields = form(portal)
        assert portal.post(NEW, fields | {"name": ""}).status_code == 422
        shown_token(portal.post(NEW, fields))

    def test_does_not_bring_back_what_was_revoked(self, portal, cast):
        fields = form(portal)
        shown_token(portal.post(NEW, fields))
        AppPassword.objects.get().revoke(by=cast.user)
        assert portal.post(NEW, fields).status_code == 409


@committed
def test_of_eight_parallel_sendings_of_one_form_one_makes_an_app_password(client):
    client.force_login(the_cast().user)
    fields = form(client)

    def send(_number):
        each = Client()
        each.cookies = client.cookies
        try:
            return each.post(NEW, fields).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(8))) == [200] + [409] * 7
    assert AppPassword.objects.count() == 1


@committed
def test_of_parallel_forms_no_more_than_the_limit_are_made(client):
    cast = the_cast()
    client.force_login(cast.user)
    for number in range(MOST_LIVE - 2):
        make_app_password(cast.mailbox, f"Device {number}")
    forms = [form(client) for _number in range(5)]

    def send(fields):
        each = Client()
        each.cookies = client.cookies
        try:
            return each.post(NEW, fields).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(send, forms)) == [200, 200, 422, 422, 422]
    assert AppPassword.objects.count() == MOST_LIVE


@thorough
class TestTheLimit:
    def test_counts_what_is_live_and_says_what_to_do(self, portal, cast):
        rows = [make_app_password(cast.mailbox, f"Device {number}")[0] for number in range(MOST_LIVE)]
        response = portal.post(NEW, form(portal))
        assert response.status_code == 422 and f"You have {MOST_LIVE} app passwords" in response.content.decode()
        with pytest.raises(LimitReached):
            make_app_password(cast.mailbox)
        rows[0].revoke(by=cast.user)
        shown_token(portal.post(NEW, form(portal)))

    def test_of_one_mailbox_is_not_that_of_another(self, cast):
        for number in range(MOST_LIVE):
            make_app_password(cast.mailbox, f"Device {number}")
        make_app_password(make_mailbox(cast.domain, "neighbour"))

    def test_does_not_count_what_is_over(self, cast):
        for number in range(MOST_LIVE):
            kept(cast.mailbox, f"Old device {number}", valid_until=yesterday())
        make_app_password(cast.mailbox)


@thorough
class TestTheList:
    def test_says_what_to_do_where_there_is_none(self, portal):
        page = portal.get(LIST).content.decode()
        assert NEW in page and "There is none yet" in page and "<table" not in page

    def test_shows_the_last_use_and_what_has_ended(self, portal, cast):
        kept(cast.mailbox, last_used_at=timezone.now(), last_used_by="smtp", last_used_ip="2001:db8::7")
        kept(cast.mailbox, "Old", valid_until=yesterday())
        page = portal.get(LIST).content.decode()
        assert "SMTP (sending), 2001:db8::7" in page and "over: the last day" in page
        assert page.index("Old") < page.index("Phone")

    def test_shows_nothing_of_anybody_else(self, portal, cast):
        make_app_password(cast.other_mailbox, f"{CANARY} Phone")
        make_app_password(make_mailbox(cast.domain, "neighbour"), "Neighbour's phone")
        page = portal.get(LIST).content.decode()
        assert CANARY not in page and "Neighbour" not in page

    @pytest.mark.parametrize("rows", [1, 3])
    def test_asks_the_same_few_questions_for_one_and_for_many(self, portal, cast, rows, django_assert_num_queries):
        for number in range(rows):
            make_app_password(cast.mailbox, f"Device {number}")
        portal.get(LIST)
        with django_assert_num_queries(7):
            portal.get(LIST)

    def test_is_reached_from_every_page_and_from_the_servers(self, portal, servers):
        assert portal.get("/").content.decode().count(f'href="{LIST}"') == 3


class TestRevoking:
    def test_asks_first_and_then_closes_for_good(self, portal, cast):
        row, _token = make_app_password(cast.mailbox)
        assert "Phone" in portal.get(revoke_url(row)).content.decode()
        row.refresh_from_db()
        assert row.revoked_at is None
        assert portal.post(revoke_url(row)).url == LIST
        row.refresh_from_db()
        assert row.revoked_at is not None
        assert "<table" not in portal.get(LIST).content.decode()

    def test_ends_the_sessions_and_is_told_and_in_the_trail_once(self, portal, cast):
        row, _token = make_app_password(cast.mailbox)
        OutboxMessage.objects.all().delete()
        for _time in range(2):
            assert portal.post(revoke_url(row)).url == LIST
        kinds = OutboxMessage.objects.order_by("kind").values_list("kind", flat=True)
        assert list(kinds) == ["email", "end_mail_sessions"]
        row.revoke(by=cast.user)
        assert OutboxMessage.objects.count() == 2
        event = AuditEvent.objects.get(object_type="mailboxes.apppassword", deed="deleted")
        assert (event.actor, event.old["protocols"]) == (cast.user, ["imap", "smtp"])

    @promise("A-12")
    def test_of_somebody_elses_is_answered_like_what_never_existed(self, portal, cast, masked):
        own = make_app_password(make_mailbox(cast.domain, "neighbour"))[0]
        foreign = make_app_password(cast.other_mailbox)[0]
        never = AppPassword()
        for method in (portal.get, portal.post):
            missing = method(revoke_url(never))
            assert missing.status_code == 404
            for row in (own, foreign):
                response = method(revoke_url(row))
                assert response.status_code == 404
                assert masked(response, row.public_id) == masked(missing, never.public_id)
        assert AppPassword.objects.kept().count() == 2


@pytest.mark.usefixtures("servers")
@thorough
class TestTheProfile:
    def test_carries_the_app_password(self, portal):
        token = shown_token(portal.post(NEW, form(portal)))
        response = portal.post(PROFILE, {"token": token})
        [account] = plistlib.loads(response.content)["PayloadContent"]
        assert response["Content-Type"] == "application/x-apple-aspen-config"
        assert "no-store" in response["Cache-Control"] and "attachment" in response["Content-Disposition"]
        assert account["IncomingPassword"] == token and account["OutgoingPasswordSameAsIncomingPassword"] is True

    def test_is_made_for_own_live_app_passwords_alone(self, portal, cast):
        foreign, neighbours = make_app_password(cast.other_mailbox), make_app_password(make_mailbox(cast.domain, "n"))
        revoked = make_app_password(cast.mailbox)
        revoked[0].revoke(by=cast.user)
        kept(cast.mailbox, token="over", valid_until=yesterday())
        for token in (foreign[1], neighbours[1], revoked[1], "over", draw_token(), "", "\0"):
            assert portal.post(PROFILE, {"token": token}).status_code == 404
        assert portal.post(PROFILE).status_code == 404

    def test_is_offered_where_mail_can_be_both_fetched_and_sent(self, portal):
        assert PROFILE in portal.post(NEW, form(portal)).content.decode()
        assert PROFILE not in portal.post(NEW, form(portal, protocols=["imap"])).content.decode()


class TestTheToken:
    def test_holds_more_than_128_random_bits_in_signs_that_nobody_confuses(self):
        tokens = {draw_token() for _number in range(200)}
        assert len(tokens) == 200 and all(TOKEN.fullmatch(token) for token in tokens)
        assert len(ALPHABET) ** 28 > 2**128 and len(set(ALPHABET)) == len(ALPHABET)
        assert not set(ALPHABET) & set("0oO1iIlL5sSqgzvV")

    def test_is_hashed_with_the_pepper_as_dovecot_does(self, settings):
        settings.APP_PASSWORD_PEPPER = "pepper"
        # From: printf pepperabcd | sha256sum
        assert hash_of("abcd") == "8942fd928cf276ab98df2669a83adcbb95e645b0df87614d2a686173c54dd86b"

    def test_follows_the_pepper(self, settings):
        before = hash_of("abcd")
        settings.APP_PASSWORD_PEPPER = "another"
        assert hash_of("abcd") != before


class TestANetwork:
    @pytest.mark.parametrize(
        ("typed", "stored"),
        [
            ("192.0.2.7", "192.0.2.7/32"),
            (" 192.0.2.7/24 ", "192.0.2.0/24"),
            ("2001:DB8:0::1", "2001:db8::1/128"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ],
    )
    def test_is_stored_in_one_form(self, typed, stored):
        assert normalise_network(typed) == stored

    @pytest.mark.parametrize(
        "typed", ["", "x", "192.0.2", "192.0.2.256", "192.0.2.0/x", "fe80::1%eth0", "１９２.0.2.1"]
    )
    def test_that_is_none_is_refused(self, typed):
        with pytest.raises(ValidationError, match="kein Netz"):
            normalise_network(typed)


class TestAnIPAddress:
    def test_is_forgotten_a_week_after_the_last_use(self, cast):
        now = timezone.now()
        used = {"last_used_by": "imap", "last_used_ip": "192.0.2.7"}
        old = kept(cast.mailbox, "Old", last_used_at=now - IP_KEPT - timedelta(seconds=1), **used)
        new = kept(cast.mailbox, "New", last_used_at=now - IP_KEPT + timedelta(minutes=1), **used)
        call_command("forget_ips")
        old.refresh_from_db()
        new.refresh_from_db()
        assert (old.last_used_ip, new.last_used_ip) == (None, "192.0.2.7")
        assert (old.last_used_by, new.last_used_by) == ("imap", "imap")


@thorough
class TestTheDatabase:
    @pytest.mark.parametrize(
        "values",
        [
            {"protocols": []},
            {"protocols": ["imap", "lmtp"]},
            {"networks": [f"192.0.2.{n}/32" for n in range(11)]},
            {"token_hash": "x"},
            {"networks": ["nonsense"]},
            {"networks": ["192.0.2.7/24"]},
        ],
    )
    def test_refuses_what_the_form_refuses(self, cast, values):
        fields = {"protocols": ["imap"], "token_hash": "0" * 64} | values
        with pytest.raises((IntegrityError, DataError)), transaction.atomic():
            AppPassword.objects.create(tenant=cast.tenant, mailbox=cast.mailbox, holder=cast.user, name="x", **fields)

    @promise("A-09")
    def test_refuses_one_of_another_tenants_mailbox(self, cast):
        with pytest.raises(IntegrityError, match="same_tenant"), transaction.atomic():
            AppPassword.objects.create(
                tenant=cast.tenant,
                mailbox=cast.other_mailbox,
                holder=cast.user,
                name="x",
                protocols=["imap"],
                token_hash="0" * 64,
            )
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    @promise("A-60")
    @pytest.mark.parametrize(
        "column", ["protocols", "token_hash", "valid_until", "networks", "mailbox_id", "holder_id", "name"]
    )
    def test_lets_the_portal_change_nothing_of_what_it_opens(self, cast, column):
        make_app_password(cast.mailbox)
        with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
            cursor.execute(f"UPDATE mailboxes_apppassword SET {column} = {column}")
