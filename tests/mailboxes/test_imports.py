"""Mailboxes from a file: looked through, decided about, and imported by the worker."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.management.commands.worker import handle_next
from accounts.models import AuditEvent, OutboxMessage, Tenant, User
from accounts.wall import everybody
from mailboxes import imports
from mailboxes.models import Address, Alias, Import, ImportRow, Mailbox
from tests.cast import CANARY, make_mailbox, the_cast
from tests.client import Client, body
from tests.marks import committed, thorough
from tests.promises import promise

pytestmark = thorough

ROOM = "/desk/mailboxes/import/"
ADD = f"{ROOM}add/"
HEAD = "E-Mailadresse;Name;Sprache;Speicherplatz (MB);Aliase"


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


def upload(desk, *rows, head=HEAD, data=None, name="postfächer.csv"):
    file = BytesIO(data if data is not None else "\r\n".join([head, *rows]).encode())
    file.name = name
    return desk.post(ADD, {"file": file})


def looked_through(desk, *rows, **kwargs) -> Import:
    response = upload(desk, *rows, **kwargs)
    assert response.status_code == 302, response.context["adminform"].form.errors
    return Import.objects.latest("pk")


def start(desk, batch, choice="valid"):
    return desk.post(f"{ROOM}{batch.pk}/start/", {"choice": choice})


def imported(desk, batch, choice="valid") -> Import:
    assert start(desk, batch, choice).status_code == 302
    call_command("worker", "--once")
    batch.refresh_from_db()
    return batch


def counts(batch):
    return batch.rows_new, batch.rows_same, batch.rows_different, batch.rows_bad, batch.rows_made


def texts(batch) -> dict[int, str]:
    return {row.line: " ".join(text for _column, text in row.faults) for row in batch.rows.to_be_named()}


def everything():
    return [model.objects.count() for model in (Mailbox, Alias, Address, User)]


class TestAFile:
    @pytest.mark.parametrize(
        "data",
        [
            f"{HEAD}\nnina@musterdomain.de;Nina Müller;;;\n".encode(),
            f"\ufeff{HEAD}\r\nnina@musterdomain.de;Nina Müller;;;\r\n".encode(),
            f"{HEAD}\r\nnina@musterdomain.de;Nina Müller;;;\r\n".encode("cp1252"),
            "Name\te-mail address\nNina Müller\tnina@musterdomain.de\n".encode("utf-16"),
            'Name,Abteilung,E-Mail\n\n"Nina Müller",Einkauf,NINA@Musterdomain.DE\n,,\n'.encode(),
        ],
    )
    def test_is_read_in_the_forms_that_spreadsheets_write(self, desk, data):
        row = looked_through(desk, data=data).rows.get()
        assert (row.verdict, row.wish["address"], row.wish["name"]) == ("new", "nina@musterdomain.de", "Nina Müller")

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x00\x01\x02",
            b"PK\x03\x04 what a workbook begins with",
            f"{HEAD}\n".encode(),
            b"E-Mail;E-Mailadresse;Name\na@musterdomain.de;;A\n",
            b'E-Mail;Name\n"' + b"x" * 200_000,
            b"E-Mail;Name\n" + b"x;y\n" * 20_001,
            b"E-Mail;Name\nn@musterdomain.de;N\n" + b";\n" * (5 * 1024**2 // 2),
            b"E-Mail;Name;Alias\n" + (b"n@musterdomain.de;N;" + b"|".join(b"%d" % n for n in range(99)) + b"\n") * 405,
        ],
    )
    def test_that_cannot_be_read_is_refused_as_a_whole(self, desk, data):
        response = upload(desk, data=data)
        assert response.status_code == 200
        assert len(response.context["adminform"].form.errors) == 1
        assert not Import.objects.exists()

    @pytest.mark.parametrize("data", [b"PK\x03\x04\x14", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
    def test_that_is_a_workbook_is_told_from_a_table_without_a_head(self, desk, data):
        page = upload(desk, data=data, name="postfächer.xlsx").content.decode()
        assert "keine CSV-Datei" in page and "Spalten nennen" not in page

    def test_names_the_columns_that_mean_nothing(self, desk):
        upload(desk, "nina@musterdomain.de;Nina;geheim", head="E-Mail;Name;Passwort")
        assert "Passwort" in desk.get(f"{ROOM}{Import.objects.get().pk}/change/").content.decode()

    def test_is_one_of_five_that_wait_at_most(self, desk):
        for number in range(5):
            looked_through(desk, f"n{number}@musterdomain.de;N;;;")
        assert upload(desk, "n@musterdomain.de;N;;;").status_code == 200
        batch = Import.objects.latest("pk")
        assert desk.post(f"{ROOM}{batch.pk}/delete/", {"post": "yes"}).status_code == 302
        assert upload(desk, "n@musterdomain.de;N;;;").status_code == 302

    def test_that_is_the_example_says_whose_domain_it_is_not(self, desk, cast):
        cast.domain.name = "anderswo.example"
        cast.domain.save()
        batch = looked_through(desk, data=body(desk.get(f"{ROOM}template/")))
        assert (batch.rows_bad, batch.rows_total) == (1, 1)

    def test_is_looked_through_in_a_few_questions_however_long(self, desk, cast):
        def questions(numbers):
            with CaptureQueriesContext(
                connection,
            ) as asked:
                looked_through(desk, *(f"n{n}@musterdomain.de;N {n};de;10;a{n}" for n in numbers))
            return len(asked)

        questions([99])
        assert questions(range(2)) == questions(range(10, 40))


# What a row of its own is for, with {n} for its number, and the column that is named.
FAULTY = [
    (";Nina;;;", "address"),
    ("n{n};Nina;;;", "address"),
    ("jürgen{n}@musterdomain.de;Jürgen;;;", "address"),
    ("=cmd|' /C calc'!A{n};Nina;;;", "address"),
    ("n{n}\0@musterdomain.de;Nina;;;", "address"),
    ("n" * 10_000 + "@musterdomain.de;Nina;;;", "address"),
    ("postmaster@musterdomain.de;Nina;;;", "address"),
    (f"n@{CANARY}.example;Nina;;;", "address"),
    ("n{n}@unbekannt.example;Nina;;;", "address"),
    ("info@musterdomain.de;Nina;;;", "address"),
    ("n{n}@musterdomain.de;;;;", "name"),
    ("n{n}@musterdomain.de;Ni\0na;;;", "name"),
    ("n{n}@musterdomain.de;Ni\u202ena;;;", "name"),
    ("n{n}@musterdomain.de;" + "N" * 10_000 + ";;;", "name"),
    ("n{n}@musterdomain.de;Nina;fr;;", "language"),
    ("n{n}@musterdomain.de;Nina;;0;", "storage_mb"),
    ("n{n}@musterdomain.de;Nina;;1.024;", "storage_mb"),
    ("n{n}@musterdomain.de;Nina;;9999999999;", "storage_mb"),
    ("n{n}@musterdomain.de;Nina;;102401;", ""),
    ("n{n}@musterdomain.de;Nina;;;;noch eine", ""),
    ("n{n}@musterdomain.de;Nina;;;" + "a " * 5_000, "aliases"),
    ("n{n}@musterdomain.de;Nina;;;abuse", "aliases"),
    (f"n{{n}}@musterdomain.de;Nina;;;nina@{CANARY}.example", "aliases"),
    ("n{n}@musterdomain.de;Nina;;;max.mustermann", "aliases"),
    ("n{n}@musterdomain.de;Nina;;;n{n}", "aliases"),
    ('n{n}@musterdomain.de;Nina;;;"| /bin/sh"', "aliases"),
]


class TestARow:
    def test_with_a_fault_is_named_and_never_imported(self, desk):
        before = everything()
        batch = looked_through(desk, *(row.format(n=number) for number, (row, _column) in enumerate(FAULTY)))
        assert counts(batch) == (0, 0, 0, len(FAULTY), 0)
        assert [[c for c, _text in row.faults] for row in batch.rows.to_be_named()] == [[c] for _row, c in FAULTY]
        assert all(texts(batch).values())
        assert desk.get(f"{ROOM}{batch.pk}/change/").status_code == 200
        assert body(desk.get(f"{ROOM}{batch.pk}/faults/")).decode("utf-8-sig").count("\r\n") == len(FAULTY) + 1
        assert (start(desk, batch).status_code, everything()) == (422, before)

    def test_says_of_each_cell_what_is_wrong_in_german(self, desk):
        batch = looked_through(desk, 'nina@musterdomain.de;"Nina\nNeu";;;', "a b@musterdomain.de;;fr;1,5;info")
        [first, second] = batch.rows.to_be_named()
        assert (first.line, [column for column, _text in first.faults]) == (2, ["name"])
        # The row before goes over two lines.
        assert (second.line, [column for column, _text in second.faults]) == (
            4,
            ["address", "name", "language", "storage_mb"],
        )

    def test_whose_address_stands_further_up_is_named_with_that_line(self, desk):
        batch = looked_through(
            desk,
            "nina@musterdomain.de;Nina;;;team",
            "NINA@musterdomain.de;Nina;;;",
            "team@musterdomain.de;Team;;;",
            "tom@musterdomain.de;Tom;;;team",
        )
        assert counts(batch) == (1, 0, 0, 3, 0)
        assert all("2" in text for text in texts(batch).values())

    def test_of_a_mailbox_that_is_there_changes_nothing(self, desk, cast):
        row = "max.mustermann@musterdomain.de;Max Mustermann;de;100;info"
        batch = looked_through(desk, row, "nina@musterdomain.de;Nina;;;")
        assert counts(batch) == (1, 1, 0, 0, 0)
        other = looked_through(desk, "max.mustermann@musterdomain.de;Max Muster;en;200;maxi")
        assert counts(other) == (0, 0, 1, 0, 0)
        assert [column for column, _text in other.rows.get().faults] == ["name", "language", "storage_mb", "aliases"]
        assert "Max Mustermann" in other.rows.get().faults[0][1]
        assert start(desk, other).status_code == 422

    def test_with_a_formula_as_name_stays_text(self, desk):
        imported(desk, looked_through(desk, "nina@musterdomain.de;=1+1;;;"))
        assert User.objects.get(address="nina@musterdomain.de").name == "=1+1"
        table = body(desk.post("/desk/mailboxes/mailbox/export/")).decode("utf-8-sig")
        assert ";'=1+1;" in table
        again = looked_through(desk, data=table.encode())
        assert counts(again) == (0, 2, 0, 0, 0)

    def test_past_the_contract_is_faulty(self, desk, cast):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_mailboxes=3, max_aliases=3, max_storage_mb=1000)
        batch = looked_through(
            desk,
            "a@musterdomain.de;A;;901;",
            "b@musterdomain.de;B;;10;b1 b2 b3",
            "c@musterdomain.de;C;;10;",
            "d@musterdomain.de;D;;10;",
            "e@musterdomain.de;E;;10;",
        )
        assert counts(batch) == (2, 0, 0, 3, 0)
        assert sorted(texts(batch)) == [2, 3, 6]

    def test_asks_for_nothing_of_which_there_was_too_much_before(self, desk, cast):
        """Staff may lower what is in use already."""
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_aliases=0)
        batch = looked_through(desk, "a@musterdomain.de;A;;10;", "b@musterdomain.de;B;;10;b1")
        assert (counts(batch), list(texts(batch))) == ((1, 0, 0, 1, 0), [3])
        batch = looked_through(desk, "a@musterdomain.de;A;;10;")
        assert imported(desk, batch, "all").rows_made == 1


class TestAnImport:
    @promise("A-59")
    def test_makes_mailboxes_as_the_form_does(self, desk, cast):
        batch = looked_through(desk, "Nina.Neu@musterdomain.de;Nina Neu;en;200;nina team@musterdomain.de")
        assert desk.get(f"{ROOM}{batch.pk}/change/").status_code == 200
        batch = imported(desk, batch)
        assert (batch.state, batch.rows_made, batch.aliases_made) == ("done", 1, 2)
        mailbox = Mailbox.objects.get(address__address="nina.neu@musterdomain.de")
        made = make_mailbox(cast.domain, "single", name="Single", password=None, by=cast.dvb)
        user = mailbox.user
        assert mailbox.delivery == made.delivery
        assert (user.name, user.language, user.tenant, mailbox.storage_mb) == ("Nina Neu", "en", cast.tenant, 200)
        assert user.credential_state.value == "created" and not user.has_usable_password()
        assert sorted(map(str, mailbox.aliases.all())) == ["nina@musterdomain.de", "team@musterdomain.de"]

        def events(box):
            about = AuditEvent.objects.about(box, box.user, *box.aliases.all()).order_by("pk")
            return [(e.deed, e.actor_label, e.actor_role, e.object_type, e.tenant_id, sorted(e.new)) for e in about]

        Alias.objects.open_alias(domain=cast.domain, local_part="s1", mailbox=made, by=cast.dvb)
        Alias.objects.open_alias(domain=cast.domain, local_part="s2", mailbox=made, by=cast.dvb)
        assert events(mailbox) == events(made)
        ours = AuditEvent.objects.about(batch).order_by("pk")
        assert [(event.deed, event.actor_label) for event in ours] == [
            ("created", str(cast.dvb)),
            ("changed", str(cast.dvb)),
        ]
        assert ours[1].new == {"state": "done", "made": 1, "aliases": 2, "bad": 0}
        shown = desk.get(f"{ROOM}{batch.pk}/change/").content.decode()
        assert "data-over" in shown

    def test_runs_once_however_often_it_is_started(self, desk):
        batch = looked_through(desk, "nina@musterdomain.de;Nina;;;")
        assert (start(desk, batch).status_code, start(desk, batch).status_code) == (302, 422)
        assert desk.post(f"{ROOM}{batch.pk}/delete/", {"post": "yes"}).status_code == 403
        assert OutboxMessage.objects.waiting().filter(kind="import_mailboxes").count() == 1
        assert "data-over" not in desk.get(f"{ROOM}{batch.pk}/progress/").content.decode()

    def test_needs_a_choice(self, desk):
        batch = looked_through(desk, "nina@musterdomain.de;Nina;;;")
        assert start(desk, batch, "").status_code == 422
        assert start(desk, batch, "other").status_code == 422
        assert Import.objects.get().is_waiting

    def test_of_all_or_nothing_stops_where_something_changed_since(self, desk, cast):
        batch = looked_through(desk, "nina@musterdomain.de;Nina;;;", "tom@musterdomain.de;Tom;;;")
        Alias.objects.open_alias(domain=cast.domain, local_part="tom", mailbox=cast.mailbox, by=cast.dvb)
        before = everything()
        batch = imported(desk, batch, "all")
        assert (batch.state, everything()) == ("stopped", before)
        assert list(texts(batch)) == [3]

    def test_leaves_out_what_no_longer_fits(self, desk, cast):
        batch = looked_through(desk, *(f"{name}@musterdomain.de;{name};;;" for name in ("nina", "tom", "max1")))
        Alias.objects.open_alias(domain=cast.domain, local_part="tom", mailbox=cast.mailbox, by=cast.dvb)
        make_mailbox(cast.domain, "max1", name="max1", password=None, storage_mb=1024)
        batch = imported(desk, batch)
        assert (batch.state, counts(batch)) == ("done", (0, 1, 0, 1, 1))

    def test_is_forgotten_a_day_later(self, desk):
        waits = looked_through(desk, "tom@musterdomain.de;Tom;;;")
        done = imported(desk, looked_through(desk, "nina@musterdomain.de;Nina;;;", ";faulty;;;"))
        assert [row.verdict for row in done.rows.all()] == ["bad"]
        OutboxMessage.objects.update(due=timezone.now())
        call_command("worker", "--once")
        assert not ImportRow.objects.exists()
        assert list(Import.objects.all()) == [done] and waits.pk != done.pk

    def test_of_another_tenant_is_not_there(self, desk, cast):
        other = Client()
        other.force_login(cast.other_dvb)
        batch = looked_through(other, f"nina@{CANARY}.example;Nina;;;")
        assert start(desk, batch).status_code == 404
        assert desk.get(f"{ROOM}{batch.pk}/faults/").status_code == 404
        assert Import.objects.get().is_waiting


def table(numbers, bad=()):
    """A row for each number with one alias; those of the bad ones are faulty, in different ways."""
    faulty = ["{n}@unbekannt.example;N", "n{n}@musterdomain.de;", "n {n}@musterdomain.de;N", "info@musterdomain.de;N"]
    good = "n{n}@musterdomain.de;Person {n};de;1;a{n}"
    return [(faulty[n % 4] if n in bad else good).format(n=n) for n in numbers]


def widen(cast, **limits):
    Tenant.objects.filter(pk=cast.tenant.pk).update(
        **{"max_mailboxes": 20_000, "max_aliases": 20_000, "max_storage_mb": 1_000_000} | limits
    )


class TestALongFile:
    def test_is_imported_whole_or_not_at_all_or_but_for_its_faulty_rows(self, desk, cast):
        self.imports(60, desk, cast)

        bad = set(range(3, 3 + 37))
        again = looked_through(desk, *table(range(60), bad))
        assert counts(again) == (0, 60 - 37, 0, 37, 0)
        corrected = imported(desk, looked_through(desk, *table(range(60))), "all")
        assert (corrected.state, counts(corrected)) == ("done", (0, 60 - 37, 0, 0, 37))
        assert Mailbox.objects.filter(tenant=cast.tenant).count() == 60 + 1

    @committed
    def test_may_have_ten_thousand_rows(self, desk, cast):
        self.imports(10_000, desk, cast)

    def imports(self, number, desk, cast):
        widen(cast)
        bad = set(range(3, 3 + 37))
        before = everything()
        batch = looked_through(desk, *table(range(number), bad))
        assert counts(batch) == (number - 37, 0, 0, 37, 0)
        assert sorted(texts(batch)) == [n + 2 for n in sorted(bad)]
        assert start(desk, batch, "all").status_code == 422
        assert everything() == before

        batch = imported(desk, batch)
        good = number - 37
        assert (batch.state, counts(batch), batch.aliases_made) == ("done", (0, 0, 0, 37, good), good)
        assert everything() == [before[0] + good, before[1] + good, before[2] + 2 * good, before[3] + good]
        assert AuditEvent.objects.filter(object_type="mailboxes.mailbox", object_label__startswith="n").count() == good

    def test_goes_on_where_it_stopped_and_shows_how_far_it_is(self, desk, cast, monkeypatch):
        monkeypatch.setattr(imports, "CHUNK", 10)
        widen(cast)
        batch = looked_through(desk, *table(range(35)))
        start(desk, batch)
        assert handle_next()
        batch.refresh_from_db()
        assert (batch.rows_made, batch.rows_new) == (10, 25)
        assert 'max="35" value="10"' in desk.get(f"{ROOM}{batch.pk}/progress/").content.decode()
        with monkeypatch.context() as broken:
            broken.setattr(Import, "recount", lambda self: 1 / 0)
            assert handle_next()
        assert Mailbox.objects.filter(tenant=cast.tenant).count() == 11
        OutboxMessage.objects.filter(kind="import_mailboxes").update(due=timezone.now() - timedelta(seconds=1))
        call_command("worker", "--once")
        batch.refresh_from_db()
        assert (batch.state, batch.rows_made) == ("done", 35)
        assert Mailbox.objects.filter(tenant=cast.tenant).count() == 36


@committed
class TestTwoAtOnce:
    """Two workers at the limit, which leaves room for 30 of 40."""

    @everybody()
    def run(self, cast, monkeypatch, choice):
        monkeypatch.setattr(imports, "CHUNK", 5)
        widen(cast, max_mailboxes=31)
        desk = Client()
        desk.force_login(cast.dvb)
        batches = [looked_through(desk, *table(range(first, first + 20))) for first in (0, 100)]
        for batch in batches:
            assert start(desk, batch, choice).status_code == 302

        def work():
            with everybody():
                while handle_next():
                    pass
            connection.close()

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(work) for _worker in range(2)]:
                done.result()
        for batch in batches:
            batch.refresh_from_db()
        return batches, Mailbox.objects.filter(tenant=cast.tenant).count()

    def test_fill_the_contract_and_no_more(self, monkeypatch):
        batches, there = self.run(the_cast(), monkeypatch, "valid")
        assert {batch.state for batch in batches} == {"done"}
        assert (there, sum(batch.rows_made for batch in batches), sum(b.rows_bad for b in batches)) == (31, 30, 10)

    def test_of_all_or_nothing_leave_one_out(self, monkeypatch):
        batches, there = self.run(the_cast(), monkeypatch, "all")
        assert sorted(batch.state for batch in batches) == ["done", "stopped"]
        assert there == 21
