"""Black- und Whitelist in the portal: a person's own two lists, and nobody else's business."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.wall import NOBODY, everybody, showing
from filters.models import SenderRule, SpamPolicy, SpamSettings
from filters.models.senders import Wish
from tests.cast import make_mailbox, the_cast
from tests.client import Client, body
from tests.marks import committed, thorough
from tests.promises import promise

pytestmark = thorough

PAGE, ADD = "/black-whitelist/", "/black-whitelist/neu/"
MOVE, REMOVE = "/black-whitelist/verschieben/", "/black-whitelist/entfernen/"
MANY, EXPORT = "/black-whitelist/mehrere/", "/black-whitelist/export/"


@pytest.fixture
def portal(cast):
    client = Client()
    client.force_login(cast.user)
    return client


def day(number):
    return timezone.localdate() + timedelta(days=number)


def listed(owner) -> list[tuple[str, str]]:
    return list(SenderRule.objects.on_list_of(owner).values_list("kind", "sender"))


def block(owner, *senders, kind="block", **values):
    return SenderRule.objects.add(owner, [Wish(sender, kind, **values) for sender in senders], by=None).new


def fate(mailbox, sender, authenticated=True):
    """What becomes of a harmless message from there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT filters_fate_of(%s, %s, %s, 0, %s, 1)", [mailbox.pk, sender, sender, authenticated])
        return cursor.fetchone()[0]


class TestThePage:
    def test_adds_a_sender_with_note_and_last_day(self, portal, cast):
        data = {
            "sender": "Werbung@Müller.example",
            "kind": "block",
            "note": "zu viel",
            "valid_until": day(3).isoformat(),
        }
        shown = portal.post(PAGE, data, follow=True).content.decode()
        assert "werbung@müller.example steht auf Ihrer Blacklist" in shown and "zu viel" in shown
        assert listed(cast.mailbox) == [("block", "werbung@xn--mller-kva.example")]
        assert fate(cast.mailbox, "werbung@xn--mller-kva.example") == "blocked"
        row = SenderRule.objects.get()
        assert (row.tenant, row.note, row.valid_until) == (cast.tenant, "zu viel", day(3))

    def test_explains_the_order_and_that_the_whitelist_wants_a_proof(self, portal):
        shown = portal.get(PAGE).content.decode()
        assert "gehen denen Ihrer Domain vor" in shown and "DMARC" in shown and "0 von 100" in shown

    @pytest.mark.parametrize(
        ("data", "told"),
        [
            ({"sender": "*@example.org"}, "„@example.org“"),
            ({"sender": "<script>alert(1)</script>"}, "Das @ fehlt"),
            ({"sender": "a@example.org", "kind": "both"}, "Auswahl"),
            ({"sender": "a@example.org", "note": "a\u202eb"}, "tippen"),
            ({"sender": "a@example.org", "note": "x" * 121}, "120"),
            ({"sender": "a@example.org", "valid_until": "2020-01-01"}, "vorbei"),
            ({"sender": "a@example.org", "valid_until": "99999-01-01"}, "Datum"),
            ({"sender": ""}, "Bitte prüfen"),
        ],
    )
    def test_says_what_is_wrong_and_keeps_nothing(self, portal, cast, data, told):
        answer = portal.post(PAGE, {"kind": "block"} | data)
        assert answer.status_code == 422 and told.lower() in answer.content.decode().lower()
        assert "<script>alert" not in answer.content.decode() and listed(cast.mailbox) == []

    def test_says_where_a_sender_stands_already(self, portal, cast):
        block(cast.mailbox, "a@example.org")
        for kind, told in (("block", "bereits auf dieser Liste"), ("allow", "auf der anderen Liste")):
            assert told in portal.post(PAGE, {"sender": "A@example.org", "kind": kind}).content.decode()
        assert listed(cast.mailbox) == [("block", "a@example.org")]

    def test_lets_a_new_entry_take_the_place_of_one_that_is_over(self, portal, cast):
        block(cast.mailbox, "a@example.org", valid_until=day(-1))
        assert fate(cast.mailbox, "a@example.org") == "delivered"
        assert "vorbei" in portal.get(PAGE).content.decode()
        portal.post(PAGE, {"sender": "a@example.org", "kind": "allow"})
        assert listed(cast.mailbox) == [("allow", "a@example.org")]

    def test_finds_senders_and_notes_and_asks_the_same_at_one_row_and_at_three(self, portal, cast):
        numbers = set()
        for sender in ("eins@müller.example", "zwei@example.org", "@example.net"):
            portal.post(PAGE, {"sender": sender, "kind": "allow", "note": "Verein" if "zwei" in sender else ""})
            portal.get(PAGE)
            with CaptureQueriesContext(connection) as queries:
                portal.get(PAGE)
            numbers.add(len(queries))
        for words, found in (("müll", "eins@"), ("VEREIN", "zwei@"), ("@example.n", "@example.net")):
            shown = portal.get(PAGE, {"q": words}).content.decode().partition('id="lists"')[2]
            assert [each in shown for each in ("eins@", "zwei@", "@example.net")].count(True) == 1 and found in shown
        assert "Kein Eintrag" in portal.get(PAGE, {"q": "%_'\"<b>"}).content.decode()
        assert numbers == {9}

    def test_moves_to_the_other_list_with_note_and_day(self, portal, cast):
        block(cast.mailbox, "a@example.org", note="Verein", valid_until=day(1))
        for _click in range(2):
            portal.post(MOVE, {"sender": "a@example.org", "to": "allow"})
        assert portal.post(MOVE, {"sender": "a@example.org", "to": "elsewhere"}).status_code == 400
        row = SenderRule.objects.get()
        assert (row.kind, row.note, row.valid_until) == ("allow", "Verein", day(1))
        assert (fate(cast.mailbox, "a@example.org"), fate(cast.mailbox, "a@example.org", False)) == (
            "allowed",
            "delivered",
        )

    def test_removes_and_takes_that_back_without_a_script(self, portal, cast):
        block(cast.mailbox, "a@example.org", note="x & y", valid_until=day(1))
        shown = portal.post(REMOVE, {"sender": "a@example.org"}, follow=True)
        assert listed(cast.mailbox) == [] and "Rückgängig" in shown.content.decode()
        assert "Rückgängig" not in portal.get(PAGE).content.decode()
        again = {name: shown.context["removed"][name] for name in ("sender", "kind", "note", "valid_until")}
        portal.post(ADD, again)
        row = SenderRule.objects.get()
        assert (row.sender, row.kind, row.note, row.valid_until) == ("a@example.org", "block", "x & y", day(1))

    @promise("A-12")
    def test_reaches_nobody_elses_entries(self, portal, cast):
        neighbour = make_mailbox(cast.domain, "erika")
        for owner in (neighbour, cast.other_mailbox, cast.domain, cast.tenant, None):
            block(owner, "a@example.org")
        for path in (MOVE, REMOVE):
            assert portal.post(path, {"sender": "a@example.org", "to": "allow"}).status_code == 404
            assert portal.post(path, {"sender": "a\x00"}).status_code in (400, 404)
        # A form names no mailbox; one that is forged into it means nothing.
        portal.post(PAGE, {"sender": "b@example.org", "kind": "block", "mailbox": neighbour.pk, "owner": neighbour.pk})
        assert listed(neighbour) == [("block", "a@example.org")]
        assert SenderRule.objects.filter(sender="a@example.org", kind="block").count() == 5
        assert "a@example.org" not in portal.get(PAGE).content.decode()
        assert b"a@example.org" not in body(portal.get(EXPORT))


class TestOneClickFromAnotherPage:
    def test_leads_back_and_moves_what_stood_on_the_other_list(self, portal, cast):
        data = {"sender": "a@example.org", "kind": "block", "next": "/protokoll/"}
        for kind in ("block", "allow", "allow"):
            assert portal.post(ADD, data | {"kind": kind}).url == "/protokoll/"
            assert listed(cast.mailbox) == [(kind, "a@example.org")]

    @pytest.mark.parametrize(
        "wanted", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil.example", ""]
    )
    def test_leads_to_no_other_host(self, portal, wanted):
        data = {"sender": "a@example.org", "kind": "block", "next": wanted}
        assert portal.post(ADD, data).url == PAGE

    def test_says_that_the_whitelist_counts_for_proved_senders_alone(self, portal):
        data = {"sender": "a@example.org", "kind": "allow", "next": "/"}
        shown = portal.post(ADD, data, follow=True).content.decode()
        assert "a@example.org steht auf Ihrer Whitelist" in shown
        assert "nur für Mail, deren Absender nachgewiesen ist" in shown

    def test_says_why_a_sender_cannot_be_listed(self, portal, cast):
        answer = portal.post(ADD, {"sender": '"><b>x', "kind": "block", "next": "/"}, follow=True)
        assert "Das @ fehlt" in answer.content.decode() and listed(cast.mailbox) == []

    def test_needs_the_forms_token(self, cast):
        client = Client(enforce_csrf_checks=True)
        client.force_login(cast.user)
        assert client.post(ADD, {"sender": "a@example.org", "kind": "block"}).status_code == 403
        assert listed(cast.mailbox) == []


class TestManyAtOnce:
    def test_say_of_each_line_what_became_of_it_and_name_the_faults_first(self, portal, cast):
        block(cast.mailbox, "b@example.org")
        text = "a@example.org\nB@example.org; *@example.net\n@example.com\na@example.org, <b>"
        answer = portal.post(MANY, {"text": text, "kind": "block", "note": "", "valid_until": ""})
        states = [(each.text, each.state) for each in answer.context["outcomes"]]
        assert states == [
            ("*@example.net", "faulty"), ("<b>", "faulty"), ("a@example.org", "added"), ("b@example.org", "there"),
            ("@example.com", "added"), ("a@example.org", "there"),
        ]  # fmt: skip
        shown = answer.content.decode()
        assert "2 hinzugefügt, 2 schon vorhanden, 2 fehlerhaft" in shown and "„@example.net“" in shown
        assert "<b><" not in shown and len(listed(cast.mailbox)) == 3

    def test_fill_the_list_and_leave_out_the_rest(self, portal, cast):
        SpamPolicy.objects.decide(cast.tenant, by=None, max_mailbox_rules=2)
        answer = portal.post(MANY, {"text": "a@b.example c\nd@b.example\ne@b.example\nf@b.example", "kind": "allow"})
        assert [each.state for each in answer.context["outcomes"]] == ["faulty", "faulty", "added", "added"]
        assert "fassen zusammen 2 Absender" in answer.context["outcomes"][1].told
        assert (
            "fassen zusammen 2 Absender"
            in portal.post(PAGE, {"sender": "g@b.example", "kind": "block"}).content.decode()
        )

    @pytest.mark.parametrize("text", ["", "\n ;\t,", "a@example.org\n" * 2001])
    def test_want_some_lines_and_not_too_many(self, portal, cast, text):
        assert portal.post(MANY, {"text": text, "kind": "block"}).status_code == 422
        assert listed(cast.mailbox) == []

    def test_of_an_export_are_read_again_and_no_spreadsheet_executes_them(self, portal, cast):
        rows = {"@example.org": "=1+1", "=cmd@example.org": "@x", "@*.müller.example": 'a;b"c', "+a@example.org": "'x"}
        for sender, note in rows.items():
            portal.post(PAGE, {"sender": sender, "kind": "allow", "note": note, "valid_until": day(9).isoformat()})
        before = list(SenderRule.objects.values_list("sender", "kind", "note", "valid_until"))
        file = body(portal.get(EXPORT))
        cells = [cell.strip('"') for line in file.decode("utf-8-sig").splitlines() for cell in line.split(";")]
        assert len(before) == 4 and not any(cell.startswith(("=", "+", "-", "@", "\t", "|", "%")) for cell in cells)
        SenderRule.objects.all().delete()
        answer = portal.post(MANY, {"file": SimpleUploadedFile("a.csv", file), "kind": "block"})
        assert {each.state for each in answer.context["outcomes"]} == {"added"}
        assert list(SenderRule.objects.values_list("sender", "kind", "note", "valid_until")) == before

    def test_of_a_table_follow_its_columns_and_name_its_faults(self, portal, cast):
        table = (
            "Bemerkung,E-Mail-Adresse,Liste,Bis\nx,a@example.org,Whitelist,31.12.2099\n,b@example.org,,\n"
            ",c@example.org,Greylist,\n,d@example.org,,gestern\n,e@example.org,block,2099-02-30\n"
        )
        file = SimpleUploadedFile("a.csv", table.encode("utf-16"))
        answer = portal.post(MANY, {"file": file, "kind": "block", "note": "neu"})
        assert [each.state for each in answer.context["outcomes"]] == ["faulty"] * 3 + ["added"] * 2
        rows = SenderRule.objects.values_list("sender", "kind", "note")
        assert list(rows) == [("a@example.org", "allow", "x"), ("b@example.org", "block", "neu")]

    @pytest.mark.parametrize(
        "data",
        [b"\x00\xff\xfe", b'"a@example.org', b"a@example.org\n" * 50_000, b"", b"\n\n", "\ufeffAbsender\n".encode()],
    )
    def test_of_a_file_that_is_none_are_refused(self, portal, cast, data):
        answer = portal.post(MANY, {"file": SimpleUploadedFile("a.csv", data), "kind": "block"})
        assert answer.status_code in (200, 400, 422) and listed(cast.mailbox) in ([], [("block", "a@example.org")])


class TestTheTrail:
    def test_tells_how_many_and_nobody_whom(self, portal, cast):
        portal.post(PAGE, {"sender": "arzt@example.org", "kind": "block", "note": "geheim"})
        portal.post(MOVE, {"sender": "arzt@example.org", "to": "allow"})
        portal.post(MANY, {"text": "arzt2@example.org\narzt3@example.org", "kind": "block"})
        portal.post(REMOVE, {"sender": "arzt@example.org"})
        events = list(AuditEvent.objects.filter(actor=cast.user).order_by("pk"))
        assert [(each.old, each.new) for each in events] == [
            ({"allow": 0, "block": 0}, {"allow": 0, "block": 1}),
            ({"allow": 0, "block": 1}, {"allow": 1, "block": 0}),
            ({"allow": 1, "block": 0}, {"allow": 1, "block": 2}),
            ({"allow": 1, "block": 2}, {"allow": 0, "block": 2}),
        ]
        assert all(each.object_label == str(cast.mailbox) for each in events)
        desk = Client()
        desk.force_login(cast.dvb)
        shown = desk.get("/desk/accounts/auditevent/").content.decode()
        assert "blockierte Absender: 0 → 1" in shown and "arzt" not in shown and "geheim" not in shown
        assert "erlaubte Absender: 0 → 1" in portal.get("/protokoll/").content.decode()

    def test_says_nothing_where_nothing_was_done(self, portal, cast):
        block(cast.mailbox, "a@example.org")
        before = AuditEvent.objects.count()
        portal.post(PAGE, {"sender": "a@example.org", "kind": "block"})
        portal.post(ADD, {"sender": "a@example.org", "kind": "block"})
        assert AuditEvent.objects.count() == before


class TestTheInstallationsLists:
    def test_hold_for_everybody_who_asks_and_are_changed_by_no_tenant(self, cast):
        block(None, "@werbung.example")
        with showing(str(cast.tenant.pk)):
            assert fate(cast.mailbox, "a@werbung.example") == "blocked"
            assert (
                SenderRule.objects.visible_to(cast.dvb).count()
                == 0
                == SenderRule.objects.filter(tenant=None).delete()[0]
            )
            assert SenderRule.objects.filter(tenant=None).update(kind="allow") == 0
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                block(None, "@konkurrenz.example")
        with showing(NOBODY):
            assert not SenderRule.objects.exists()
        assert listed(None) == [("block", "@werbung.example")]


class TestTheEffect:
    def test_of_the_blacklist_is_said_as_the_owner_chose_it(self, portal, cast):
        assert "kommen in den Spam-Ordner" in portal.get(PAGE).content.decode()
        chosen = dict.fromkeys(("action", "threshold", "junk_days", "digest"))
        SpamSettings.objects.choose(cast.mailbox, **chosen, block_effect="discard", by=cast.user)
        assert "werden nicht zugestellt" in portal.get(PAGE).content.decode()
        block(cast.mailbox, "a@example.org")
        assert fate(cast.mailbox, "a@example.org") == "dropped"


@committed
@pytest.mark.parametrize("whose", ["mailbox", "domain", "tenant"])
def test_a_lists_limit_holds_for_eight_at_once(whose):
    cast = the_cast()
    with everybody():
        SpamPolicy.objects.decide(cast.tenant, by=None, max_mailbox_rules=2, max_domain_rules=2)

    @everybody()
    def add(number):
        try:
            SenderRule.objects.add_one(getattr(cast, whose), Wish(f"a{number // 2}@example.org", "block"), by=None)
            return True
        except ValidationError as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(add, range(8)))
    assert outcomes.count(True) == 2 and set(outcomes) <= {True, "LimitReached", "ValidationError"}
    assert SenderRule.objects.on_list_of(getattr(cast, whose)).count() == 2


def test_two_windows_remove_the_same_entry(cast):
    [row] = block(cast.mailbox, "a@example.org")
    other = SenderRule.objects.get(pk=row.pk)
    row.remove(by=cast.user)
    before = AuditEvent.objects.count()
    other.remove(by=cast.user)
    other.move("allow", by=cast.user)
    assert (AuditEvent.objects.count(), listed(cast.mailbox)) == (before, [])
