"""Lists, spam filter and notice of a mailbox for a purpose: its responsible person sets them, and nobody else."""

import re

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, OutboxMessage
from filters import digests
from filters.models import Absence, SenderRule, SpamSettings
from filters.models.senders import Wish
from filters.own_settings import own_settings
from mailboxes.models import Mailbox, Membership
from tests.cast import CANARY, make_function, make_mailbox
from tests.client import body, logged_in
from tests.filters.reports import OUTCOME, make_verdict
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

LISTS, SPAM, AWAY = "/black-whitelist/", "/spamfilter/", "/abwesenheit/"
MANY, EXPORT = f"{LISTS}mehrere/", f"{LISTS}export/"
VERDICTS = "/was-wurde-aus-meiner-mail/"
SHOWN = (LISTS, MANY, EXPORT, SPAM, AWAY)
CHOICE = {"action": "off", "threshold": "", "block_effect": "junk", "junk_days": "", "digest": "never"}
NOTICE = {"starts_on": "", "ends_on": "", "subject": "", "text": "Geschlossen.", "every_days": 7}
SENDER = {"sender": "a@example.org", "kind": "block"}
# Every deed, with what its form sends.
DEEDS = {
    LISTS: SENDER,
    f"{LISTS}neu/": SENDER,
    f"{LISTS}verschieben/": SENDER | {"to": "allow"},
    f"{LISTS}entfernen/": SENDER,
    MANY: {"text": "b@example.org", "kind": "block"},
    SPAM: CHOICE,
    f"{SPAM}standard/": {},
    AWAY: NOTICE,
    f"{AWAY}ende/": {},
}


@pytest.fixture
def erika(cast):
    return make_mailbox(cast.domain, "erika").user


@pytest.fixture
def box(cast, erika):
    return make_function(cast.domain, "kasse", responsible=cast.user, members=[erika])


@pytest.fixture
def portal(cast):
    return logged_in(cast.user)


def of(box):
    return f"?box={box.public_id}"


def block(*owners, sender="a@example.org"):
    for owner in owners:
        SenderRule.objects.add(owner, [Wish(sender, "block")], by=None)


def listed(owner):
    return list(SenderRule.objects.on_list_of(owner).values_list("kind", "sender"))


def acts(mailbox):
    return SpamSettings.objects.effective(mailbox).action


def answers(mailbox):
    return Absence.objects.of(mailbox).is_on


def stored():
    """All that could have been set, by anybody for any mailbox."""
    return [list(kind.objects.order_by("pk").values()) for kind in (SenderRule, SpamSettings, Absence)]


def settle(mailbox):
    """A sender, a choice and a notice that is on."""
    block(mailbox)
    SpamSettings.objects.create(tenant=mailbox.tenant, mailbox=mailbox, action="mark")
    Absence.objects.create(tenant=mailbox.tenant, mailbox=mailbox, is_on=True, text=f"Text von {mailbox}")


def statuses(client, named):
    """What each page and each deed answers when its address names this mailbox."""
    pages = [client.get(path, {"box": named}) for path in SHOWN]
    deeds = [client.post(path, data, query_params={"box": named}) for path, data in DEEDS.items()]
    return {answer.status_code for answer in (*pages, *deeds)}


class TestTheChoice:
    @pytest.mark.parametrize("path", [LISTS, MANY, SPAM, AWAY])
    def test_says_whose_settings_these_are_and_leads_to_the_others(self, portal, cast, box, path):
        for chosen, other in ((cast.mailbox, box), (box, cast.mailbox)):
            shown = portal.get(path, {"box": chosen.public_id}).content.decode()
            assert f"Dies betrifft nur das Postfach {chosen}." in shown
            assert f'href="{of(other)}">{other}</a>' in shown and f'href="{of(chosen)}"' not in shown
        assert f"Dies betrifft nur das Postfach {cast.mailbox}." in portal.get(path).content.decode()

    @pytest.mark.parametrize("path", [LISTS, MANY, SPAM, AWAY])
    def test_is_not_offered_where_there_is_nothing_to_choose(self, box, erika, path):
        shown = logged_in(erika).get(path).content.decode()
        assert "box=" not in shown and "Dies betrifft nur" not in shown

    def test_is_kept_by_all_that_a_page_leads_to(self, portal, box):
        block(box)
        for path in (LISTS, MANY, SPAM, AWAY):
            main = portal.get(path + of(box)).content.decode().partition("<main")[2].partition("</main>")[0]
            led = re.findall(r'<(?:a|form|button)\b[^>]*(?:href|action)="(/[^"]+)"', main)
            assert [address for address in led if of(box) not in address] == []
        assert f'name="box" value="{box.public_id}"' in portal.get(LISTS + of(box)).content.decode()

    @pytest.mark.parametrize(("path", "asked"), [(LISTS, 9), (SPAM, 10), (AWAY, 7)])
    def test_asks_the_same_at_no_other_mailbox_and_at_three(self, portal, cast, path, asked):
        numbers = []
        portal.get(path)
        for name in (None, "kasse", "info2", "rechnung"):
            box = make_function(cast.domain, name, responsible=cast.user) if name else cast.mailbox
            with CaptureQueriesContext(connection) as queries:
                assert portal.get(path + of(box)).status_code == 200
            numbers.append(len(queries))
        assert numbers == [asked] * 4

    @pytest.mark.parametrize("deed", DEEDS)
    def test_in_the_body_of_a_form_means_nothing(self, portal, cast, box, erika, deed):
        settle(box)
        settle(erika.mailbox)
        block(cast.mailbox)
        forged = dict.fromkeys(("box", "mailbox", "mailbox_id", "owner"), str(box.public_id))
        before = [(listed(each), acts(each), answers(each)) for each in (box, erika.mailbox)]
        portal.post(deed, DEEDS[deed] | forged)
        assert [(listed(each), acts(each), answers(each)) for each in (box, erika.mailbox)] == before


class TestWhoIsNotResponsible:
    @promise("A-01")
    @promise("A-12")
    def test_is_answered_like_for_a_mailbox_that_never_existed(self, portal, cast, box, erika):
        colleagues = make_function(cast.domain, "personal", responsible=erika, members=[cast.user])
        foreign = make_function(cast.other_domain, "kasse", responsible=cast.other_user)
        for each in (cast.mailbox, box, colleagues, erika.mailbox, foreign, cast.other_mailbox):
            settle(each)
        before = stored()
        for each in (colleagues, erika.mailbox, foreign, cast.other_mailbox):
            assert statuses(portal, str(each.public_id)) == {404}
        assert stored() == before

    @pytest.mark.parametrize("named", ["{pk}", "' OR 1=1", "{id}x", "urn:uuid:{id}", "🙂" * 999])
    def test_is_every_malformed_name(self, portal, cast, box, named):
        settle(cast.mailbox)
        before = stored()
        assert statuses(portal, named.format(id=box.public_id, pk=box.pk)) == {404}
        assert stored() == before

    def test_is_whoever_was_until_just_now(self, portal, cast, box, erika):
        settle(box)
        before = stored()
        assert portal.get(SPAM + of(box)).status_code == 200
        Membership.objects.set_members(box, responsible=erika, members=[cast.user], by=cast.dvb)
        assert statuses(portal, str(box.public_id)) == {404} and stored() == before
        assert logged_in(erika).get(SPAM + of(box)).status_code == 200
        assert "box=" not in portal.get(SPAM).content.decode()

    def test_sees_none_of_its_rows(self, cast, box, erika):
        foreign = make_function(cast.other_domain, "kasse", responsible=cast.other_user)
        for each in (box, cast.mailbox, foreign):
            settle(each)
        for kind in (SenderRule, SpamSettings, Absence):
            rows = kind.objects.visible_to
            assert {row.mailbox for row in rows(cast.user)} == {box, cast.mailbox}
            assert not rows(erika).exists()
            assert {row.mailbox for row in rows(cast.other_user)} == {foreign}
        for person in (cast.dvb, cast.dsb, cast.staff):
            assert not SenderRule.objects.visible_to(person).exclude(mailbox=None).exists()

    def test_settles_no_mailbox_by_the_same_names_elsewhere(self, cast, box, erika):
        settled = Mailbox.objects.settled_by
        assert [list(settled(person)) for person in (cast.user, erika)] == [[cast.mailbox, box], [erika.mailbox]]
        assert not settled(cast.dvb).exists() and list(settled(cast.other_user)) == [cast.other_mailbox]
        assert list(Mailbox.objects.opened_by(erika)) == [erika.mailbox, box]
        assert (box.responsible, erika.mailbox.responsible) == (cast.user, erika)


class TestLists:
    def test_of_it_are_other_lists_than_ones_own(self, portal, cast, box):
        block(cast.mailbox)
        answer = portal.post(LISTS + of(box), SENDER | {"note": "x"}, follow=True)
        assert answer.redirect_chain[0][0] == LISTS + of(box) and "1 von 100" in answer.content.decode()
        assert f"nächsten Nachricht. Dies betrifft nur das Postfach {box}." in answer.content.decode()
        portal.post(f"{LISTS}verschieben/{of(box)}", SENDER | {"to": "allow"})
        assert (listed(box), listed(cast.mailbox)) == ([("allow", "a@example.org")], [("block", "a@example.org")])
        portal.post(MANY + of(box), {"text": "b@example.org\nc@example.org", "kind": "block"})
        assert len(listed(box)) == 3 and b"b@example.org" in body(portal.get(EXPORT + of(box)))
        assert b"b@example.org" not in body(portal.get(EXPORT)) and "b@" not in portal.get(LISTS).content.decode()
        found = portal.get(LISTS, {"q": "b@", "box": box.public_id}).content.decode()
        assert "b@example.org" in found and "c@example.org" not in found

    def test_take_back_what_was_removed_where_it_was_removed(self, portal, cast, box):
        block(box, cast.mailbox)
        portal.post(f"{LISTS}entfernen/{of(box)}", SENDER)
        assert (listed(box), len(listed(cast.mailbox))) == ([], 1)
        # Whatever mailbox the person looks at meanwhile.
        shown = portal.get(LISTS)
        assert f'action="{LISTS}neu/{of(box)}"' in shown.content.decode()
        answer = portal.post(f"{LISTS}neu/{of(box)}", shown.context["removed"] | {"next": ""})
        assert answer.url == LISTS + of(box) and listed(box) == [("block", "a@example.org")]

    def test_are_on_record_by_number_under_its_name(self, portal, cast, box):
        portal.post(LISTS + of(box), SENDER | {"note": "geheim"})
        event = AuditEvent.objects.get(actor=cast.user)
        assert (event.object_label, event.new) == (str(box), {"allow": 0, "block": 1})
        shown = portal.get("/protokoll/").content.decode()
        assert f"{box}: " in shown and "geheim" not in shown

    def test_are_filled_by_one_click_on_what_became_of_its_mail(self, portal, cast, box, erika):
        make_verdict(box, sender="kunde@shop.example")
        page = VERDICTS + of(box)
        shown = portal.get(page).content.decode()
        assert f'action="{LISTS}neu/{of(box)}"' in shown and f'href="{SPAM}{of(box)}"' in shown
        data = {"sender": "kunde@shop.example", "kind": "allow", "next": page}
        answer = portal.post(f"{LISTS}neu/{of(box)}", data, follow=True)
        assert (
            answer.redirect_chain[0][0] == page and f"Dies betrifft nur das Postfach {box}." in answer.content.decode()
        )
        assert (listed(box), listed(cast.mailbox)) == ([("allow", "kunde@shop.example")], [])
        assert 'value="allow"' not in answer.content.decode().partition('id="found"')[2]
        read = logged_in(erika).get(page).content.decode()
        assert "kunde@shop.example" in read and LISTS + "neu/" not in read
        assert "entscheidet, wer für es verantwortlich ist" in read and f'href="{SPAM}{of(box)}"' not in read


class TestTheSpamFilter:
    def test_is_chosen_for_it_alone_and_on_record_under_its_name(self, portal, cast, box):
        assert portal.post(SPAM + of(box), CHOICE).url == SPAM + of(box)
        assert (acts(box), acts(cast.mailbox)) == ("off", "junk")
        event = AuditEvent.objects.get(actor=cast.user)
        assert (event.object_label, event.new) == (str(box), {"action": "off"})
        portal.post(SPAM, CHOICE)
        assert portal.post(f"{SPAM}standard/{of(box)}").url == SPAM + of(box)
        assert (acts(box), acts(cast.mailbox)) == ("junk", "off")

    def test_keeps_the_choice_while_deleting_is_asked_once_more(self, portal, box):
        answer = portal.post(SPAM + of(box), CHOICE | {"action": "discard"})
        assert answer.status_code == 422 and f"Postfach {box}." in answer.content.decode()
        assert portal.post(SPAM + of(box), CHOICE | {"action": "discard", "confirmed": "on"}).status_code == 302
        assert acts(box) == "discard"

    def test_has_its_preview_from_its_own_mail(self, portal, cast, box):
        make_verdict(cast.mailbox, score=9)
        assert "was jede Wahl" in portal.get(SPAM + of(box)).content.decode()
        assert portal.get(SPAM + of(box)).context["preview"][0]["messages"] == 0
        assert portal.get(SPAM).context["preview"][0]["messages"] == 1

    def test_reports_to_the_mailbox_itself_with_a_link_to_its_mail(
        self, cast, box, django_capture_on_commit_callbacks
    ):
        SpamSettings.objects.create(tenant=cast.tenant, mailbox=box, digest="daily")
        make_verdict(box, OUTCOME.JUNK, at=timezone.now() - timezone.timedelta(hours=1))
        digests.ask_for_due()
        with django_capture_on_commit_callbacks(execute=True):
            call_command("worker", "--once")
        [report] = mail.outbox
        assert report.to == [str(box)] and report.body.endswith(VERDICTS + of(box))


class TestANotice:
    def test_is_switched_on_and_off_for_it_alone(self, portal, cast, box):
        shown = portal.post(AWAY + of(box), NOTICE, follow=True).content.decode()
        assert f"Wer an {box} schreibt, bekommt Antwort" in shown and "Wer Ihnen schreibt" not in shown
        assert (answers(box), answers(cast.mailbox)) == (True, False)
        assert "Abwesenheitsnotiz ist eingeschaltet" not in portal.get("/").content.decode()
        assert AuditEvent.objects.get(actor=cast.user).object_label == str(box)
        portal.post(f"{AWAY}ende/")
        assert answers(box)
        assert portal.post(f"{AWAY}ende/{of(box)}").url == AWAY + of(box)
        assert not answers(box) and not OutboxMessage.objects.filter(kind="email").exists()

    @pytest.mark.parametrize(
        ("starts", "ends", "told"),
        [(1, 2, "vom"), (1, None, "ab dem"), (0, 2, "bis zum"), (-3, -1, "Sie endete am")],
    )
    def test_says_from_when_until_when(self, portal, cast, box, starts, ends, told):
        days = [None if each is None else timezone.localdate() + timezone.timedelta(each) for each in (starts, ends)]
        Absence.objects.create(
            tenant=cast.tenant, mailbox=box, is_on=True, text="x", starts_on=days[0], ends_on=days[1]
        )
        shown = portal.get(AWAY + of(box)).content.decode()
        assert told in shown and "Ihnen schreibt" not in shown

    @pytest.mark.parametrize("who", ["person", "dvb"])
    def test_of_a_dvb_is_told_to_the_responsible_person_who_can_end_it(self, portal, cast, box, who):
        room, day = f"/desk/mailboxes/mailbox/{box.pk}/absence/", timezone.localdate().isoformat()
        desk = logged_in(cast.dvb)
        desk.post(room, {"starts_on": day, "ends_on": day, "write_to": ""})
        [told] = OutboxMessage.objects.filter(kind="email")
        assert told.payload["to"] == cast.user.address and str(box) in told.payload["text"]
        assert "Dora Verwalter" in portal.get(AWAY + of(box)).content.decode()
        OutboxMessage.objects.all().delete()
        portal.post(f"{AWAY}ende/{of(box)}") if who == "person" else desk.post(f"{room}end/")
        assert not answers(box)
        told = [(each.payload["to"], str(box) in each.payload["text"]) for each in OutboxMessage.objects.all()]
        assert told == ([] if who == "person" else [(cast.user.address, True)])


class TestElsewhere:
    def test_ones_own_are_still_just_ones_own(self, portal, cast, box):
        settle(box)
        block(box, sender="b@example.org")
        rows = {name: value for section in own_settings(cast.user) for name, value in section.rows}
        assert (rows["erlaubt"], rows["blockiert"], rows["Abwesenheitsnotiz"]) == ("0", "0", "ausgeschaltet")
        assert "0 blockiert, 0 erlaubt" in portal.get("/").content.decode()
        make_verdict(cast.mailbox, sender="a@example.org")
        assert 'value="block"' in portal.get(VERDICTS).content.decode()

    def test_the_list_of_shared_mailboxes_leads_to_its_settings(self, portal, box, erika):
        own, members = (client.get("/app-passwoerter/").content.decode() for client in (portal, logged_in(erika)))
        for path in (LISTS, SPAM, AWAY):
            assert f'href="{path}{of(box)}"' in own
            assert portal.get(path + of(box)).status_code == 200
        assert "box=" not in members

    def test_what_others_wrote_there_is_shown_as_text(self, portal, cast, box):
        SenderRule.objects.create(
            tenant=cast.tenant, mailbox=box, kind="block", sender="a@example.org", note=f"<script>{CANARY}"
        )
        shown = portal.get(LISTS + of(box)).content.decode()
        assert f"&lt;script&gt;{CANARY}" in shown and f"<script>{CANARY}" not in shown
