"""Lists of domains and of the organisation on the DVB's desk, and those of the installation with staff."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent
from filters.models import SenderRule, SpamPolicy
from filters.models.senders import Wish
from tests.cast import CANARY
from tests.client import Client, body
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

OF_RULES = AuditEvent.objects.filter(object_type="filters.senderrule")
ROOM, STAFF = "/desk/filters/senderrule/", "/staff/filters/senderrule/"


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def staff(cast):
    client = Client()
    client.force_login(cast.staff)
    return client


def add(owner, sender, kind="block"):
    return SenderRule.objects.add_one(owner, Wish(sender, kind), by=None)


def wish(sender, **values):
    return {"sender": sender, "kind": "block", "note": "", "valid_until": "", "domain": ""} | values


class TestTheDesk:
    def test_adds_for_a_domain_or_for_all_and_puts_it_on_record(self, desk, cast):
        desk.post(ROOM + "add/", wish("*@werbung.example"))
        desk.post(ROOM + "add/", wish("@werbung.example", note="Welle im Mai"))
        desk.post(ROOM + "add/", wish("partner@example.org", kind="allow", domain=cast.domain.pk))
        rows = {row.sender: (row.kind, row.domain, row.tenant, row.mailbox) for row in SenderRule.objects.all()}
        assert rows == {
            "@werbung.example": ("block", None, cast.tenant, None),
            "partner@example.org": ("allow", cast.domain, cast.tenant, None),
        }
        told = {event.object_label: event.new for event in AuditEvent.objects.filter(actor=cast.dvb)}
        assert told["@werbung.example"] == {"kind": "block", "note": "Welle im Mai", "valid_until": ""}
        shown = desk.get(ROOM).content.decode()
        assert "alle Ihre Domains" in shown and "musterdomain.de" in shown

    def test_changes_and_removes_with_record(self, desk, cast):
        row = add(cast.domain, "a@example.org")
        data = {"kind": "allow", "note": "doch", "valid_until": "2099-01-01"}
        assert desk.post(f"{ROOM}{row.pk}/change/", data).status_code == 302
        row.refresh_from_db()
        assert (row.kind, row.note, row.sender) == ("allow", "doch", "a@example.org")
        desk.post(f"{ROOM}{row.pk}/delete/", {"post": "yes"})
        deeds = AuditEvent.objects.filter(actor=cast.dvb, object_id=str(row.pk)).order_by("pk")
        assert [(each.deed, each.object_label) for each in deeds] == [
            ("changed", "a@example.org"), ("deleted", "a@example.org"),
        ]  # fmt: skip
        assert deeds[0].old["kind"] == "block" and deeds[1].old["note"] == "doch"
        assert not SenderRule.objects.exists()

    def test_takes_many_for_one_list_and_says_what_became_of_each(self, desk, cast):
        SpamPolicy.objects.decide(cast.tenant, by=None, max_domain_rules=3)
        add(cast.domain, "b@example.org")
        data = {"text": "a@example.org\nb@example.org\n*.x.example\n@c.example\nd@example.org", "kind": "block"}
        answer = desk.post(ROOM + "many/", data | {"domain": cast.domain.pk})
        states = [each.state for each in answer.context["outcomes"]]
        assert states == ["faulty", "faulty", "added", "there", "added"]
        assert SenderRule.objects.on_list_of(cast.domain).count() == 3
        assert OF_RULES.filter(actor=cast.dvb, deed="created").count() == 2

    def test_exports_and_imports_the_same(self, desk, cast):
        add(cast.tenant, "@example.org"), add(cast.domain, "=a@example.org", "allow")
        file = body(desk.post(ROOM + "export/"))
        assert "\n@example" not in file.decode("utf-8-sig") and "\n=" not in file.decode("utf-8-sig")
        SenderRule.objects.all().delete()
        answer = desk.post(ROOM + "many/", {"file": SimpleUploadedFile("a.csv", file), "kind": "block", "domain": ""})
        assert {each.state for each in answer.context["outcomes"]} == {"added"}
        rows = SenderRule.objects.on_list_of(cast.tenant).values_list("sender", "kind")
        assert list(rows) == [("=a@example.org", "allow"), ("@example.org", "block")]

    def test_asks_the_same_at_one_row_and_at_three(self, desk, cast):
        numbers = set()
        desk.get(ROOM)
        for owner in (cast.domain, cast.tenant, cast.domain):
            add(owner, f"a{SenderRule.objects.count()}@example.org")
            with CaptureQueriesContext(connection) as queries:
                desk.get(ROOM)
            numbers.add(len(queries))
        assert len(numbers) == 1 and numbers.pop() <= 12

    def test_searches_and_narrows(self, desk, cast):
        add(cast.tenant, "eins@example.org"), add(cast.domain, "zwei@example.org", "allow")
        for query in ("q=zwei", "whose=domain", "kind__exact=allow", "q=zwei+example"):
            shown = desk.get(f"{ROOM}?{query}").content.decode()
            assert "zwei@" in shown and "eins@" not in shown

    @promise("A-01")
    def test_never_shows_or_takes_another_tenants_or_a_persons_own(self, desk, cast):
        own = [
            add(owner, f"geheim{number}@{CANARY}.example")
            for number, owner in enumerate(
                (cast.mailbox, cast.other_tenant, cast.other_domain, cast.other_mailbox, None)
            )
        ]
        assert CANARY not in desk.get(ROOM).content.decode()
        assert CANARY.encode() not in body(desk.post(ROOM + "export/"))
        for row in own:
            for deed, data in (("change", wish("x", kind="allow")), ("delete", {"post": "yes"})):
                assert CANARY not in desk.post(f"{ROOM}{row.pk}/{deed}/", data, follow=True).content.decode()
            assert CANARY not in desk.get(f"{ROOM}{row.pk}/history/", follow=True).content.decode()
        for path, data in (("add/", wish("x@example.org")), ("many/", {"text": "x@example.org", "kind": "block"})):
            answer = desk.post(ROOM + path, data | {"domain": cast.other_domain.pk})
            assert answer.status_code in (200, 422) and CANARY not in answer.content.decode()
        assert SenderRule.objects.filter(kind="block").count() == 5 == SenderRule.objects.count()

    def test_is_no_place_for_a_dsb(self, cast):
        client = Client()
        client.force_login(cast.dsb)
        add(cast.tenant, "a@example.org")
        for path in ("", "add/", "many/"):
            assert client.get(ROOM + path).status_code == 403


class TestStaff:
    def test_keep_the_installations_lists_and_see_no_others(self, staff, cast):
        rows = [
            add(owner, f"a{pk}@{CANARY}.example") for pk, owner in enumerate((cast.tenant, cast.mailbox, cast.domain))
        ]
        staff.post(STAFF + "add/", wish("@everybody.example", domain=cast.domain.pk, tenant=cast.tenant.pk))
        answer = staff.post(STAFF + "many/", {"text": "b@example.org\nb@example.org", "kind": "allow"})
        assert [each.state for each in answer.context["outcomes"]] == ["added", "there"]
        listed = SenderRule.objects.on_list_of(None).values_list("sender", flat=True)
        assert list(listed) == ["@everybody.example", "b@example.org"]
        shown = staff.get(STAFF).content.decode()
        assert "@everybody.example" in shown and CANARY not in shown
        for row in rows:
            assert staff.get(f"{STAFF}{row.pk}/change/").url == "/staff/"
        assert OF_RULES.filter(actor=cast.staff, tenant=None).count() == 2

    def test_say_nothing_to_a_tenant(self, desk, cast):
        add(None, "@everybody.example")
        assert "everybody" not in desk.get(ROOM).content.decode()
