"""Somebody leaves: the plan on the desk, its days as the mail servers read them, and the deletion."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import formats, timezone

from accounts.models import AuditEvent, Deputy, OutboxMessage, User
from accounts.wall import everybody
from mailboxes.models import Address, Alias, DeletedMailbox, Mailbox, Membership, Plan, Usage
from tests.cast import CANARY, make_app_password, make_function, make_mailbox
from tests.client import Client, body
from tests.mailboxes.test_contract import ask
from tests.mailboxes.usage import hold
from tests.marks import committed, thorough
from tests.promises import promise

pytestmark = thorough
MAX = "max.mustermann@musterdomain.de"


def day(number):
    return timezone.localdate() + timedelta(days=number)


def days(leaves=0, reads=14, deletes=90, write_to="info@musterdomain.de"):
    return Plan(day(leaves), day(reads), day(deletes), write_to)


def said(function, address):
    """What Postfix is told."""
    return [answer for (answer,) in ask("mail_ro", f"SELECT mail.{function}(%s)", address)]


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def other(cast):
    """A second mailbox of the tenant."""
    return make_mailbox(cast.domain, "erika", name="Erika Mustermann")


def room(mailbox, page):
    return f"/desk/mailboxes/mailbox/{mailbox.pk}/{page}/"


def data(plan):
    return {
        "leaves_on": plan.leaves_on.isoformat(),
        "reads_until": plan.reads_until.isoformat(),
        "deletes_on": plan.deletes_on.isoformat(),
        "write_to": plan.write_to,
    }


def plan_by_page(desk, mailbox, plan):
    return desk.post(room(mailbox, "departure"), data(plan))


def anew(mailbox):
    return Mailbox.objects.select_related("address", "user", "user__tenant").get(pk=mailbox.pk)


class TestThePlan:
    def test_is_proposed_told_put_on_record_and_shown(self, desk, cast, other):
        page = desk.get(room(cast.mailbox, "departure")).content.decode()
        assert all(each.isoformat() in page for each in (day(0), day(14), day(90)))
        assert plan_by_page(desk, cast.mailbox, days(3)).status_code == 302
        assert anew(cast.mailbox).plan == days(3)
        event = AuditEvent.objects.get(deed="leaves")
        assert (event.actor, event.new["leaves_on"], event.old) == (cast.dvb, str(day(3)), {})
        told = OutboxMessage.objects.get(kind="email").payload
        assert told["to"] == MAX
        assert "gelöscht" in told["text"] or "deleted" in told["text"]
        shown = desk.get(f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/change/").content.decode()
        assert room(cast.mailbox, "departure") in shown.partition("<form")[2]
        listed = desk.get("/desk/mailboxes/mailbox/?leaving=yes").content.decode()
        assert (MAX in listed, str(other) in listed) == (True, False)

    def test_is_changed_and_taken_back(self, desk, cast):
        plan_by_page(desk, cast.mailbox, days(3))
        plan_by_page(desk, cast.mailbox, days(5))
        assert anew(cast.mailbox).plan == days(5)
        plan_by_page(desk, cast.mailbox, days(5))
        assert AuditEvent.objects.filter(deed="leaves").count() == 2
        assert desk.post(room(cast.mailbox, "stay")).status_code == 302
        mailbox = anew(cast.mailbox)
        assert (mailbox.plan, mailbox.user.valid_until, mailbox.write_to) == (None, None, "")
        desk.post(room(cast.mailbox, "stay"))
        assert AuditEvent.objects.filter(deed="stays").count() == 1

    @pytest.mark.parametrize(
        ("plan", "field"),
        [
            (days(-1), "leaves_on"),
            (days(5, reads=4), "reads_until"),
            (days(0, reads=14, deletes=14), "deletes_on"),
            (days(0, reads=14, deletes=4000), "deletes_on"),
            (days(write_to=MAX), "write_to"),
            (days(write_to='"; 250 ok\r\n'), "write_to"),
            (days(write_to="a@b.example c@d.example"), "write_to"),
        ],
    )
    def test_with_days_in_another_order_or_a_hostile_address_is_refused(self, desk, cast, plan, field):
        answer = plan_by_page(desk, cast.mailbox, plan)
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
        assert not anew(cast.mailbox).is_leaving

    def test_keeps_a_first_day_that_is_over(self, desk, cast):
        cast.mailbox.leave(days(0), by=cast.dvb)
        Mailbox.objects.filter(pk=cast.mailbox.pk).update(leaves_on=day(-4))
        assert plan_by_page(desk, cast.mailbox, days(-4, deletes=30)).status_code == 302
        assert anew(cast.mailbox).plan == days(-4, deletes=30)

    def test_waits_for_what_depends_on_the_person(self, desk, cast, other):
        make_function(cast.domain, "kasse", responsible=cast.user, by=cast.dvb)
        assert "kasse@musterdomain.de" in plan_by_page(desk, cast.mailbox, days()).content.decode()
        Membership.objects.set_members(
            Mailbox.objects.get(user__is_function=True), responsible=other.user, members=[], by=cast.dvb
        )
        cast.domain.catch_all_to(cast.mailbox, by=cast.dvb)
        assert plan_by_page(desk, cast.mailbox, days()).status_code == 422
        cast.domain.catch_all_to(None, by=cast.dvb)
        Deputy.objects.appoint(cast.user, until=day(5), by=cast.dvb)
        assert plan_by_page(desk, cast.mailbox, days(4)).status_code == 422
        assert plan_by_page(desk, cast.mailbox, days(5)).status_code == 302

    @promise("A-01")
    def test_of_another_tenant_is_not_there(self, desk, cast):
        for answer in (
            desk.get(room(cast.other_mailbox, "departure")),
            plan_by_page(desk, cast.other_mailbox, days()),
            desk.post(room(cast.other_mailbox, "stay")),
        ):
            assert answer.status_code == 404
            assert CANARY not in answer.content.decode()
        assert not anew(cast.other_mailbox).is_leaving


@committed
class TestTheDays:
    def test_before_the_first_nothing_has_changed(self, cast):
        cast.mailbox.leave(days(1), by=cast.dvb)
        assert said("access_of", MAX) == []
        assert said("logins_of", MAX) == [MAX]

    def test_from_the_first_on_nothing_is_sent_and_senders_are_told(self, cast, other):
        cast.mailbox.leave(days(0), by=cast.dvb)
        [answer] = said("access_of", MAX)
        assert answer.startswith("550 5.1.6 ")
        assert answer.isascii()
        assert f"{day(0):%d.%m.%Y}" in answer
        assert answer.endswith("info@musterdomain.de")
        assert said("logins_of", MAX) == []
        # Its alias answers in the same way; one that others receive as well goes on without it.
        assert said("access_of", "info@musterdomain.de") == [answer]
        alias = Alias.objects.get(address__address="info@musterdomain.de")
        alias.change(receivers=[cast.mailbox, other], senders=[cast.mailbox], valid_until=None, by=cast.dvb)
        assert said("access_of", "info@musterdomain.de") == []
        assert said("targets_of", "info@musterdomain.de") == ["erika@musterdomain.de"]
        assert said("logins_of", "info@musterdomain.de") == []
        cast.mailbox.stay(by=cast.dvb)
        assert said("access_of", MAX) == []
        assert said("logins_of", MAX) == [MAX]

    def test_until_the_last_the_person_logs_in(self, cast, log_in):
        cast.mailbox.leave(days(0, reads=0), by=cast.dvb)
        assert log_in(Client(), cast.user).status_code == 302
        User.objects.filter(pk=cast.user.pk).update(valid_until=day(-1))
        assert log_in(Client(), cast.user).status_code == 200


def delete_all_due():
    OutboxMessage.objects.update(due=timezone.now())
    with everybody():
        call_command("worker", "--once")


def bring_on(mailbox, number):
    """As if so many days had gone by."""
    with everybody():
        Mailbox.objects.filter(pk=mailbox.pk).update(leaves_on=day(-number), deletes_on=day(90 - number))


class TestTheDeletion:
    def test_waits_for_its_day_and_follows_the_last_plan(self, cast):
        cast.mailbox.leave(days(0), by=cast.dvb)
        cast.mailbox.leave(days(0, deletes=30), by=cast.dvb)
        delete_all_due()
        assert Mailbox.objects.filter(pk=cast.mailbox.pk).exists()
        cast.mailbox.stay(by=cast.dvb)
        delete_all_due()
        assert Mailbox.objects.filter(pk=cast.mailbox.pk).exists()

    def test_takes_everything_but_a_record(self, desk, cast, other):
        make_app_password(cast.mailbox)
        shared = Alias.objects.open_shared(
            domain=cast.domain, local_part="team", receivers=[cast.mailbox, other], by=cast.dvb
        )
        function = make_function(cast.domain, "kasse", responsible=other.user, members=[cast.user], by=cast.dvb)
        make_app_password(function, "Kasse", holder=cast.user)
        hold(cast.mailbox, 5_000_000)
        cast.mailbox.leave(days(0), by=cast.dvb)
        bring_on(cast.mailbox, 90)
        delete_all_due()
        assert not Mailbox.objects.filter(pk=cast.mailbox.pk).exists()
        assert not User.objects.filter(pk=cast.user.pk).exists()
        assert not Usage.objects.filter(username=MAX).exists()
        assert [str(row.mailbox) for row in shared.targets.select_related("mailbox__address")] == [str(other)]
        assert not Alias.objects.filter(address__address="info@musterdomain.de").exists()
        assert not function.app_passwords.filter(revoked_at=None).exists()
        record = DeletedMailbox.objects.get()
        assert (str(record), record.bytes, record.left_on) == (MAX, 5_000_000, day(-90))
        page = desk.get(f"/desk/mailboxes/deletedmailbox/{record.pk}/change/").content.decode()
        assert MAX in page
        paper = desk.get(f"/desk/mailboxes/deletedmailbox/{record.pk}/certificate/")
        assert body(paper).startswith(b"%PDF-")
        assert MAX in AuditEvent.objects.filter(deed="deleted").values_list("object_label", flat=True)

    def test_leaves_the_addresses_blocked_for_a_year(self, desk, cast):
        cast.mailbox.leave(days(0), by=cast.dvb)
        bring_on(cast.mailbox, 90)
        delete_all_due()
        new = {
            "domain": cast.domain.pk,
            "local_part": "max.mustermann",
            "name": "M",
            "language": "de",
            "storage_mb": 1,
        }
        refused = desk.post("/desk/mailboxes/mailbox/add/", new)
        assert not Mailbox.objects.filter(address__address=MAX).exists()
        [[error]] = [each.as_data() for each in refused.context["adminform"].form.errors.values()]
        assert formats.date_format(day(366)) in str(error)
        with everybody():
            Address.objects.filter(retired_at__isnull=False).update(retired_at=timezone.now() - timedelta(days=366))
            DeletedMailbox.objects.update(deleted_at=timezone.now() - timedelta(days=366))
        delete_all_due()
        assert not DeletedMailbox.objects.exists()
        old_home = cast.mailbox.home
        desk.post("/desk/mailboxes/mailbox/add/", new)
        again = Mailbox.objects.get(address__address=MAX)
        assert again.home != old_home

    def test_deletes_nothing_while_the_mail_servers_are_away(self, cast, settings):
        cast.mailbox.leave(days(0), by=cast.dvb)
        bring_on(cast.mailbox, 90)
        settings.DOVEADM_URL, settings.DOVEADM_API_KEY = "http://127.0.0.1:9", "key"
        delete_all_due()
        assert Mailbox.objects.filter(pk=cast.mailbox.pk).exists()
        assert not DeletedMailbox.objects.exists()
        assert OutboxMessage.objects.get(kind="delete_mailbox").last_error

    @promise("A-01")
    def test_is_shown_to_its_tenant_alone(self, desk, cast):
        record = DeletedMailbox.objects.create(
            tenant=cast.other_tenant,
            address=f"a@{CANARY}.example",
            left_on=day(-9),
            read_until=day(-8),
            messages=0,
            bytes=0,
        )
        assert CANARY not in desk.get("/desk/mailboxes/deletedmailbox/").content.decode()
        assert desk.get(f"/desk/mailboxes/deletedmailbox/{record.pk}/certificate/").status_code == 404
