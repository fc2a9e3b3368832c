"""Abwesenheitsnotiz: a person's own, and the fixed one that a DVB sets for somebody who cannot."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, OutboxMessage
from filters.models import Absence
from tests.cast import CANARY, make_mailbox
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

PAGE, END = "/abwesenheit/", "/abwesenheit/ende/"


@pytest.fixture
def portal(cast):
    client = Client()
    client.force_login(cast.user)
    return client


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


def day(number):
    return timezone.localdate() + timedelta(days=number)


def written(**values):
    """What the form sends."""
    data = {
        "starts_on": "",
        "ends_on": day(5).isoformat(),
        "subject": "Bin weg",
        "text": "Bis bald!\r\nMax",
        "every_days": 7,
    }
    return data | values


def room(mailbox, deed="absence/"):
    return f"/desk/mailboxes/mailbox/{mailbox.pk}/{deed}"


def days(starts=0, ends=7, **values):
    return {"starts_on": day(starts).isoformat(), "ends_on": day(ends).isoformat(), "write_to": ""} | values


def mails():
    return [message.payload for message in OutboxMessage.objects.filter(kind="email")]


class TestThePersonsPage:
    def test_switches_a_notice_on_and_says_so_on_the_home_page(self, portal, cast):
        assert "ausgeschaltet" in portal.get(PAGE).content.decode()
        assert "Abwesenheitsnotiz ist eingeschaltet" not in portal.get("/").content.decode()
        shown = portal.post(PAGE, written(), follow=True).content.decode()
        assert "Bis bald!<br>Max" in shown
        row = Absence.objects.get()
        assert (row.is_on, row.text, row.ends_on, row.by_dvb, row.tenant) == (
            True,
            "Bis bald!\nMax",
            day(5),
            False,
            cast.tenant,
        )
        assert "Abwesenheitsnotiz ist eingeschaltet" in portal.get("/").content.decode()
        event = AuditEvent.objects.get(actor=cast.user)
        assert event.new == {"absence": True, "by_dvb": False, "starts_on": "", "ends_on": str(day(5))}
        assert mails() == []

    def test_shows_first_what_would_be_answered(self, portal):
        answer = portal.post(PAGE, written(subject="", preview=""))
        shown = answer.content.decode()
        assert answer.status_code == 200 and "Auto: (Betreff der beantworteten Nachricht)" in shown
        assert "einmal in 7 Tagen" in shown and not Absence.objects.exists()

    @pytest.mark.parametrize("wrong", [{"ends_on": "2020-01-01"}, {"starts_on": day(6).isoformat()}])
    def test_says_what_is_wrong_before_it_shows_anything(self, portal, wrong):
        answer = portal.post(PAGE, written(preview="", **wrong))
        assert answer.status_code == 422 and answer.context["preview"] is None and not Absence.objects.exists()

    @pytest.mark.parametrize(
        ("starts", "ends", "state"), [(None, None, "on"), (0, 0, "on"), (1, 2, "coming"), (-3, -1, "over")]
    )
    def test_says_its_state_in_words(self, portal, cast, starts, ends, state):
        Absence.objects.create(
            tenant=cast.tenant, mailbox=cast.mailbox, is_on=True, text="x",
            starts_on=None if starts is None else day(starts), ends_on=None if ends is None else day(ends),
        )  # fmt: skip
        assert Absence.objects.get().state == state
        words = {"on": "Wer Ihnen schreibt, bekommt", "coming": "Antwort.", "over": "Sie endete am"}
        assert words[state] in portal.get(PAGE).content.decode()
        assert ("Abwesenheitsnotiz ist eingeschaltet" in portal.get("/").content.decode()) == (state != "over")

    def test_keeps_the_text_when_it_is_switched_off(self, portal):
        portal.post(PAGE, written())
        assert portal.post(END).url == PAGE
        row = Absence.objects.get()
        assert (row.is_on, row.text, row.ends_on) == (False, "Bis bald!\nMax", None)
        assert "Bis bald!" in portal.get(PAGE).content.decode()
        before = AuditEvent.objects.count()
        portal.post(END)
        assert AuditEvent.objects.count() == before

    @pytest.mark.parametrize(
        "wrong",
        [
            *({"text": ""}, {"text": "x" * 5001}, {"subject": "x" * 201}, {"subject": "a\r\nBcc: x@example.org"}),
            *({"subject": "a\u202eb"}, {"text": "a\x07b"}, {"every_days": 0}, {"every_days": 31}, {"every_days": ""}),
            *({"ends_on": "2020-01-01"}, {"starts_on": "2099-01-02", "ends_on": "2099-01-01"}, {"ends_on": "morgen"}),
        ],
    )
    def test_refuses_what_cannot_be_sent(self, portal, wrong):
        answer = portal.post(PAGE, written(**wrong))
        assert answer.status_code == 422 and not Absence.objects.filter(is_on=True).exists()

    def test_shows_hostile_texts_as_texts(self, portal):
        hostile = '<script>alert(1)</script> ";\r\n.\r\nkeep; ${x} \\" 𝕏'
        shown = portal.post(PAGE, written(text=hostile, subject='"; stop; #'), follow=True).content.decode()
        assert "<script>alert" not in shown and "&lt;script&gt;" in shown
        assert Absence.objects.get().text == hostile.replace("\r\n", "\n")

    @promise("A-12")
    def test_changes_ones_own_notice_alone(self, portal, cast):
        erika = make_mailbox(cast.domain, "erika")
        for mailbox in (erika, cast.other_mailbox):
            Absence.objects.create(tenant=mailbox.tenant, mailbox=mailbox, is_on=True, text=CANARY)
        portal.post(PAGE, written(mailbox=erika.pk, by_dvb="on", own_text="x"))
        portal.post(END, {"mailbox": erika.pk})
        assert Absence.objects.filter(text=CANARY, is_on=True).count() == 2
        row = Absence.objects.get(mailbox=cast.mailbox)
        assert (row.is_on, row.by_dvb, row.own_text) == (False, False, "")


class TestTheDvb:
    def test_sets_the_fixed_text_and_the_person_is_told_and_sees_who(self, desk, portal, cast):
        answer = desk.post(room(cast.mailbox), days(write_to="info@müller.example"), follow=True)
        assert "Person wird benachrichtigt" in answer.content.decode()
        row = Absence.objects.get()
        assert (row.by_dvb, row.set_by, row.ends_on) == (True, cast.dvb, day(7))
        assert "schreiben Sie bitte an info@müller.example" in row.text and "angekommen" in row.text
        assert "Dora" not in row.text
        [told] = mails()
        assert told["to"] == "max.mustermann@musterdomain.de" and row.text in told["text"]
        assert "Dora Verwalter" in told["text"] or "dvb@musterdomain.de" in told["text"]
        for path in ("/", PAGE):
            assert "Dora Verwalter" in portal.get(path).content.decode()
        event = AuditEvent.objects.get(actor=cast.dvb, deed="changed")
        assert event.new == {"absence": True, "by_dvb": True, "starts_on": str(day(0)), "ends_on": str(day(7))}
        assert "Abwesenheitsnotiz" in portal.get("/protokoll/").content.decode()

    def test_writes_in_the_mailboxs_language(self, desk, cast):
        type(cast.user).objects.filter(pk=cast.user.pk).update(language="en")
        desk.post(room(cast.mailbox), days())
        row = Absence.objects.get()
        assert row.subject.startswith("Nobody reads max.mustermann@musterdomain.de") and "Good day," in row.text

    def test_looks_at_it_first_and_needs_a_last_day(self, desk, cast):
        shown = desk.post(room(cast.mailbox), days(preview="")).content.decode()
        assert "Guten Tag," in shown and not Absence.objects.exists()
        for wrong in (
            {"ends_on": ""},
            {"ends_on": "2020-01-01"},
            {"starts_on": day(8).isoformat()},
            {"write_to": "a@b@c"},
        ):
            assert desk.post(room(cast.mailbox), days() | wrong).status_code == 422
            assert desk.post(room(cast.mailbox), days(preview="") | wrong).status_code == 422
        assert not Absence.objects.exists() and mails() == []

    def test_leaves_a_persons_own_notice_and_never_sees_it(self, desk, portal, cast):
        portal.post(PAGE, written(text="Privates"))
        answer = desk.post(room(cast.mailbox), days())
        assert answer.status_code == 422 and "geht Ihrer vor" in answer.content.decode()
        desk.post(room(cast.mailbox, "absence/end/"))
        row = Absence.objects.get()
        assert (row.is_on, row.by_dvb, row.text) == (True, False, "Privates")
        assert "Privates" not in desk.get(room(cast.mailbox)).content.decode()
        assert "Privates" not in desk.get("/desk/accounts/auditevent/").content.decode()

    @pytest.mark.parametrize("who", ["person", "dvb"])
    def test_has_the_persons_text_come_back_at_the_end(self, desk, portal, cast, who):
        portal.post(PAGE, written(text="Meins"))
        portal.post(END)
        desk.post(room(cast.mailbox), days())
        assert "Meins" not in desk.get(room(cast.mailbox)).content.decode()
        assert Absence.objects.get().own["text"] == "Meins" and "Meins" in portal.get(PAGE).content.decode()
        OutboxMessage.objects.all().delete()
        portal.post(END) if who == "person" else desk.post(room(cast.mailbox, "absence/end/"))
        row = Absence.objects.get()
        assert (row.is_on, row.by_dvb, row.set_by, row.text, row.own_text) == (False, False, None, "Meins", "")
        assert len(mails()) == (who == "dvb")

    def test_is_replaced_by_what_the_person_writes(self, desk, portal, cast):
        desk.post(room(cast.mailbox), days())
        portal.post(PAGE, written(text="Bin doch da"))
        row = Absence.objects.get()
        assert (row.is_on, row.by_dvb, row.set_by, row.text) == (True, False, None, "Bin doch da")

    @promise("A-01")
    def test_never_reaches_another_tenants_mailbox(self, desk, cast):
        for deed in ("absence/", "absence/end/"):
            assert desk.post(room(cast.other_mailbox, deed), days()).status_code == 404
        assert not Absence.objects.exists()

    def test_is_no_dsb_and_no_staff(self, cast):
        for person in (cast.dsb, cast.staff, cast.user):
            client = Client()
            client.force_login(person)
            assert client.post(room(cast.mailbox), days()).status_code == 403
        assert not Absence.objects.exists()
