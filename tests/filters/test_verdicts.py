"""Was wurde aus meiner Mail: Rspamd's door, what is kept of its verdicts, and who sees what of them."""

import json
import re
from datetime import timedelta
from functools import partial

import pytest
from django.db import OperationalError, connection
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.wall import NOBODY, showing
from filters import intake as intake_module
from filters.intake import Intake, Queue, written
from filters.models import MailDay, SenderRule, SpamPolicy, SpamSettings, Verdict, forget_verdicts
from filters.reasons import FAMILIES, SENTENCES, reason
from filters.report import MAX_BODY, Unreadable, read
from mailboxes.models import Alias, Domain
from tests.cast import CANARY, make_function, make_mailbox, the_cast
from tests.client import Client
from tests.filters.reports import OUTCOME, SECRET, make_verdict, post, told
from tests.marks import committed, thorough
from tests.promises import LONG

pytestmark = thorough

PAGE = "/was-wurde-aus-meiner-mail/"
MAX = "max.mustermann@musterdomain.de"


@pytest.fixture
def door(monkeypatch):
    """The door with its queue, whose writing is left to the test."""
    monkeypatch.setattr(Intake, "be_writing", lambda self: None)
    with override_settings(VERDICTS_SECRET=SECRET):
        yield Intake(lambda environ, start_response: start_response("404 the portal's own", []))


def kept(*reports) -> int:
    """Have these written as the door's thread does."""
    return Verdict.objects.keep([read(json.dumps(report).encode()) for report in reports])


def reached(address) -> list[str]:
    """Whose mailboxes a message to this address is kept for."""
    Verdict.objects.all().delete()
    kept(told(address))
    return sorted(Verdict.objects.values_list("mailbox__address__address", flat=True))


class TestRspamdsDoor:
    def test_takes_what_comes_with_the_secret(self, door):
        assert post(door, told(MAX)) == "202 Accepted"
        [verdict] = door.queue.take()
        assert (verdict["recipients"], verdict["sender"]) == ([MAX], "werbung@shop.example")

    @pytest.mark.parametrize(
        "header", ["", "Bearer", f"bearer {SECRET}", f"Bearer {SECRET}x", "Bearer \udcff", "Bearer é"]
    )
    def test_takes_nothing_from_anybody_else(self, door, header):
        assert post(door, told(MAX), HTTP_AUTHORIZATION=header) == "403 Forbidden"
        assert not door.queue.take()

    def test_is_not_there_without_a_secret(self, door, settings):
        settings.VERDICTS_SECRET = ""
        assert post(door, told(MAX), HTTP_AUTHORIZATION="Bearer ") == "404 the portal's own"

    def test_lets_everything_else_pass(self, door):
        assert post(door, b"", PATH_INFO="/anmelden/") == "404 the portal's own"

    @pytest.mark.parametrize(
        ("changed", "status"),
        [
            ({"REQUEST_METHOD": "GET"}, "405 Method Not Allowed"),
            ({"CONTENT_LENGTH": ""}, "411 Length Required"),
            ({"CONTENT_LENGTH": "-1"}, "411 Length Required"),
            ({"CONTENT_LENGTH": str(MAX_BODY + 1)}, "413 Content Too Large"),
            ({"CONTENT_LENGTH": "9" * 5000}, "413 Content Too Large"),
            ({"CONTENT_LENGTH": "5"}, "400 Bad Request"),
        ],
    )
    def test_says_what_is_wrong(self, door, changed, status):
        assert post(door, told(MAX), **changed) == status

    def test_refuses_a_flood_and_keeps_what_it_took(self, door):
        door.queue = Queue(most=100)
        answers = [post(door, told(*[f"{number}@x.example" for number in range(40)])) for _message in range(50)]
        assert answers == ["202 Accepted"] * 2 + ["503 Service Unavailable"] * 48
        assert post(door, told()) == "202 Accepted"
        assert [len(verdict["recipients"]) for verdict in door.queue.take()] == [40, 40, 0]
        assert post(door, told(MAX)) == "202 Accepted"

    def test_counts_a_message_to_nobody_too(self, door):
        door.queue = Queue(most=3)
        assert [post(door, told())[:3] for _message in range(5)] == ["202"] * 3 + ["503"] * 2

    def test_hands_on_so_many_at_once_and_at_least_one(self):
        queue = Queue()
        for recipients in (30, 3, 4, 1):
            queue.put({"recipients": [MAX] * recipients})
        assert [[len(each["recipients"]) for each in queue.take(most=8)] for _round in range(3)] == [
            [30],
            [3, 4, 1],
            [],
        ]


@committed
def test_what_came_in_is_written_by_one_thread_for_all(settings, monkeypatch):
    the_cast()
    settings.VERDICTS_SECRET = SECRET
    monkeypatch.setattr(intake_module, "PAUSE", 0.05)
    door, batches = Intake(None), []
    keep = intake_module.keep
    monkeypatch.setattr(intake_module, "keep", lambda batch: (keep(batch), batches.append(len(batch))))
    with showing(NOBODY):
        for _message in range(20):
            assert post(door, told(MAX)) == "202 Accepted"
    deadline = timezone.now() + timedelta(seconds=20)
    while sum(batches) < 20 and timezone.now() < deadline:
        door.writer.join(0.05)
    assert sum(batches) == Verdict.objects.count() == 20
    assert len(batches) < 10


class TestWhatCannotBeWritten:
    def test_waits_while_the_database_is_away(self, monkeypatch):
        monkeypatch.setattr(intake_module, "close_old_connections", lambda: None)

        def away(told):
            raise OperationalError

        monkeypatch.setattr(intake_module, "keep", away)
        assert written([]) is False

    def test_takes_nothing_else_with_it(self, cast):
        good, bad = read(json.dumps(told(MAX)).encode()), read(json.dumps(told(MAX)).encode()) | {"at": "never"}
        intake_module.keep([good, bad, good])
        assert Verdict.objects.count() == 2


class TestAnAddress:
    def test_is_led_as_postfix_leads_it(self, cast):
        other = make_mailbox(cast.domain, "erika")
        Alias.objects.open_shared(
            domain=cast.domain, local_part="verkauf", receivers=[cast.mailbox, other], senders=[], by=cast.dvb
        )
        alias_domain = Domain.objects.create(tenant=cast.tenant, name="muster-alias.example")
        alias_domain.stand_for(cast.domain, by=cast.dvb)
        caught = Domain.objects.create(tenant=cast.tenant, name="gefangen.example")
        caught.catch_all_to(other, by=cast.dvb)
        erika = "erika@musterdomain.de"
        assert {
            address: reached(address)
            for address in (
                MAX, MAX.upper(), "max.mustermann+tag@musterdomain.de",
                "info@musterdomain.de", "info+x@musterdomain.de",
                "verkauf@musterdomain.de", "info@muster-alias.example", "max.mustermann+a+b@muster-alias.example",
                "niemals@gefangen.example", "niemals+x@gefangen.example", "postmaster@gefangen.example",
                "niemand@musterdomain.de", "x@elsewhere.example", "", "@", "+@musterdomain.de", "a@b@musterdomain.de",
            )
        } == {
            MAX: [MAX], MAX.upper(): [MAX], "max.mustermann+tag@musterdomain.de": [MAX],
            "info@musterdomain.de": [MAX], "info+x@musterdomain.de": [MAX],
            "verkauf@musterdomain.de": [erika, MAX], "info@muster-alias.example": [MAX],
            "max.mustermann+a+b@muster-alias.example": [MAX],
            "niemals@gefangen.example": [erika], "niemals+x@gefangen.example": [erika],
            "postmaster@gefangen.example": [],
            "niemand@musterdomain.de": [], "x@elsewhere.example": [], "": [], "@": [], "+@musterdomain.de": [],
            "a@b@musterdomain.de": [],
        }  # fmt: skip

    def test_of_two_tenants_in_one_message_gives_each_a_row_of_its_own(self, cast):
        kept(told(MAX, f"max.mustermann@{CANARY}.example", "info@musterdomain.de"))
        assert sorted(Verdict.objects.values_list("mailbox", "tenant")) == sorted(
            [(cast.mailbox.pk, cast.tenant.pk), (cast.other_mailbox.pk, cast.other_tenant.pk)]
        )

    def test_is_looked_up_only_where_everybodys_rows_are_shown(self, cast):
        for whose in (NOBODY, str(cast.tenant.pk)):
            with showing(whose), connection.cursor() as cursor:
                cursor.execute("SELECT filters_boxes_of(%s)", [MAX])
                assert cursor.fetchall() == []


def outcome(cast, **fields):
    Verdict.objects.all().delete()
    kept(told(MAX, **fields))
    return Verdict.objects.get().outcome


class TestTheOutcome:
    def test_follows_the_settings_of_that_moment(self, cast):
        assert [outcome(cast, score=score) for score in (5.99, 6)] == ["delivered", "junk"]
        own = SpamSettings.objects.create(tenant=cast.tenant, mailbox=cast.mailbox, action="mark", threshold=4)
        assert outcome(cast, score=4) == "marked"
        SenderRule.objects.create(tenant=cast.tenant, mailbox=cast.mailbox, kind="block", sender="@shop.example")
        assert outcome(cast, score=0) == "blocked"
        own.block_effect = "discard"
        own.save()
        assert outcome(cast, score=0) == "dropped"

    def test_is_allowed_only_where_the_sender_is_proved(self, cast):
        SenderRule.objects.create(
            tenant=cast.tenant, mailbox=cast.mailbox, kind="allow", sender="werbung@shop.example"
        )
        assert outcome(cast, score=9) == "junk"
        assert outcome(cast, score=9, symbols=[("DMARC_POLICY_ALLOW", -0.5)]) == "allowed"
        assert Verdict.objects.get().authenticated

    def test_comes_with_whose_list_decided(self, cast):
        listed = partial(SenderRule.objects.create, kind="block", sender="@shop.example")
        assert outcome(cast) == "delivered" and Verdict.objects.get().decided_by is None
        for level, owner in (
            (4, {}),
            (3, {"tenant": cast.tenant}),
            (2, {"tenant": cast.tenant, "domain": cast.domain}),
            (1, {"tenant": cast.tenant, "mailbox": cast.mailbox}),
        ):
            listed(**owner)
            assert outcome(cast) == "blocked" and Verdict.objects.get().decided_by == level
        assert outcome(cast, action="reject") == "rejected" and Verdict.objects.get().decided_by is None

    def test_comes_with_a_word_on_an_own_whitelist_that_did_not_count(self, cast):
        SenderRule.objects.create(tenant=cast.tenant, domain=cast.domain, kind="block", sender="@shop.example")
        own = SenderRule.objects.create(
            tenant=cast.tenant, mailbox=cast.mailbox, kind="allow", sender="werbung@shop.example"
        )
        assert outcome(cast) == "blocked"
        assert Verdict.objects.values_list("decided_by", "unproved").get() == (2, True)
        assert outcome(cast, symbols=[("DMARC_POLICY_ALLOW", -0.5)]) == "allowed"
        assert Verdict.objects.values_list("decided_by", "unproved").get() == (1, False)
        own.remove(by=cast.user)
        assert outcome(cast) == "blocked" and not Verdict.objects.get().unproved

    def test_is_rejected_where_rspamd_rejected_and_nowhere_else(self, cast):
        SpamSettings.objects.create(tenant=cast.tenant, mailbox=cast.mailbox, action="reject")
        assert outcome(cast, score=9) == "junk"
        assert outcome(cast, score=9, action="reject") == "rejected"


@pytest.mark.parametrize(
    ("symbols", "proved"),
    [
        ([("DMARC_POLICY_ALLOW", -0.5)], True),
        ([("R_DKIM_ALLOW", -0.2, ["shop.example:s=one"])], True),
        ([("R_DKIM_ALLOW", -0.2, ["evil.example:s=x", "mail.SHOP.example:s=two"])], True),
        ([("R_DKIM_ALLOW", -0.2, ["evil.example:s=shop.example"])], False),
        ([("R_DKIM_ALLOW", -0.2, ["notshop.example:s=x"])], False),
        ([("R_DKIM_ALLOW", -0.2)], False),
        ([("R_SPF_ALLOW", -0.2, ["+mx"])], True),
        ([("R_SPF_SOFTFAIL", 0)], False),
        ([("DMARC_POLICY_REJECT", 2)], False),
    ],
)
def test_a_sender_is_proved_by_its_own_organisation_alone(symbols, proved):
    sender = "werbung@news.shop.example"
    assert read(json.dumps(told(MAX, sender=sender, symbols=symbols)).encode())["authenticated"] is proved


def test_spf_of_another_envelope_proves_nothing():
    report = told(MAX, symbols=[("R_SPF_ALLOW", -0.2)], envelope_sender="bounce@evil.example")
    assert read(json.dumps(report).encode())["authenticated"] is False


class TestHostileMessages:
    def test_are_stored_without_what_is_no_text(self, cast):
        SpamPolicy.objects.create(tenant=cast.tenant, keeps_subjects=True)
        report = told(
            MAX,
            sender="Bö\x00s\r\n\u202e@SHOP.example",
            subject="a\x00\ud800\u200bb\n" + "ü" * 900,
            symbols=[("X" * 900, 5), ("<b>\x00", -7), ("C", 1), ("D", 0.5), ("ZERO", 0)],
            score=1e300,
        )
        kept(report)
        row = Verdict.objects.get()
        assert (row.sender, row.subject[:4], len(row.subject)) == ("bös@shop.example", "ab ü", 200)
        assert row.symbols == ["<b>", "X" * 60, "C"]
        assert row.score == 9999

    def test_survive_bytes_that_are_no_utf_8(self, cast):
        kept_body = json.dumps(told(MAX, sender="SENDER")).encode().replace(b"SENDER", b"a\xff\xfe@shop.example")
        Verdict.objects.keep([read(kept_body)])
        assert Verdict.objects.get().sender == "a\ufffd\ufffd@shop.example"

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"x", b"[]", b"null", b"1", b"{}", b"[" * 100_000, b'{"symbols": 5}', b"\xff",
            json.dumps(told(MAX, score="NaN")).encode(), json.dumps(told(MAX)).replace("0.0", "NaN").encode(),
            json.dumps(told(MAX)).replace("0.0", "1" * 4000).encode(),
            json.dumps(told(MAX, symbols=[("A", None)])).encode(), json.dumps(told(MAX, sender=None)).encode(),
            json.dumps(told(MAX, sender=["a"])).encode(), json.dumps(told(MAX, recipients=5)).encode(),
            json.dumps(told(MAX, symbols=[("R_DKIM_ALLOW", 1, 5)])).encode(),
        ],
    )  # fmt: skip
    def test_that_rspamd_cannot_have_told_are_refused(self, door, body):
        assert post(door, body) == "400 Bad Request"

    @settings(
        max_examples=1000 if LONG else 40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.text(max_size=300), st.text(max_size=100), st.floats(), st.text(max_size=80))
    def test_never_end_in_an_exception(self, cast, sender, symbol, score, recipient):
        report = told(MAX, recipient, f"{recipient}@musterdomain.de", sender=sender, subject=sender, score=score)
        report["symbols"] = [{"name": symbol, "score": 1, "options": [sender]}, {"name": "R_SPF_ALLOW", "score": 0}]
        try:
            verdict = read(json.dumps(report).encode("utf-8", "surrogatepass"))
        except Unreadable:
            assert score != score or score in (float("inf"), float("-inf"))
        else:
            assert Verdict.objects.keep([verdict]) >= 1

    def test_are_inert_on_the_page(self, cast):
        make_verdict(
            cast.mailbox, sender="<script>alert(1)</script>@x.example", subject='"><img src=x>', symbols=["<i>"]
        )
        shown = page_of(cast.user)
        assert "<script>alert" not in shown and "<img src=x" not in shown and "<i>" not in shown
        assert "&lt;script&gt;alert(1)" in shown


class TestWhatIsKept:
    def test_no_subject_unless_the_organisation_keeps_them(self, cast):
        SpamPolicy.objects.create(tenant=cast.other_tenant, keeps_subjects=True)
        kept(told(MAX, f"max.mustermann@{CANARY}.example"))
        assert dict(Verdict.objects.values_list("tenant", "subject")) == {
            cast.tenant.pk: "", cast.other_tenant.pk: "Angebot"
        }  # fmt: skip

    def test_the_three_reasons_of_the_greatest_weight(self, cast):
        kept(told(MAX, symbols=[("A", 0.1), ("B", 5), ("C", -3), ("D", 1), ("E", 0)]))
        assert Verdict.objects.get().symbols == ["B", "C", "D"]

    def test_nothing_for_longer_than_the_organisation_says(self, cast):
        SpamPolicy.objects.create(tenant=cast.tenant, verdict_days=7)
        for box in (cast.mailbox, cast.other_mailbox):
            for days in (6, 8, 29, 31):
                make_verdict(box, days=days)
        MailDay.objects.create(tenant=cast.tenant, day=timezone.localdate() - timedelta(days=500))
        MailDay.objects.create(tenant=cast.tenant, day=timezone.localdate() - timedelta(days=300))
        forget_verdicts()
        assert (cast.mailbox.verdicts.count(), cast.other_mailbox.verdicts.count()) == (1, 3)
        assert MailDay.objects.count() == 1


def page_of(person, query="", status=200):
    client = Client()
    client.force_login(person)
    response = client.get(PAGE + query)
    assert response.status_code == status
    return response.content.decode()


def senders_on(page):
    return re.findall(r"^\s*(\w+)@shop\.example$", page, re.MULTILINE)


class TestThePersonsPage:
    def test_says_what_became_of_each_message_and_why(self, cast):
        make_verdict(cast.mailbox, OUTCOME.JUNK, score="7.25", symbols=["BAYES_SPAM", "RBL_SPAMHAUS_SBL", "MY_RULE"])
        shown = page_of(cast.user)
        assert "werbung@shop.example" in shown and "7,3 Punkte" in shown and "Spam-Ordner" in shown
        assert "Sie ähnelt Nachrichten, die als Spam gelernt wurden." in shown
        assert "Eine Regel des Spamfilters traf zu: MY_RULE" in shown

    def test_folds_the_reasons_and_the_search_and_opens_what_was_searched(self, cast):
        make_verdict(cast.mailbox, symbols=["BAYES_SPAM"])
        make_verdict(cast.mailbox, symbols=[])
        shown = page_of(cast.user)
        assert shown.partition('id="found"')[2].count("<details>") == 1
        assert '<details class="card search">' in shown
        assert '<details class="card search" open>' in page_of(cast.user, "?outcome=junk")

    def test_is_narrowed_by_sender_outcome_and_day(self, cast):
        for number, (name, result) in enumerate([("eins", "junk"), ("zwei", "delivered"), ("drei", "junk")]):
            make_verdict(cast.mailbox, result, sender=f"{name}@shop.example", days=number * 3)
        day = timezone.localdate() - timedelta(days=3)
        queries = ("", "?sender=EINS@", "?outcome=junk", f"?first={day}", f"?last={day}", "?sender=qq", "?outcome=no")
        assert {query: senders_on(page_of(cast.user, query)) for query in queries} == {
            "": ["eins", "zwei", "drei"], "?sender=EINS@": ["eins"], "?outcome=junk": ["eins", "drei"],
            f"?first={day}": ["eins", "zwei"], f"?last={day}": ["zwei", "drei"], "?sender=qq": [],
            "?outcome=no": ["eins", "zwei", "drei"],
        }  # fmt: skip

    def test_takes_every_query_for_what_it_is(self, cast):
        make_verdict(cast.mailbox)
        for query in (
            "?page=-1", "?page=999999999999999999999999", "?first=9999-12-31&last=9999-12-31", "?first=0001-01-01",
            "?box=x", f"?box={cast.other_mailbox.public_id}", "?sender=" + "a" * 5000, "?sender=%25_%5C", "?last=x",
        ):  # fmt: skip
            assert CANARY not in page_of(cast.user, query)

    def test_turns_its_pages_with_what_was_searched(self, cast):
        for _number in range(30):
            make_verdict(cast.mailbox)
        first = page_of(cast.user, "?outcome=delivered")
        assert 'href="?outcome=delivered&amp;page=2"' in first
        assert len(senders_on(page_of(cast.user, "?outcome=delivered&page=2"))) == 5

    def test_asks_the_same_number_of_questions_however_much_there_is(self, cast, django_assert_num_queries):
        client = Client()
        client.force_login(cast.user)
        client.get(PAGE)
        make_verdict(cast.mailbox, symbols=["BAYES_SPAM"])
        with django_assert_num_queries(QUESTIONS):
            client.get(PAGE)
        for _number in range(3):
            make_verdict(cast.mailbox, symbols=["BAYES_SPAM"])
        with django_assert_num_queries(QUESTIONS):
            client.get(PAGE)

    def test_has_a_word_for_an_empty_month(self, cast):
        shown = page_of(cast.user)
        assert "Noch gibt es nichts zu sehen." in shown
        assert "In den letzten 30 Tagen wurde keine Nachricht gezählt." in shown

    def test_shows_nobody_elses(self, cast):
        colleague = make_mailbox(cast.domain, "erika")
        make_verdict(colleague, sender=f"{CANARY}@shop.example")
        make_verdict(cast.other_mailbox, sender=f"{CANARY}@shop.example")
        assert CANARY not in page_of(cast.user)
        assert CANARY not in page_of(cast.user, f"?box={colleague.public_id}")
        for person in (cast.dvb, cast.dsb, cast.staff):
            page_of(person, status=403)
            assert not Verdict.objects.visible_to(person).exists()

    def test_shows_members_what_became_of_a_purposes_mail_as_long_as_they_are_members(self, cast):
        box = make_function(cast.domain, "kasse", responsible=cast.user)
        make_verdict(box, sender="kunde@shop.example")
        make_verdict(cast.mailbox, sender="eigene@shop.example")
        own = page_of(cast.user)
        assert senders_on(own) == ["eigene"] and f'href="?box={box.public_id}"' in own
        assert senders_on(page_of(cast.user, f"?box={box.public_id}")) == ["kunde"]
        box.memberships.all().delete()
        assert senders_on(page_of(cast.user, f"?box={box.public_id}")) == ["eigene"]


def test_a_sender_is_put_on_a_list_from_the_row_of_a_message_to_oneself(cast):
    make_verdict(cast.mailbox, sender='"x"@shop.example')
    make_verdict(cast.mailbox, sender="")
    shown = page_of(cast.user, "?outcome=delivered")
    assert shown.count('action="/black-whitelist/neu/"') == 1
    assert 'name="sender" value="&quot;x&quot;@shop.example"' in shown
    assert f'name="next" value="{PAGE}?outcome=delivered"' in shown
    assert 'name="kind" value="allow"' in shown and 'name="kind" value="block"' in shown


class TestTheRowOfAMessage:
    @pytest.mark.parametrize(
        ("list_of", "said"),
        [
            (1, "Ihre eigene Liste hat entschieden."),
            (2, "Die Liste Ihrer Domain hat entschieden."),
            (3, "Die Liste Ihrer Organisation hat entschieden."),
            (4, "Die Liste für alle Kunden hat entschieden."),
        ],
    )
    def test_says_whose_list_decided(self, cast, list_of, said):
        make_verdict(cast.mailbox, OUTCOME.BLOCKED, decided_by=list_of)
        shown = page_of(cast.user)
        assert said in shown and shown.count("hat entschieden") == 1

    def test_says_that_the_whitelist_did_not_count_where_that_mattered(self, cast):
        row = make_verdict(cast.mailbox, OUTCOME.BLOCKED, decided_by=2, unproved=True)
        said = "Ihre Whitelist zählte nicht: Der Absender war nicht nachgewiesen."
        assert said in page_of(cast.user)
        row.outcome, row.decided_by = OUTCOME.DELIVERED, None
        row.save()
        assert said not in page_of(cast.user)

    @pytest.mark.parametrize(
        ("listed", "offered"),
        [
            ([], {"allow", "block"}),
            ([("allow", "werbung@shop.example")], {"block"}),
            ([("block", "@shop.example")], {"allow"}),
            ([("block", "@shop.example"), ("allow", "werbung@shop.example")], {"block"}),
            ([("block", "werbung@other.example")], {"allow", "block"}),
        ],
    )
    def test_offers_only_the_list_on_which_the_sender_is_not(self, cast, listed, offered):
        for kind, sender in listed:
            SenderRule.objects.create(tenant=cast.tenant, mailbox=cast.mailbox, kind=kind, sender=sender)
        SenderRule.objects.create(tenant=cast.tenant, kind="block", sender="werbung@shop.example")
        make_verdict(cast.mailbox)
        assert set(re.findall(r'name="kind" value="(\w+)"', page_of(cast.user))) == offered

    def test_offers_anew_what_an_entry_that_is_over_did(self, cast):
        yesterday = timezone.localdate() - timedelta(days=1)
        SenderRule.objects.create(
            tenant=cast.tenant, mailbox=cast.mailbox, kind="allow", sender="@shop.example", valid_until=yesterday
        )
        make_verdict(cast.mailbox)
        assert 'name="kind" value="allow"' in page_of(cast.user)


QUESTIONS = 9


class TestTheMonth:
    def test_is_counted_in_one_query(self, cast, django_assert_num_queries):
        for result, days in (
            ("delivered", 0),
            ("allowed", 0),
            ("junk", 0),
            ("marked", 2),
            ("rejected", 29),
            ("junk", 30),
        ):
            make_verdict(cast.mailbox, result, days=days)
        make_verdict(cast.other_mailbox)
        with django_assert_num_queries(1):
            month = Verdict.objects.month_of(cast.mailbox)
        assert (month.delivered, month.spam, month.stopped, month.messages) == (2, 2, 1, 5)
        today = timezone.localdate()
        assert [(day.day, day.messages) for day in month.busy] == [
            (today, 3), (today - timedelta(days=2), 1), (today - timedelta(days=29), 1),
        ]  # fmt: skip

    def test_draws_columns_that_stay_in_the_picture(self, cast):
        for _message in range(200):
            make_verdict(cast.mailbox)
        make_verdict(cast.mailbox, OUTCOME.JUNK)
        make_verdict(cast.mailbox, OUTCOME.REJECTED)
        month = Verdict.objects.month_of(cast.mailbox)
        assert [part.tone for part in month.parts] == ["delivered", "spam", "stopped"]
        assert all(part.height >= 3 and part.y >= 0 and part.x + month.column <= month.width for part in month.parts)
        assert month.parts[0].y + month.parts[0].height == month.height
        drawn = render_to_string("filters/month.html", {"month": month})
        assert "200 Nachrichten zugestellt" in drawn and drawn.count("<rect") == 3


def test_the_preview_says_what_each_sensitivity_would_have_done(cast, django_assert_num_queries):
    for score in (0, 4, 5, 6, 8, 12, 20):
        make_verdict(cast.mailbox, score=score)
    make_verdict(cast.mailbox, OUTCOME.ALLOWED, score=20)
    make_verdict(cast.mailbox, score=20, days=31)
    make_verdict(cast.other_mailbox, score=20)
    with django_assert_num_queries(1):
        preview = Verdict.objects.preview_of(cast.mailbox)
    drawn = render_to_string("filters/preview.html", {"preview": preview})
    assert re.findall(r"<td[^>]*>(\d+)</td>", drawn) == ["12", "2", "8", "3", "6", "4", "4", "6"]
    assert "8 Nachrichten der letzten 30 Tage" in drawn
    assert [(each["score"], each["spam"], each["messages"]) for each in preview] == [
        (12, 2, 8), (8, 3, 8), (6, 4, 8), (4, 6, 8)
    ]  # fmt: skip


class TestTheDesk:
    def test_counts_by_day_and_names_nobody(self, cast):
        kept(told(MAX, "info@musterdomain.de"), told(MAX, score=9), told(MAX, action="reject"))
        kept(told(f"max.mustermann@{CANARY}.example"))
        assert list(MailDay.objects.values_list("tenant", "delivered", "spam", "stopped").order_by("tenant")) == [
            (cast.tenant.pk, 1, 1, 1), (cast.other_tenant.pk, 1, 0, 0)
        ]  # fmt: skip
        for person in (cast.dvb, cast.dsb):
            client = Client()
            client.force_login(person)
            shown = client.get("/desk/").content.decode()
            assert "1 Nachricht zugestellt" in shown and "1 als Spam behandelt" in shown
            assert "shop.example" not in shown

    def test_counts_what_comes_at_the_same_time_once(self, cast):
        for _round in range(3):
            kept(told(MAX))
        assert MailDay.objects.get().delivered == 3


class TestReasons:
    def test_are_given_in_words_for_what_is_usual(self):
        assert len(SENTENCES) >= 60
        assert reason("RBL_SOMETHING_NEW") == reason("RBL_SPAMHAUS_SBL") != reason("DBL_SPAM")
        assert reason("RECEIVED_SPAMHAUS_XBL") != reason("RBL_SPAMHAUS_XBL")

    def test_name_what_nobody_knows(self):
        assert reason("MY_OWN_RULE") == "Eine Regel des Spamfilters traf zu: MY_OWN_RULE"

    def test_of_longer_families_come_before_those_of_shorter_ones(self):
        starts = list(FAMILIES)
        assert not [
            (start, other)
            for number, start in enumerate(starts)
            for other in starts[number + 1 :]
            if other.startswith(start)
        ]
