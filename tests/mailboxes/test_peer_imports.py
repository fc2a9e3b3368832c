"""A customer moves here from PostfixAdmin or Modoboa: by a dump or the database, tried first, with old passwords."""

import io
import os

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import AuditEvent, CredentialState, Tenant, User
from mailboxes import dumps
from mailboxes.models import Address, Alias, AliasTarget, Domain, Forward, Mailbox
from tests.cast import CANARY, make_mailbox
from tests.client import Client, body
from tests.mailboxes.peer_dumps import OLD_HASH, OLD_PASSWORD, PostfixAdmin, modoboa
from tests.marks import committed, thorough

pytestmark = thorough

HOME = "umzug.example"


@pytest.fixture
def peer():
    """A PostfixAdmin with one domain, one person and what every domain has there."""
    peer = PostfixAdmin()
    peer.domain(HOME, "fremd.example")
    peer.mailbox(f"nina@{HOME}", OLD_HASH, "Nina O'Müller")
    for name in ("abuse", "postmaster", "hostmaster", "webmaster"):
        peer.alias(f"{name}@{HOME}", f"nina@{HOME}")
    return peer


@pytest.fixture
def move(cast, tmp_path):
    """Import what the peer holds by now, and return the report's lines."""

    def move(peer, *domains, tenant="1001", **options):
        output = io.StringIO()
        source = peer if isinstance(peer, str) else peer.write(tmp_path / "dump.sql", prefix=options.get("prefix", ""))
        command = options.pop("command", "import_postfixadmin")
        call_command(
            command, source, *(domains or [HOME]), tenant=tenant, stdout=output, stderr=io.StringIO(), **options
        )
        return output.getvalue().splitlines()

    return move


def everything():
    return [model.objects.count() for model in (Domain, Address, Mailbox, Alias, Forward, User, AuditEvent)]


def line_of(report, name, *, kind="") -> str:
    [line] = [line for line in report if f"  {name}" in line and kind in line]
    return line


def box_of(address) -> Mailbox:
    return Mailbox.objects.get(address__address=address)


def alias_targets(address) -> list[tuple[str, bool]]:
    rows = AliasTarget.objects.filter(alias__address__address=address).order_by("mailbox__address__address")
    return [(str(row.mailbox), row.may_send) for row in rows]


class TestAMailbox:
    def test_comes_with_name_storage_and_the_password_that_its_person_knows(self, client, log_in, move, peer):
        line = line_of(move(peer), f"nina@{HOME}")
        assert line.startswith("übernommen") and "Das Passwort bleibt." in line
        box = box_of(f"nina@{HOME}")
        assert (box.user.name, box.storage_mb, box.tenant.customer_number) == ("Nina O'Müller", 1000, "1001")
        assert box.user.credential_state == CredentialState.IMPORTED and box.user.mail_password_enabled
        assert log_in(client, box.user, password=OLD_PASSWORD).url == "/"

    def test_whose_password_is_not_kept_safely_gets_new_credentials(self, move, peer):
        peer.mailbox(f"otto@{HOME}", "geheim-im-klartext", "Otto")
        report = move(peer)
        assert "Geben Sie neue Zugangsdaten aus." in line_of(report, f"otto@{HOME}")
        assert "geheim-im-klartext" not in "\n".join(report)
        user = box_of(f"otto@{HOME}").user
        assert user.credential_state == CredentialState.CREATED and not user.has_usable_password()

    def test_that_was_switched_off_stays_closed(self, move, peer):
        peer.mailbox(f"otto@{HOME}", OLD_HASH, "Otto", active=0)
        assert "gesperrt" in line_of(move(peer), f"otto@{HOME}")
        box = box_of(f"otto@{HOME}")
        assert box.user.is_locked and box.delivery == Mailbox.Delivery.REFUSE

    def test_without_a_limit_gets_the_one_that_is_asked_for(self, move, peer):
        for number, quota in enumerate((0, -1, 1024_000 * 3, 1_048_576 * 3, 5)):
            peer.mailbox(f"q{number}@{HOME}", quota=quota)
        move(peer, unlimited_mb=250)
        assert [box_of(f"q{number}@{HOME}").storage_mb for number in range(5)] == [250, 250, 3, 3, 1]

    @pytest.mark.parametrize("name", ["", "Nina\u202eMüller", "N" * 200, "Zeile\nZwei"])
    def test_without_a_readable_name_is_called_as_its_address(self, move, peer, name):
        peer.mailbox(f"otto@{HOME}", OLD_HASH, name)
        move(peer)
        assert box_of(f"otto@{HOME}").user.name == "otto"

    @pytest.mark.parametrize("local_part", ["müller", "a..b", "a+b", "-a", "a'b", "a b", "a" * 65, "a\0b", "%u"])
    def test_whose_address_cannot_be_one_here_is_left_out_with_the_reason(self, move, peer, local_part):
        peer.mailbox(f"{local_part}@{HOME}", OLD_HASH)
        report = move(peer)
        assert Mailbox.objects.filter(address__domain__name=HOME).count() == 1
        assert len([line for line in report if line.startswith("weggelassen") and "Postfach" in line]) == 1

    def test_that_the_contract_has_no_room_for_is_left_out(self, cast, move, peer):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_mailboxes=2)
        peer.mailbox(f"otto@{HOME}", OLD_HASH)
        assert "Ihr Vertrag umfasst 2 Postfächer" in line_of(move(peer), f"otto@{HOME}")
        assert Mailbox.objects.filter(tenant=cast.tenant).count() == 2

    def test_that_was_made_already_is_not_touched_by_a_second_run(self, move, peer):
        peer.mailbox(f"otto@{HOME}", OLD_HASH, goto=f"otto@{HOME},elsewhere@example.org")
        peer.alias(f"info@{HOME}", f"nina@{HOME}")
        move(peer)
        user = box_of(f"nina@{HOME}").user
        user.change_password("Neun Otter singen 5 Lieder!", by=user)
        Forward.objects.all().delete()
        before = everything()
        report = move(peer)
        assert everything() == before
        assert User.objects.get(pk=user.pk).is_current_password("Neun Otter singen 5 Lieder!")
        assert {line.split()[0] for line in report if HOME in line} == {"bereits", "weggelassen"}

    def test_is_found_on_the_desk_until_its_person_changes_the_password(self, cast, client, move, peer):
        desk = Client()
        desk.force_login(cast.dvb)
        assert not [bar for bar in desk.get("/desk/").context["charts"][0].bars if "=imported" in bar.url]
        move(peer)
        box = box_of(f"nina@{HOME}")
        [bar] = [bar for bar in desk.get("/desk/").context["charts"][0].bars if "=imported" in bar.url]
        assert (bar.label, bar.text) == ("importiert", "1")
        assert list(desk.get(bar.url).context["cl"].result_list) == [box]
        assert "noch nicht; mitgebracht am" in body(desk.get(f"/desk/mailboxes/mailbox/{box.pk}/change/")).decode()
        client.force_login(box.user)
        assert "Passwort aus der Zeit vor dem Umzug" in client.get("/").content.decode()
        box.user.change_password("Neun Otter singen 5 Lieder!", by=box.user)
        assert not desk.get(bar.url).context["cl"].result_list

    def test_is_on_record_as_any_other(self, move, peer):
        move(peer)
        box = box_of(f"nina@{HOME}")
        deeds = AuditEvent.objects.about(box, box.user).values_list("deed", flat=True)
        assert sorted(deeds) == ["created", "created", "password_imported"]


class TestAnAliasAddress:
    def test_leads_to_all_the_mailboxes_that_it_led_to_in_the_end(self, move, peer):
        peer.mailbox(f"otto@{HOME}", OLD_HASH)
        peer.alias(f"info@{HOME}", f"nina@{HOME}")
        peer.alias(f"team@{HOME}", f"Info@{HOME.upper()}, otto+listen@{HOME}\nTEAM@{HOME}")
        peer.alias(f"alle@{HOME}", f"team@{HOME},alle@{HOME}")
        move(peer)
        nina, otto = f"nina@{HOME}", f"otto@{HOME}"
        assert alias_targets(f"info@{HOME}") == [(nina, True)]
        assert alias_targets(f"team@{HOME}") == alias_targets(f"alle@{HOME}") == [(nina, False), (otto, False)]

    def test_to_addresses_elsewhere_alone_is_left_out_and_said(self, move, peer):
        peer.alias(f"extern@{HOME}", "somebody@example.org")
        peer.alias(f"beide@{HOME}", f"nina@{HOME},somebody@example.org")
        report = move(peer)
        assert line_of(report, f"extern@{HOME}").startswith("weggelassen")
        assert "somebody@example.org" in line_of(report, f"extern@{HOME}")
        assert "Nicht mehr an somebody@example.org." in line_of(report, f"beide@{HOME}")
        assert alias_targets(f"beide@{HOME}") == [(f"nina@{HOME}", True)] and not alias_targets(f"extern@{HOME}")

    def test_that_support_looks_after_or_that_was_off_is_left_out(self, move, peer):
        peer.alias(f"aus@{HOME}", f"nina@{HOME}", active=0)
        report = move(peer)
        assert "Um diese Adresse kümmert sich der Support." in line_of(report, f"abuse@{HOME}")
        assert "abgeschaltet" in line_of(report, f"aus@{HOME}")
        assert not Alias.objects.filter(address__domain__name=HOME).exists()

    def test_may_lead_to_a_mailbox_that_was_here_before(self, cast, move, peer):
        peer.alias(f"max@{HOME}", "max.mustermann@musterdomain.de")
        move(peer)
        assert alias_targets(f"max@{HOME}") == [("max.mustermann@musterdomain.de", True)]

    def test_never_leads_to_another_customers_mailbox(self, cast, move, peer):
        peer.alias(f"spion@{HOME}", cast.other_user.address)
        assert line_of(move(peer), f"spion@{HOME}").startswith("weggelassen")

    def test_over_the_contract_or_closed_lately_is_left_out(self, cast, move, peer):
        peer.alias(f"info@{HOME}", f"nina@{HOME}")
        move(peer)
        Alias.objects.get(address__address=f"info@{HOME}").close(by=None)
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_aliases=2)
        for name in ("a1", "a2"):
            peer.alias(f"{name}@{HOME}", f"nina@{HOME}")
        report = move(peer)
        assert line_of(report, f"info@{HOME}").startswith("weggelassen")
        assert line_of(report, f"a1@{HOME}").startswith("übernommen")
        assert line_of(report, f"a2@{HOME}").startswith("weggelassen")

    def test_of_a_whole_domain_catches_for_one_mailbox_only(self, move, peer):
        peer.alias(f"@{HOME}", f"nina@{HOME}")
        peer.alias("@fremd.example", f"nina@{HOME},x@example.org")
        report = move(peer, HOME, "fremd.example")
        assert str(Domain.objects.get(name=HOME).catch_all) == f"nina@{HOME}"
        assert line_of(report, "@fremd.example").startswith("weggelassen")

    def test_behind_a_trap_of_aliases_ends_soon(self, move, peer):
        for number in range(1500):
            peer.alias(f"a{number}@{HOME}", f"a{(number + 1) % 1500}@{HOME}")
        move(peer)
        assert not Alias.objects.filter(address__domain__name=HOME).exists()


class TestAForward:
    def test_goes_on_with_or_without_a_copy(self, move, peer):
        peer.mailbox(f"otto@{HOME}", OLD_HASH, goto=f"otto@{HOME},Otto.Privat@Example.org,nina@{HOME}")
        peer.mailbox(f"paul@{HOME}", OLD_HASH, goto="paul@example.org")
        report = move(peer)
        rows = Forward.objects.order_by("pk").values_list("mailbox__user__address", "target", "approved_by")
        assert list(rows) == [
            (f"otto@{HOME}", f"nina@{HOME}", None),
            (f"otto@{HOME}", "Otto.Privat@example.org", None),
            (f"paul@{HOME}", "paul@example.org", None),
        ]
        assert [box_of(f"{name}@{HOME}").keeps_copy for name in ("nina", "otto", "paul")] == [True, True, False]
        outside = Forward.objects.exclude(target=f"nina@{HOME}")
        assert all(row.confirmed_at and row.approved_at for row in outside)
        assert "führt nach außen" in line_of(report, f"paul@{HOME}", kind="Weiterleitung")
        assert AuditEvent.objects.filter(object_type="mailboxes.forward", new__target="paul@example.org").exists()

    def test_to_nowhere_in_a_circle_or_by_an_absence_note_is_left_out(self, move, peer):
        peer.alias(f"info@{HOME}", f"otto@{HOME}")
        targets = [
            f"info@{HOME}",
            f"nobody@{HOME}",
            "|/bin/sh",
            "/etc/passwd",
            f"otto#{HOME}@autoreply.example",
            "",
        ]
        peer.mailbox(f"otto@{HOME}", OLD_HASH, goto=",".join(targets))
        report = move(peer)
        assert not Forward.objects.exists() and box_of(f"otto@{HOME}").keeps_copy
        assert len([line for line in report if line.startswith("weggelassen") and f"otto@{HOME}" in line]) == 5
        assert line_of(report, f"otto@{HOME}", kind="Abwesenheitsnotiz")

    def test_that_the_customers_rules_forbid_rests(self, cast, move, peer):
        Tenant.objects.filter(pk=cast.tenant.pk).update(forwards_outside="forbidden", max_forwards=1)
        peer.mailbox(f"otto@{HOME}", OLD_HASH, goto=f"otto@{HOME},a@example.org,b@example.org")
        report = move(peer)
        assert "ruht" in line_of(report, f"otto@{HOME}", kind="→ a@example.org")
        assert line_of(report, f"otto@{HOME}", kind="→ b@example.org").startswith("weggelassen")


class TestADomain:
    def test_brings_those_that_stood_for_it(self, move, peer):
        peer.domain("zweit.example", "dritt.example")
        peer.alias_domains += [("zweit.example", HOME), ("dritt.example", "fremd.example")]
        peer.alias("eigen@zweit.example", f"nina@{HOME}")
        peer.alias(f"quer@{HOME}", "nina@zweit.example")
        move(peer)
        assert Domain.objects.get(name="zweit.example").alias_of.name == HOME
        assert not Domain.objects.filter(name="dritt.example").exists()
        assert alias_targets("eigen@zweit.example") == alias_targets(f"quer@{HOME}") == [(f"nina@{HOME}", True)]

    @pytest.mark.parametrize("name", [f"{CANARY}.example", f"mail.{CANARY}.example"])
    def test_of_another_customer_is_refused_and_nothing_is_made(self, move, peer, name):
        peer.domain(name)
        peer.mailbox(f"max.mustermann@{name}", OLD_HASH)
        before = everything()
        with pytest.raises(CommandError, match="anderen Kunden"):
            move(peer, HOME, name)
        assert everything() == before

    def test_over_the_contract_is_refused(self, cast, move, peer):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_domains=1)
        with pytest.raises(CommandError, match="1 Domains"):
            move(peer)

    def test_that_is_not_named_is_left_where_it_is(self, move, peer):
        peer.mailbox("otto@fremd.example", OLD_HASH)
        assert "fremd.example" not in "\n".join(move(peer))
        assert not User.objects.filter(address="otto@fremd.example").exists()


class TestTheCommand:
    def test_lists_the_domains_where_none_is_named(self, cast, peer, tmp_path):
        output = io.StringIO()
        before = everything()
        call_command("import_postfixadmin", peer.write(tmp_path / "dump.sql"), stdout=output)
        assert f"{HOME}  1 Postfächer, 5 Adressen" in output.getvalue()
        assert "fremd.example" in output.getvalue() and "ALL" not in output.getvalue()
        assert everything() == before

    def test_tried_says_the_same_and_changes_nothing(self, move, peer):
        peer.mailbox(f"a..b@{HOME}", OLD_HASH)
        before = everything()
        tried = move(peer, dry_run=True)
        assert everything() == before
        assert tried == [*move(peer), "Das war ein Probelauf: Nichts wurde geändert."]

    def test_makes_nothing_where_all_was_asked_for_and_one_row_does_not_fit(self, move, peer):
        peer.mailbox(f"a..b@{HOME}", OLD_HASH)
        before = everything()
        with pytest.raises(CommandError, match="nichts geändert"):
            move(peer, all_or_nothing=True)
        assert everything() == before
        peer.mailboxes.pop()
        peer.aliases.pop()
        move(peer, all_or_nothing=True)
        assert Mailbox.objects.filter(address__address=f"nina@{HOME}").exists()

    @pytest.mark.parametrize(
        ("domains", "options", "said"),
        [
            ([HOME], {"tenant": "9999"}, "Kunden"),
            ([HOME], {"tenant": ""}, "Kunden"),
            (["unbekannt.example"], {}, "unbekannt.example"),
            (["nonsense"], {}, "Endung"),
            ([HOME], {"prefix": "pfa_", "peer": "/dev/null"}, "Abzug"),
        ],
    )
    def test_says_what_is_wrong_with_what_was_asked(self, move, peer, domains, options, said):
        source = options.pop("peer", peer)
        with pytest.raises(CommandError, match=said):
            move(source, *domains, **options)

    def test_knows_prefixed_tables(self, move, peer):
        assert line_of(move(peer, prefix="pfa_"), f"nina@{HOME}")

    def test_brings_thousands_in_seconds_by_a_number_of_queries_that_does_not_grow_with_them(
        self, cast, move, peer, django_assert_max_num_queries
    ):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_mailboxes=5000, max_aliases=5000, max_storage_mb=10**9)
        for number in range(2000):
            peer.mailbox(f"p{number}@{HOME}", OLD_HASH, f"Person {number}")
            peer.alias(f"a{number}@{HOME}", f"p{number}@{HOME}")
        with django_assert_max_num_queries(400):
            move(peer)
        assert Mailbox.objects.filter(address__domain__name=HOME, user__mail_password_enabled=True).count() == 2001


class TestADump:
    def test_cannot_smuggle_rows_in_by_what_stands_in_a_text(self, move, peer):
        rows = f"('boss@{HOME}','{OLD_HASH}','x','x',0,'boss','{HOME}','2024',1);"
        peer.notes = [
            f"');\nINSERT INTO `mailbox` VALUES {rows}\n-- ",
            f"\\');\nINSERT INTO `mailbox` VALUES {rows}",
            f'";`#/* --\nINSERT INTO `mailbox` VALUES {rows}',
            "*/ \\",
        ]
        peer.mailbox(f"otto@{HOME}", OLD_HASH, f"'); INSERT INTO `mailbox` VALUES {rows}"[:100])
        move(peer)
        assert sorted(Mailbox.objects.filter(address__domain__name=HOME).values_list("user__address", flat=True)) == [
            f"nina@{HOME}",
            f"otto@{HOME}",
        ]

    def test_of_postgresql_cannot_either(self, tmp_path):
        path = tmp_path / "dump.sql"
        row = f"('boss@{HOME}', 'x', 'x');"
        path.write_text(
            "-- PostgreSQL database dump\n"
            f"INSERT INTO public.vacation VALUES ('a\\', 'b''\nINSERT INTO public.mailbox VALUES {row}\n', E'\\'\n"
            f"INSERT INTO public.mailbox VALUES {row}');\n"
            f"COPY public.vacation (body) FROM stdin;\nx\\nINSERT INTO public.mailbox VALUES {row}\n"
            f"INSERT INTO public.mailbox VALUES {row}\nCOPY public.mailbox (username) FROM stdin;\n\\.\n"
            f"CREATE FUNCTION f() AS $x$ ;\nINSERT INTO public.mailbox VALUES {row}\n$x$;\n"
            "INSERT INTO public.mailbox (username, password) VALUES ('nina', NULL), ('o''tto', E'a\\nb');\n"
        )
        tables = dumps.read_tables(path, {"mailbox": ("username", "password")})
        assert tables["mailbox"] == [{"username": "nina", "password": None}, {"username": "o'tto", "password": "a\nb"}]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "kein Abzug"),
            ("username;password\nnina;x\n", "kein Abzug"),
            ("PGDMP\0\1", "--format=plain"),
            ("-- MySQL dump\nINSERT INTO `mailbox` VALUES ('nina", "kein Ende"),
            ("-- PostgreSQL database dump\nCOPY public.mailbox (username) FROM stdin;\nnina\n", "kein Ende"),
            ("-- MySQL dump\nINSERT INTO `mailbox` (`username`) VALUES ('nina','x');", "nicht so viele Werte"),
            ("-- MySQL dump\nINSERT INTO `mailbox` (`username`) VALUES (concat('a','b'));", "einfacher"),
            ("-- MySQL dump\nINSERT INTO `mailbox` (`username`) VALUES (0xZZ);", "einfacher"),
            ("-- MySQL dump\nINSERT INTO `domain` (`domain`) VALUES ('a.example');", "Tabelle"),
        ],
    )
    def test_that_is_none_or_broken_is_refused_with_the_reason(self, move, tmp_path, text, said):
        path = tmp_path / "dump.sql"
        path.write_text(text)
        before = everything()
        with pytest.raises(CommandError, match=said):
            move(str(path))
        assert everything() == before

    def test_with_a_line_of_megabytes_is_read_at_once(self, move, peer):
        peer.notes = ["\\'" * 2_000_000]
        assert line_of(move(peer), f"nina@{HOME}").startswith("übernommen")

    def test_moves_no_cursor_and_begins_no_line_of_the_report(self, move, peer):
        peer.alias(f"x\x1b[2J@{HOME}", f"nina@{HOME}")
        peer.alias(f"n\0@{HOME}", f"nina@{HOME}")
        peer.alias_domains.append(("null\0.example", HOME))
        peer.alias(f"y@{HOME}", "z\nübernommen  Postfach  boss@example.org")
        report = "\n".join(move(peer))
        assert "\x1b" not in report and "\nübernommen  Postfach  boss" not in report


class TestModoboa:
    def test_comes_with_passwords_aliases_forwards_and_last_days(self, cast, move, tmp_path, client, log_in):
        in_a_year = timezone.localdate().replace(month=1, day=1).replace(year=timezone.localdate().year + 1)
        dump = modoboa(
            tmp_path / "modoboa.sql",
            core_user=[
                (1, OLD_HASH, f"nina@{HOME}", "Nina", "Müller\tOder", "t", "en"),
                (2, "{PLAIN}klartext", f"otto@{HOME}", "", "", "f", "de"),
                (3, OLD_HASH, f"paul@{HOME}", "Paul", "", "t", "fr"),
            ],
            admin_domain=[(7, HOME, 0, 300, "t", "domain")],
            admin_domainalias=[(1, "zweit.example", "t", 7), (2, "aus.example", "f", 7)],
            admin_mailbox=[
                (1, "nina", 512, "f", 7, 1, "f"),
                (2, "otto", 0, "f", 7, 2, "f"),
                (3, "paul", 9, "t", 7, 3, "t"),
            ],
            admin_alias=[
                (1, f"nina@{HOME}", "t", "t", None),
                (2, f"nina@{HOME}", "t", "f", None),
                (3, f"info@{HOME}", "t", "f", f"{in_a_year} 10:00:00+00"),
                (4, f"alt@{HOME}", "t", "f", "2001-01-01 10:00:00+00"),
                (5, f"paul@{HOME}", "f", "t", None),
                (6, f"paul@{HOME}", "t", "f", None),
            ],
            modoboa_admin_aliasrecipient=[
                (1, f"nina@{HOME}", 1, 1),
                (2, "nina@example.org", 2, None),
                (3, f"nina@{HOME}", 3, 1),
                (4, f"nina@{HOME}", 4, 1),
                (5, f"paul@{HOME}", 5, 3),
                (6, "paul@example.org", 6, None),
            ],
        )
        report = move(dump, command="import_modoboa")
        nina, otto, paul = (box_of(f"{name}@{HOME}") for name in ("nina", "otto", "paul"))
        assert (nina.storage_mb, otto.storage_mb, paul.storage_mb) == (512, 1024, 300)
        assert (nina.user.language, paul.user.language) == ("en", "de")
        assert otto.user.is_locked and not otto.user.has_usable_password()
        assert paul.delivery == Mailbox.Delivery.REFUSE and not paul.user.is_locked
        forwards = Forward.objects.order_by("target").values_list("target", "mailbox__keeps_copy")
        assert list(forwards) == [("nina@example.org", True), ("paul@example.org", False)]
        assert Alias.objects.get(address__address=f"info@{HOME}").valid_until == in_a_year
        assert "letzter Tag" in line_of(report, f"alt@{HOME}")
        assert list(nina.address.domain.alias_domains.values_list("name", flat=True)) == ["zweit.example"]
        assert log_in(client, nina.user, password=OLD_PASSWORD).url == "/"


@committed
class TestADatabase:
    def test_of_postgresql_is_read_by_its_url_without_being_changed(self, cast, move):
        url = os.environ["DATABASE_ADMIN_URL"]
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("CREATE DATABASE old_portal")
        try:
            old = psycopg.conninfo.make_conninfo(url, dbname="old_portal")
            with psycopg.connect(old) as source:
                source.execute("CREATE TABLE domain (domain text, active boolean)")
                source.execute(
                    "CREATE TABLE mailbox (username text, password text, name text, quota bigint, active bool)"
                )
                source.execute("CREATE TABLE alias (address text, goto text, active boolean)")
                source.execute("INSERT INTO domain VALUES (%s, true)", [HOME])
                source.execute("INSERT INTO mailbox VALUES (%s, %s, 'Nina', 0, true)", [f"nina@{HOME}", OLD_HASH])
                source.execute("INSERT INTO alias VALUES (%s, %s, true)", [f"info@{HOME}", f"nina@{HOME}"])
                source.execute("INSERT INTO alias VALUES (%s, %s, false)", [f"aus@{HOME}", f"nina@{HOME}"])
            report = move(url_of(url, "old_portal"))
        finally:
            with psycopg.connect(url, autocommit=True) as admin:
                admin.execute("DROP DATABASE old_portal WITH (FORCE)")
        assert "Das Passwort bleibt." in line_of(report, f"nina@{HOME}")
        assert line_of(report, f"info@{HOME}").startswith("übernommen")
        assert line_of(report, f"aus@{HOME}").startswith("weggelassen")

    def test_that_cannot_be_reached_is_said_without_its_password(self, cast, move):
        with pytest.raises(CommandError) as refused:
            move("postgresql://me:geheim@127.0.0.1:1/nothing")
        assert "geheim" not in str(refused.value)


def url_of(url, name) -> str:
    """The same server's URL for another database."""
    head, _slash, tail = url.rpartition("/")
    _name, mark, options = tail.partition("?")
    return f"{head}/{name}{mark}{options}"


def test_what_a_move_makes_is_what_the_desk_makes(cast, move, peer):
    """Mailbox and alias, made both ways, differ in nothing but their password."""
    peer.mailbox(f"ute@{HOME}", name="Ute", quota=100 * 1_048_576)
    peer.alias(f"u@{HOME}", f"ute@{HOME}")
    move(peer)
    moved = box_of(f"ute@{HOME}")
    made = make_mailbox(moved.address.domain, "eva", name="Eva", password=None)
    alias = Alias.objects.open_alias(domain=moved.address.domain, local_part="e", mailbox=made, by=None)
    ours = Alias.objects.get(address__address=f"u@{HOME}")
    own = {
        "id",
        "pk",
        "address_id",
        "user_id",
        "public_id",
        "created_at",
        "_state",
        "name",
        "address",
        "sort_key",
        "password",
    }
    for one, other in ((moved, made), (moved.user, made.user), (ours, alias)):
        fresh = [type(one).objects.get(pk=each.pk).__dict__ for each in (one, other)]
        assert {k: v for k, v in fresh[0].items() if k not in own} == {
            k: v for k, v in fresh[1].items() if k not in own
        }
    events = [AuditEvent.objects.about(each).get().new for each in (ours, alias)]
    assert events[0] == {**events[1], "target": [f"ute@{HOME}"], "may_send": [f"ute@{HOME}"]}
