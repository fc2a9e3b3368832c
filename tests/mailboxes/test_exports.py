"""The desk's lists as CSV files: own rows, no formula, no secret, and on record."""

import csv
from io import StringIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, User
from mailboxes.models import Alias
from tests.cast import CANARY, make_mailbox
from tests.client import body
from tests.promises import promise

MAILBOXES, ALIASES = "/desk/mailboxes/mailbox/", "/desk/mailboxes/alias/"


@pytest.fixture
def desk(cast, client):
    client.force_login(cast.dvb)
    return client


def table(desk, room, query="") -> list[list[str]]:
    response = desk.post(f"{room}export/{query}")
    assert response["Content-Disposition"].startswith("attachment")
    assert "no-store" in response["Cache-Control"]
    made = body(response)
    assert made.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(StringIO(made.decode("utf-8-sig")), delimiter=";"))


class TestAnExport:
    @promise("A-14")
    def test_holds_the_own_mailboxes_with_what_the_list_says(self, desk, cast):
        Alias.objects.open_alias(domain=cast.domain, local_part="einkauf", mailbox=cast.mailbox, by=cast.dvb)
        User.objects.filter(pk=cast.user.pk).update(name="=HYPERLINK(1)")
        head, row = table(desk, MAILBOXES)
        assert len(head) == 10
        assert row[:5] == [
            "max.mustermann@musterdomain.de",
            "'=HYPERLINK(1)",
            "de",
            "100",
            "einkauf@musterdomain.de info@musterdomain.de",
        ]
        assert row[5:9] == ["0", "geändert", "–", "möglich"]
        assert cast.user.password not in ";".join(row) and "argon2" not in ";".join(row)

    @promise("A-14")
    def test_holds_the_own_aliases(self, desk):
        head, row = table(desk, ALIASES)
        me = "max.mustermann@musterdomain.de"
        assert head == ["Alias-Adresse", "Mail geht an", "Darf senden", "Letzter Tag", "Erstellt"]
        assert row[:4] == ["info@musterdomain.de", me, me, ""]

    @promise("A-14")
    def test_holds_what_the_list_was_narrowed_to_and_nothing_of_others(self, desk, cast):
        make_mailbox(cast.domain, "nina", name="Nina", password=None)
        assert [row[0] for row in table(desk, MAILBOXES, "?credentials=created")[1:]] == ["nina@musterdomain.de"]
        assert [row[0] for row in table(desk, MAILBOXES, "?q=nina")[1:]] == ["nina@musterdomain.de"]
        assert table(desk, MAILBOXES, f"?q={CANARY}")[1:] == []
        assert desk.post(f"{MAILBOXES}export/?user__password__startswith=argon").status_code in (302, 400)

    def test_is_on_record_with_how_many_rows_there_were(self, desk, cast):
        make_mailbox(cast.domain, "nina", name="Nina", password=None)
        table(desk, MAILBOXES)
        event = AuditEvent.objects.latest("pk")
        assert (event.actor, event.tenant, event.deed, event.new) == (cast.dvb, cast.tenant, "created", {"rows": 2})
        assert "CSV" in event.object_label
        before = AuditEvent.objects.count()
        assert desk.get(f"{MAILBOXES}export/").status_code == 405
        assert AuditEvent.objects.count() == before

    @pytest.mark.parametrize("room", [MAILBOXES, ALIASES])
    def test_asks_as_often_for_one_row_as_for_many(self, desk, cast, room):
        def questions():
            with CaptureQueriesContext(connection) as asked:
                table(desk, room)
            return len(asked)

        questions()
        one = questions()
        for number in range(3):
            box = make_mailbox(cast.domain, f"n{number}", name="N", password=None)
            Alias.objects.open_alias(domain=cast.domain, local_part=f"a{number}", mailbox=box, by=None)
        assert questions() == one

    def test_is_for_whoever_sees_the_list(self, client, cast):
        client.force_login(cast.dsb)
        assert client.post(f"{MAILBOXES}export/").status_code == 403
