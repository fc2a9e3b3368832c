"""Weiterleitungen: set up, agreed to, stopped and ended, and never in a circle."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from accounts.models import AuditEvent, Brake, OutboxMessage, Tenant
from accounts.models.recovery import digest
from accounts.wall import everybody, showing
from mailboxes.models import MOST_FORWARDS, Alias, Domain, Forward, LimitReached, Mailbox
from mailboxes.models.forwards import tell_stopped
from tests.cast import CANARY, make_mailbox, the_cast
from tests.client import Client
from tests.marks import committed, thorough
from tests.promises import promise

pytestmark = thorough

LIST, NEW = "/weiterleitungen/", "/weiterleitungen/neu/"
OUTSIDE = "max@privat.example.org"
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def portal(cast):
    client = Client(headers=ENGLISH)
    client.force_login(cast.user)
    return client


@pytest.fixture
def erika(cast):
    return make_mailbox(cast.domain, "erika", name="Erika")


@pytest.fixture
def tina(cast):
    """In the other tenant."""
    return make_mailbox(cast.other_domain, "tina", name=f"{CANARY} Tina")


@pytest.fixture
def warned(cast):
    """Addresses elsewhere need no approval."""
    Tenant.objects.update(forwards_outside=Tenant.ForwardsOutside.WARNING)
    cast.mailbox.tenant.refresh_from_db()


def opened(mailbox, target, *, by=None, **fields) -> Forward:
    forward = Forward.objects.open_forward(mailbox=mailbox, target=str(target), by=by or mailbox.user, **fields)
    return Forward.objects.with_state().get(pk=forward.pk)


def agreed(mailbox, target) -> Forward:
    """One that nobody has to agree to any more."""
    forward = opened(mailbox, target)
    Forward.objects.filter(pk=forward.pk).update(confirmed_at=timezone.now(), approved_at=timezone.now())
    return forward


def state(forward) -> str:
    return Forward.objects.with_state().get(pk=forward.pk).state


def in_force(mailbox) -> list[str]:
    return [row.target for row in Forward.objects.with_state().filter(mailbox=mailbox) if row.state == "active"]


def forwards_of(mailbox) -> list[str]:
    """What the script of a mailbox is told, of what is committed."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT * FROM mail.forwards_of(%s)", [mailbox.pk])
        return [target for (target,) in cursor.fetchall()]


def told(name="") -> list[str]:
    return [row.payload["text"] for row in OutboxMessage.objects.filter(kind="email") if name in str(row.payload)]


def path(forward, deed=""):
    return f"{LIST}{forward.public_id}/{deed}"


def mailed_link() -> str:
    """The way of the link that the worker sends now."""
    mail.outbox.clear()
    call_command("worker", once=True)
    [text] = [str(each.body) for each in mail.outbox if "/bestaetigen/" in each.body]
    [link] = re.findall(r"http://localhost:8000(\S+)", text)
    return link


def day(number):
    return timezone.localdate() + timedelta(days=number)


class TestTheList:
    def test_of_nothing_says_so_and_shows_the_rule(self, portal, cast):
        page = portal.get(LIST).content.decode()
        assert "all mail stays in your mailbox" in page and "needs the approval" in page
        Tenant.objects.update(forwards_outside="forbidden")
        assert "own domains only" in portal.get(LIST).content.decode()

    def test_says_of_each_what_it_does(self, portal, cast, erika, warned):
        opened(cast.mailbox, erika, valid_until=day(3))
        opened(cast.mailbox, OUTSIDE)
        page = portal.get(LIST).content.decode()
        assert "active until" in page and "waits for confirmation" in page and "outside your organisation" in page

    @promise("A-12")
    def test_shows_ones_own_alone_and_reaches_no_other(self, portal, cast, erika, tina):
        others = [opened(erika, cast.mailbox), opened(tina, cast.other_mailbox)]
        page = portal.get(LIST).content.decode()
        assert CANARY not in page and "erika" not in page
        before = list(Forward.objects.values().order_by("pk"))
        for forward in others:
            for deed in ("", "schalten/", "fortsetzen/", "link/", "beenden/"):
                for method in (portal.get, portal.post):
                    assert method(path(forward, deed)).status_code == 404
        assert list(Forward.objects.values().order_by("pk")) == before

    @promise("A-31")
    def test_is_changed_after_a_fresh_login_only(self, portal, cast, erika):
        forward = opened(cast.mailbox, erika)
        session = portal.session
        session["proved"] = 0
        session.save()
        pages = [NEW, f"{LIST}kopie/", *(path(forward, deed) for deed in ("", "schalten/", "fortsetzen/", "beenden/"))]
        for page in pages:
            for method in (portal.get, portal.post):
                assert method(page).url.startswith("/anmelden/bestaetigen/?next=")
        assert portal.get(LIST).status_code == 200
        assert (state(forward), Mailbox.objects.get(pk=cast.mailbox.pk).keeps_copy) == ("active", True)


class TestANewOne:
    def test_to_a_colleague_holds_at_once_and_is_told_and_put_on_record(self, portal, cast, erika):
        answer = portal.post(NEW, {"target": f" {str(erika).upper()} "})
        assert answer.url == LIST
        assert in_force(cast.mailbox) == ["erika@musterdomain.de"]
        [text] = told("forward was set up") or told("Weiterleitung wurde eingerichtet")
        assert "erika@musterdomain.de" in text
        event = AuditEvent.objects.first()
        assert (event.actor, event.tenant, event.old) == (cast.user, cast.tenant, {})
        assert event.new["forward"] == "erika@musterdomain.de"
        assert "erika@musterdomain.de" in portal.get("/protokoll/").content.decode()

    @pytest.mark.parametrize("target", ["info@musterdomain.de", "erika+tag@musterdomain.de", "erika@zweit.example"])
    def test_may_lead_by_alias_tag_and_alias_domain(self, cast, erika, target):
        Domain.objects.open_domain(tenant=cast.tenant, name="zweit.example", by=None).stand_for(cast.domain, by=None)
        assert opened(erika if "info" in target else cast.mailbox, target).state == "active"

    @pytest.mark.parametrize(
        ("rule", "waits_for"), [("approval", "has approved"), ("warning", "has followed the link")]
    )
    def test_out_of_the_house_is_not_told_as_done(self, portal, rule, waits_for):
        Tenant.objects.update(forwards_outside=rule)
        portal.post(NEW, {"target": OUTSIDE, "knows": "on"})
        page = portal.get(LIST).content.decode()
        assert f"The forward to {OUTSIDE} is requested." in page and waits_for in page and "is set up" not in page

    @promise("A-46")
    @pytest.mark.parametrize(
        "target",
        [
            "", "a@b.example\r\nb@c.example", "a@b.example\0", "a\t@b.example", "a@b.example,c@d.example",
            '"a"@b.example', "|cmd@b.example", "|/bin/sh", "/etc/passwd", "/file@b.example", ":include:/etc/passwd",
            ":include:/x@b.example", "host!user@b.example", "user%host@b.example", "a@[192.0.2.1]", "a@192.0.2.1",
            "a@b.example c@d.example", "<a@b.example>", "a@b@c.example", "a@localhost", "a@b.example;c@d.example",
            "a@b\u2028.example", "ä@b.example", f"{'a' * 65}@b.example", "@b.example",
            "(x)a@b.example", "a\\@b.example",
        ],
    )  # fmt: skip
    def test_is_one_plain_address_or_nothing(self, portal, target):
        assert portal.post(NEW, {"target": target}).status_code == 422
        assert not Forward.objects.exists() and not OutboxMessage.objects.exists()

    @promise("A-46")
    @pytest.mark.parametrize("target", ["a@b.example\n", "a,b@c.example", "|cmd@b.example", '"a"@b.example', "a@b"])
    def test_is_plain_by_the_databases_own_rule_too(self, cast, target):
        with pytest.raises(IntegrityError, match="mailboxes_forward_target_plain"), transaction.atomic():
            Forward.objects.create(tenant=cast.tenant, mailbox=cast.mailbox, target=target)

    @promise("A-47")
    def test_is_refused_beyond_the_contract_and_never_more_than_ten(self, portal, cast):
        for most, allowed in ((2, 2), (99, MOST_FORWARDS)):
            Tenant.objects.filter(pk=cast.tenant.pk).update(max_forwards=most)
            for number in range(Forward.objects.count(), allowed):
                make_mailbox(cast.domain, f"colleague{number}")
                opened(cast.mailbox, f"colleague{number}@musterdomain.de")
            with pytest.raises(LimitReached):
                opened(cast.mailbox, "dvb@musterdomain.de")
            assert f"at most {allowed} forwards" in portal.post(NEW, {"target": OUTSIDE}).content.decode()
        assert len(in_force(cast.mailbox)) == MOST_FORWARDS

    @pytest.mark.parametrize("name", ["niemand", "nobody+tag", "postmaster"])
    def test_into_nothing_is_refused(self, portal, name):
        answer = portal.post(NEW, {"target": f"{name}@musterdomain.de"})
        assert answer.status_code == 422 and not Forward.objects.exists()

    def test_twice_or_with_days_in_a_wrong_order_is_refused(self, portal, cast, erika):
        wrong = {"valid_from": day(5).isoformat(), "valid_until": day(4).isoformat()}
        over = {"valid_until": day(-1).isoformat()}
        for fields in (wrong, over):
            assert portal.post(NEW, {"target": str(erika)} | fields).status_code == 422
        assert portal.post(NEW, {"target": str(erika)}).status_code == 302
        again = portal.post(NEW, {"target": str(erika)})
        assert "sent on to this address already" in again.content.decode()
        assert Forward.objects.count() == 1


class TestOutOfTheHouse:
    @promise("A-51")
    def test_can_be_forbidden_on_every_path_and_at_once(self, portal, cast, warned):
        forward = agreed(cast.mailbox, OUTSIDE)
        assert in_force(cast.mailbox) == [OUTSIDE]
        Tenant.objects.update(forwards_outside="forbidden")
        assert (state(forward), in_force(cast.mailbox)) == ("forbidden", [])
        assert "does not allow" in portal.post(NEW, {"target": "b@privat.example.org"}).content.decode()
        with pytest.raises(ValidationError):
            opened(cast.mailbox, "b@privat.example.org", by=cast.dvb)
        for to in ("off", "on"):
            portal.post(path(forward, "schalten/"), {"to": to})
        assert (state(forward), Forward.objects.get().is_on) == ("off", False)

    def test_waits_for_the_organisation_before_anybody_elsewhere_is_asked(self, portal, cast):
        portal.post(NEW, {"target": OUTSIDE})
        forward = Forward.objects.with_state().get()
        assert forward.state == "unapproved"
        assert not OutboxMessage.objects.exclude(kind="email").exists()
        forward.approve(by=cast.dvb)
        assert state(forward) == "unconfirmed"
        assert OutboxMessage.objects.get(kind="forward_link").payload == {"number": forward.pk}

    def test_is_warned_of_and_has_to_be_known(self, portal, warned):
        assert "leaves the protection" in portal.get(NEW).content.decode()
        assert "Confirm that you know" in portal.post(NEW, {"target": OUTSIDE}).content.decode()
        assert not Forward.objects.exists()
        assert portal.post(NEW, {"target": OUTSIDE, "knows": "on"}).status_code == 302

    def test_is_what_belongs_to_another_tenant_of_which_nothing_is_told(self, cast, tina, warned):
        """Whether the address exists there makes no difference."""
        for target in (tina, f"nobody@{CANARY}.example"):
            assert opened(cast.mailbox, target).state == "unconfirmed"

    def test_of_a_domain_that_becomes_ones_own_needs_no_agreement_and_the_other_way_round(self, cast, warned):
        forward = opened(cast.mailbox, "a@neu.example")
        domain = Domain.objects.open_domain(tenant=cast.tenant, name="neu.example", by=None)
        assert state(forward) == "nowhere"
        make_mailbox(domain, "a")
        assert state(forward) == "active"


class TestTheLink:
    @pytest.fixture
    def forward(self, cast, warned):
        return opened(cast.mailbox, OUTSIDE)

    @promise("A-51")
    def test_is_confirmed_by_post_alone_and_holds_then(self, client, cast, forward):
        link = mailed_link()
        page = client.get(link)
        assert page.status_code == 200 and "max.mustermann@musterdomain.de" in page.content.decode()
        client.head(link)
        assert in_force(cast.mailbox) == []
        assert client.post(link, {"answer": "confirm"}).status_code == 200
        assert in_force(cast.mailbox) == [OUTSIDE]
        assert AuditEvent.objects.first().new == {"state": "confirmed"}
        assert len(told("confirmed")) + len(told("bestätigt")) >= 1

    def test_is_kept_as_a_hash_and_stands_in_no_payload_and_no_log(self, client, forward, caplog):
        link = mailed_link()
        token = link.split("/")[-2]
        forward.refresh_from_db()
        assert forward.link_hash == digest(token)
        assert token not in str(list(OutboxMessage.objects.values()))
        client.get(link[:-1] + "x/")
        assert token not in caplog.text

    def test_is_dead_after_a_week_after_a_newer_one_and_after_the_end(self, client, portal, forward):
        first = mailed_link()
        Forward.objects.update(link_expires_at=timezone.now())
        assert client.post(first, {"answer": "confirm"}).status_code == 410
        portal.post(path(forward, "link/"))
        second = mailed_link()
        assert client.get(first).status_code == 410
        assert client.get(second).status_code == 200
        forward.end(by=forward.mailbox.user)
        assert client.post(second, {"answer": "confirm"}).status_code == 410

    def test_is_mailed_again_a_few_times_an_hour(self, portal, forward):
        answers = []
        for _try in range(4):
            portal.post(path(forward, "link/"))
            answers.append("Try again in an hour" in portal.get(LIST).content.decode())
        assert answers == [False, False, True, True]
        assert OutboxMessage.objects.filter(kind="forward_link").count() == 3

    def test_is_mailed_once_for_two_clicks(self, portal, forward):
        portal.post(path(forward, "link/"))
        assert OutboxMessage.objects.filter(kind="forward_link").count() == 2
        mailed_link()

    def test_floods_nobody_from_many_mailboxes(self, cast, erika, tina, warned):
        for mailbox in (cast.mailbox, erika, tina):
            opened(mailbox, OUTSIDE)
        with pytest.raises(LimitReached):
            opened(
                cast.other_mailbox, OUTSIDE.upper().replace("EXAMPLE.ORG", "example.org").replace("PRIVAT", "privat")
            )

    def test_declines_and_ends_it(self, client, forward):
        link = mailed_link()
        assert client.post(link, {"answer": "decline"}).status_code == 200
        assert not Forward.objects.exists()
        assert AuditEvent.objects.first().new == {"outcome": "declined"}
        assert client.get(link).status_code == 410

    def test_stops_it_later(self, client, cast, forward):
        link = mailed_link()
        client.post(link, {"answer": "confirm"})
        Forward.objects.update(link_expires_at=timezone.now() - timedelta(days=99))
        assert "stop that" in client.get(link, headers=ENGLISH).content.decode() or client.get(link).status_code == 200
        client.post(link, {"answer": "decline"})
        assert in_force(cast.mailbox) == []

    def test_says_never_again_for_all(self, client, cast, forward, tina):
        agreed(tina, OUTSIDE)
        link = mailed_link_to(forward)
        assert client.post(link, {"answer": "never"}).status_code == 200
        assert not Forward.objects.exists()
        for mailbox in (cast.mailbox, tina):
            with pytest.raises(ValidationError, match=r"no forwarded mail|keine weitergeleiteten"):
                opened(mailbox, OUTSIDE.replace("max@", "Max+x@"))

    def test_with_another_answer_changes_nothing(self, client, forward):
        link = mailed_link()
        assert client.post(link, {"answer": "x"}).status_code == 422
        assert client.post(link).status_code == 422
        assert state(forward) == "unconfirmed"

    def test_shows_a_stranger_nothing_else(self, client, cast, forward, tina, erika):
        opened(cast.mailbox, erika)
        page = client.get(mailed_link()).content.decode()
        assert "erika" not in page and CANARY not in page and "Max Mustermann" not in page


def mailed_link_to(forward) -> str:
    return f"/weiterleitungen/bestaetigen/{forward.draw_link()}/"


class TestAChange:
    def test_of_days_and_switch_is_told_and_put_on_record(self, portal, cast, erika):
        forward = opened(cast.mailbox, erika)
        for _click in range(2):
            portal.post(path(forward, "schalten/"), {"to": "off"})
        assert portal.post(path(forward, "schalten/"), {"to": "elsewhere"}).status_code == 400
        assert (state(forward), in_force(cast.mailbox)) == ("off", [])
        portal.post(path(forward, "schalten/"), {"to": "on"})
        data = {"is_on": "on", "valid_from": day(1).isoformat(), "valid_until": day(2).isoformat()}
        assert portal.post(path(forward), data).url == LIST
        assert (state(forward), in_force(cast.mailbox)) == ("early", [])
        event = AuditEvent.objects.first()
        assert (event.old["last_day"], event.new["last_day"]) == ("", str(day(2)))
        assert event.object_label == "max.mustermann@musterdomain.de → erika@musterdomain.de"
        assert OutboxMessage.objects.filter(kind="email").count() == 4
        portal.post(path(forward), data)
        assert OutboxMessage.objects.filter(kind="email").count() == 4

    def test_of_the_copy_is_told_and_put_on_record(self, portal, cast):
        portal.post(f"{LIST}kopie/")
        assert not Mailbox.objects.get(pk=cast.mailbox.pk).keeps_copy
        event = AuditEvent.objects.first()
        assert (event.old, event.new) == ({"keeps_copy": True}, {"keeps_copy": False})
        portal.post(f"{LIST}kopie/", {"keeps_copy": "on"})
        portal.post(f"{LIST}kopie/", {"keeps_copy": "on"})
        assert OutboxMessage.objects.count() == 2

    def test_ends_it_after_a_question(self, portal, cast, erika):
        forward = opened(cast.mailbox, erika)
        assert "erika" in portal.get(path(forward, "beenden/")).content.decode()
        assert in_force(cast.mailbox)
        assert portal.post(path(forward, "beenden/")).url == LIST
        assert not Forward.objects.exists()
        assert AuditEvent.objects.first().old["forward"] == str(erika)
        assert portal.post(path(forward, "beenden/")).status_code == 404

    def test_goes_over_by_its_days(self, cast, erika):
        forward = opened(cast.mailbox, erika, valid_until=day(0))
        assert in_force(cast.mailbox)
        Forward.objects.update(valid_until=day(-1))
        assert (state(forward), in_force(cast.mailbox)) == ("over", [])


class TestAfterANewPassword:
    @promise("A-51")
    def test_they_wait_for_their_owner(self, client, portal, cast, erika):
        first = opened(cast.mailbox, erika)
        cast.user.recovery_addresses.create(user=cast.user, address="m@elsewhere.example", verified_at=timezone.now())
        token = cast.user.password_resets.draw(cast.user)
        new = {
            "new_password": "Neun Zebras 8 laufen!",
            "repeated_password": "Neun Zebras 8 laufen!",
            "keep_programs": "on",
        }
        assert client.post(f"/passwort/neu/{token}/", new).status_code == 302
        assert (state(first), in_force(cast.mailbox)) == ("held", [])
        assert told("forwards are stopped") or told("Weiterleitungen sind angehalten")
        client.force_login(cast.user.__class__.objects.get(pk=cast.user.pk))
        assert (
            "weiterleitungen" in client.get("/").content.decode().partition("notice-warning")[2].partition("</div>")[0]
        )
        for told_so in (True, False):
            shown = client.post(path(first, "fortsetzen/"), follow=True)
            assert (shown.redirect_chain, bool(shown.context["messages"])) == ([(LIST, 302)], told_so)
        assert in_force(cast.mailbox) == [str(erika)]
        assert "notice-warning" not in client.get("/").content.decode()

    def test_that_somebody_else_gave_out_they_wait_too_but_not_before_the_first(self, cast, erika):
        forward = opened(cast.mailbox, erika)
        cast.user.issue_initial_password("x", by=cast.dvb, issue=cast.user.initial_issues, at=timezone.now())
        assert state(forward) == "held"
        new = make_mailbox(cast.domain, "neu", password=None)
        theirs = opened(new, erika, by=cast.dvb)
        new.user.issue_initial_password("x", by=cast.dvb, issue=0, at=timezone.now())
        assert state(theirs) == "active"


@promise("A-47")
class TestACircle:
    def refused(self, mailbox, target):
        with pytest.raises(ValidationError) as error, transaction.atomic():
            opened(mailbox, target)
        assert error.value.code == "circle"
        return True

    @pytest.mark.parametrize("target", [
        "max.mustermann@musterdomain.de", "MAX.Mustermann+x@musterdomain.de", "info@musterdomain.de",
        "info+x@zweit.example", "max.mustermann@zweit.example", "irgendwer@fang.example",
    ])  # fmt: skip
    def test_into_ones_own_mailbox_is_refused(self, cast, target):
        Domain.objects.open_domain(tenant=cast.tenant, name="zweit.example", by=None).stand_for(cast.domain, by=None)
        caught = Domain.objects.open_domain(tenant=cast.tenant, name="fang.example", by=None)
        caught.catch_all_to(cast.mailbox, by=None)
        assert self.refused(cast.mailbox, target)

    def test_over_several_hops_and_tenants_is_refused(self, cast, erika, tina, warned):
        """max → erika → team (alias of three) → tina elsewhere → back by a catch-all, an alias domain and a tag."""
        carl = make_mailbox(cast.domain, "carl")
        Alias.objects.open_shared(domain=cast.domain, local_part="team", receivers=[carl, erika], by=None)
        opened(cast.mailbox, "erika+hop@musterdomain.de")
        fred = make_mailbox(cast.domain, "fred")
        opened(erika, fred)
        agreed(carl, tina)
        assert self.refused(fred, cast.mailbox)
        opened(fred, carl)
        Domain.objects.open_domain(tenant=cast.tenant, name="zweit.example", by=None).stand_for(cast.domain, by=None)
        assert self.refused(tina, "Team+y@zweit.example")
        assert self.refused(tina, "info@zweit.example")
        agreed(tina, "other@example.org")

    def test_counts_what_is_off_waits_or_begins_later(self, cast, erika, tina, warned):
        opened(cast.mailbox, erika, valid_from=day(9)).switch(False, by=cast.user)
        assert self.refused(erika, cast.mailbox)
        opened(erika, tina)
        assert self.refused(tina, cast.mailbox) is self.refused(tina, erika) is True

    def test_cannot_be_told_from_another_tenant_whatever_is_asked(self, cast, tina, erika):
        """The function answers for mailboxes of the shown tenant alone."""
        opened(tina, cast.other_mailbox)
        question = "SELECT mailboxes_forward_circles(%s, %s), mailboxes_forward_state(%s)"
        with showing(str(cast.tenant.pk)), connection.cursor() as cursor:
            cursor.execute(question, [cast.other_mailbox.pk, str(tina), Forward.objects.first() and 0])
            assert cursor.fetchone() == (None, None)
            cursor.execute(question, [erika.pk, str(tina), 0])
            assert cursor.fetchone()[0] is False

    def test_that_an_alias_closes_later_stops_at_the_next_message(self, cast, erika, tina, warned):
        alias = Alias.objects.open_shared(domain=cast.domain, local_part="team", receivers=[erika], by=None)
        forward = opened(cast.mailbox, "team@musterdomain.de")
        assert in_force(cast.mailbox) == ["team@musterdomain.de"]
        alias.change(receivers=[erika, cast.mailbox], senders=[], valid_until=None, by=cast.dvb)
        assert (state(forward), in_force(cast.mailbox)) == ("circle", [])
        alias.change(receivers=[erika], senders=[], valid_until=None, by=cast.dvb)
        assert in_force(cast.mailbox) == ["team@musterdomain.de"]

    def test_that_a_catch_all_an_alias_domain_or_a_new_name_closes_later_stops_too(self, cast, erika, warned):
        name = Domain.objects.open_domain(tenant=cast.tenant, name="fang.example", by=None)
        name.catch_all_to(erika, by=None)
        forward = opened(cast.mailbox, "wer@fang.example")
        name.catch_all_to(cast.mailbox, by=None)
        assert state(forward) == "circle"
        name.catch_all_to(None, by=None)
        assert state(forward) == "nowhere"
        cast.mailbox.rename(domain=name, local_part="wer", by=cast.dvb)
        assert state(forward) == "circle"


@committed
def test_the_script_of_a_mailbox_is_told_of_those_in_force_and_of_no_other(cast):
    with everybody():
        Tenant.objects.update(forwards_outside="warning", max_forwards=10)
        for name in ("anna", "bert", "carl"):
            opened(cast.mailbox, make_mailbox(cast.domain, name))
        opened(cast.mailbox, OUTSIDE)
        waiting, off, early = (
            opened(cast.mailbox, "w@example.org"),
            *Forward.objects.filter(target__in=["bert@musterdomain.de", "carl@musterdomain.de"]),
        )
        off.switch(False, by=cast.user)
        early.change(is_on=True, valid_from=day(1), valid_until=None, by=cast.user)
        Forward.objects.filter(target=OUTSIDE).update(confirmed_at=timezone.now())
        assert state(waiting) == "unconfirmed"
    assert forwards_of(cast.mailbox) == ["anna@musterdomain.de", OUTSIDE]
    assert forwards_of(cast.other_mailbox) == []


@committed
@promise("A-47")
class TestTwoAtOnce:
    def test_close_no_circle_together(self, cast):
        """Each is fine alone: exactly one of them is set up."""
        for _round in range(3):
            with everybody():
                cast = the_cast()
                Forward.objects.all().delete()
                pair = [cast.mailbox, Mailbox.objects.filter(address__address="erika@musterdomain.de").first()]
                pair[1] = pair[1] or make_mailbox(cast.domain, "erika")
            start = threading.Barrier(2)

            def open_one(source, target, start=start):
                try:
                    with everybody():
                        start.wait(10)
                        opened(source, target)
                    return "set up"
                except ValidationError as error:
                    return error.code
                finally:
                    connection.close()

            with ThreadPoolExecutor(2) as pool:
                got = list(pool.map(open_one, pair, reversed(pair)))
            assert sorted(got) == ["circle", "set up"]
            with everybody():
                assert Forward.objects.count() == 1

    def test_are_not_both_the_last_that_the_contract_allows(self, cast):
        with everybody():
            Tenant.objects.update(max_forwards=1)
            boxes = [make_mailbox(cast.domain, f"colleague{number}") for number in range(4)]

        def open_one(target):
            try:
                with everybody():
                    opened(cast.mailbox, target)
                return True
            except LimitReached:
                return False
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(open_one, boxes)) == 1


class TestWhoseTargetGoesAway:
    def test_stops_and_its_owner_is_told_once(self, portal, cast, erika):
        alias = Alias.objects.open_alias(domain=cast.domain, local_part="team", mailbox=erika, by=None)
        forward = opened(cast.mailbox, "team@musterdomain.de")
        tell_stopped()
        OutboxMessage.objects.all().delete()
        alias.close(by=cast.dvb)
        assert (state(forward), in_force(cast.mailbox)) == ("nowhere", [])
        assert "leads nowhere" in portal.get(LIST).content.decode()
        tell_stopped()
        tell_stopped()
        assert len(told()) == 1 and "team@musterdomain.de" in told()[0]
        Alias.objects.open_alias(domain=cast.domain, local_part="team", mailbox=erika, by=None)
        tell_stopped()
        assert in_force(cast.mailbox) and Forward.objects.get().stop_told == ""

    def test_or_that_the_rule_now_stops_is_told_once_too(self, cast, warned):
        forward, waiting = agreed(cast.mailbox, OUTSIDE), opened(cast.mailbox, "w@example.org")
        Forward.objects.update(approved_at=None)
        OutboxMessage.objects.all().delete()
        for rule, expected in (("approval", "unapproved"), ("forbidden", "forbidden"), ("warning", "active")):
            Tenant.objects.update(forwards_outside=rule)
            assert state(forward) == expected
            tell_stopped()
            tell_stopped()
        assert [OUTSIDE in text for text in told()] == [True, True, False]
        assert str(waiting) in told()[2]

    def test_goes_on_by_its_former_address_when_the_target_is_renamed(self, cast, erika):
        opened(cast.mailbox, erika)
        erika.rename(domain=cast.domain, local_part="erika.neu", by=cast.dvb)
        assert in_force(cast.mailbox) == ["erika@musterdomain.de"]

    @pytest.mark.parametrize(("delivery", "expected"), [("defer", "active"), ("refuse", "nowhere")])
    def test_waits_for_a_mailbox_that_defers_and_not_for_one_that_refuses(self, cast, erika, delivery, expected):
        forward = opened(cast.mailbox, erika)
        Mailbox.objects.filter(pk=erika.pk).update(delivery=delivery)
        assert state(forward) == expected
        Mailbox.objects.filter(pk=erika.pk).update(delivery="accept", leaves_on=day(0), deletes_on=day(9))
        assert state(forward) == "nowhere"


def test_the_list_costs_the_same_whatever_its_length(portal, cast, erika, django_assert_num_queries):
    opened(cast.mailbox, erika)
    portal.get(LIST)
    for rows in (1, 3):
        for number in range(Forward.objects.count(), rows):
            make_mailbox(cast.domain, f"colleague{number}")
            opened(cast.mailbox, f"colleague{number}@musterdomain.de")
        with django_assert_num_queries(7):
            portal.get(LIST)


def test_the_brake_is_the_one_that_counts(cast):
    assert [Brake.objects.count_link("t", "a") is None for _try in range(4)] == [True, True, True, False]
