"""Domains that a DVB asks for: refused at once, proved by DNS, decided by staff, or cleared away."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, OutboxMessage, Tenant
from accounts.wall import everybody
from mailboxes.models import Domain, DomainRequest, LimitReached
from mailboxes.proof import look_again
from tests.cast import CANARY, the_cast
from tests.client import logged_in
from tests.marks import committed, thorough
from tests.promises import promise

pytestmark = thorough

ROOM = "/desk/mailboxes/domainrequest/"
STAFF_ROOM = "/staff/mailboxes/domainrequest/"
NAME = "neue-domain.example"
Outcome, Finding = DomainRequest.Outcome, DomainRequest.Finding


@pytest.fixture
def desk(cast):
    return logged_in(cast.dvb)


@pytest.fixture
def staff(cast):
    return logged_in(cast.staff)


@pytest.fixture
def asked(cast):
    return ask(cast)


def ask(cast, name=NAME, *, other=False):
    tenant, by = (cast.other_tenant, cast.other_dvb) if other else (cast.tenant, cast.dvb)
    return DomainRequest.objects.ask(tenant=tenant, name=name, by=by)


def prove(zone, request):
    zone.txt(request.record_name, "v=something else", request.record_value)


def check(client, request):
    """Press the button; gives the text of the page that follows."""
    return client.post(f"{ROOM}{request.pk}/check/", follow=True).content.decode()


def outcome(request):
    request.refresh_from_db()
    return request.outcome


def mails_to(person):
    found = OutboxMessage.objects.filter(kind="email", payload__to=person.address)
    return [message.payload["subject"] + message.payload["text"] for message in found]


class TestAsking:
    def test_shows_the_record_to_set_and_opens_nothing(self, desk, cast):
        page = desk.post(f"{ROOM}add/", {"name": " Müller-Neu.EXAMPLE "}, follow=True).content.decode()
        request = DomainRequest.objects.get()
        assert (request.name, request.tenant, request.asked_by) == ("xn--mller-neu-q9a.example", cast.tenant, cast.dvb)
        assert "müller-neu.example" in page
        for copied in ("_ksc-challenge.xn--mller-neu-q9a.example", f"ksc-domain={request.token}"):
            assert f'data-copy="{copied}"' in page
        assert Domain.objects.filter(tenant=cast.tenant).count() == 1
        event = AuditEvent.objects.get(object_type="mailboxes.domainrequest")
        assert (event.deed, event.actor, event.tenant) == ("created", cast.dvb, cast.tenant)

    def test_draws_another_secret_each_time(self, cast):
        assert len({ask(cast, name).token for name in ("a.example", "b.example", "c.example")}) == 3

    @pytest.mark.parametrize(
        "name",
        [
            *("", "de", "co.uk", "com.de", "github.io", "xn--p1ai", "рф", "localhost", "192.0.2.1", "[192.0.2.1]"),
            *("a b.de", "a@b.de", "-a.de", "a_b.de", "a\u202eb.de", "a\nb.de", "*.de", "<b>.de", "x" * 64 + ".de"),
            ".".join(["x" * 55] * 4) + ".de",
            "x" * 10_000,
            "musterdomain.de",
            "MUSTERDOMAIN.de.",
            f"{CANARY}.example",
            f"mail.{CANARY}.example",
        ],
    )
    def test_for_what_cannot_be_had_says_so_and_stores_nothing(self, desk, cast, name):
        before = AuditEvent.objects.count()
        answer = desk.post(f"{ROOM}add/", {"name": name})
        assert answer.status_code == 200
        assert "errornote" in answer.content.decode()
        assert cast.other_tenant.name not in answer.content.decode()
        assert (DomainRequest.objects.count(), OutboxMessage.objects.count()) == (0, 0)
        assert AuditEvent.objects.count() == before

    def test_for_what_is_above_another_tenants_domain_is_refused(self, desk, cast):
        Domain.objects.create(tenant=cast.other_tenant, name="mail.verein.example")
        assert "errornote" in desk.post(f"{ROOM}add/", {"name": "verein.example"}).content.decode()
        assert desk.post(f"{ROOM}add/", {"name": "ein.example"}).status_code == 302

    def test_for_what_is_below_an_own_domain_is_possible_and_must_be_proved(self, desk, cast):
        assert desk.post(f"{ROOM}add/", {"name": "mail.musterdomain.de"}).status_code == 302
        assert not Domain.objects.filter(name="mail.musterdomain.de").exists()

    def test_twice_leads_to_the_request_that_is_open(self, desk, cast, asked):
        assert "errornote" in desk.post(f"{ROOM}add/", {"name": NAME.upper()}).content.decode()
        assert DomainRequest.objects.count() == 1

    def test_counts_what_is_open_and_what_is_asked_for(self, desk, cast):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_domains=2)
        assert desk.post(f"{ROOM}add/", {"name": NAME}).status_code == 302
        answer = desk.post(f"{ROOM}add/", {"name": "noch-eine.example"})
        assert "errornote" in answer.content.decode() and DomainRequest.objects.count() == 1

    @committed
    def test_by_eight_at_once_takes_the_last_place_once(self):
        cast = the_cast()
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_domains=2)

        @everybody()
        def attempt(number):
            try:
                ask(cast, f"nr{number}.example")
                return True
            except LimitReached:
                return False
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(attempt, range(8))) == [False] * 7 + [True]

    @promise("A-10")
    def test_takes_no_other_field(self, desk, cast):
        sent = {"name": NAME, "tenant": cast.other_tenant.pk, "token": "0" * 32, "outcome": "proved", "pk": 4711}
        desk.post(f"{ROOM}add/", sent)
        request = DomainRequest.objects.get()
        assert (request.tenant, request.outcome) == (cast.tenant, Outcome.OPEN)
        assert request.token != "0" * 32 and request.pk != 4711

    def test_can_be_taken_back(self, desk, cast, asked):
        assert desk.post(f"{ROOM}{asked.pk}/delete/", {"post": "yes"}).status_code == 302
        assert not DomainRequest.objects.exists()
        assert AuditEvent.objects.filter(object_type="mailboxes.domainrequest", deed="deleted").count() == 1


class TestTheProof:
    def test_opens_the_domain_and_says_so(self, desk, cast, asked, zone):
        prove(zone, asked)
        page = check(desk, asked)
        assert str(Outcome.PROVED.label) in page and '<li class="success">' in page
        domain = Domain.objects.get(name=NAME)
        assert (domain.tenant, outcome(asked), asked.finding) == (cast.tenant, Outcome.PROVED, Finding.PROVED)
        deeds = AuditEvent.objects.filter(actor=cast.dvb, object_label=NAME).order_by("pk")
        found = [(event.object_type.partition(".")[2], event.deed) for event in deeds]
        assert found == [("domainrequest", "created"), ("domain", "created"), ("domainrequest", "changed")]
        assert deeds.last().new == {"outcome": "proved"}

    def test_may_be_cut_into_strings_and_written_in_capitals(self, desk, asked, zone):
        value = asked.record_value.upper()
        zone.zone[asked.record_name, "TXT"] = [f'" {value[:9]}" "{value[9:]} "']
        check(desk, asked)
        assert outcome(asked) == Outcome.PROVED

    @pytest.mark.parametrize(
        ("values", "mode", "finding"),
        [
            ([], "", Finding.NO_NAME),
            (["ksc-domain=" + "0" * 32], "", Finding.OTHER),
            (["{value}0"], "", Finding.OTHER),
            (["{token}"], "", Finding.OTHER),
            (["x" * 10_000], "", Finding.OTHER),
            (["\0\x1b[31m\u202e{value}"], "", Finding.OTHER),
            (["{value}"], "servfail", Finding.SERVFAIL),
            (["{value}"], "silent", Finding.TIMEOUT),
            (["{value}"], "other_id", Finding.TIMEOUT),
            (["{value}"], "cut", Finding.BROKEN),
            (["{value}"], "garbage", Finding.TIMEOUT),
            (["{value}"], "loop", Finding.SERVFAIL),
        ],
    )
    def test_that_is_none_opens_nothing_and_says_why(self, desk, asked, zone, values, mode, finding):
        if values:
            zone.txt(asked.record_name, *(each.format(value=asked.record_value, token=asked.token) for each in values))
        zone.modes[asked.record_name] = mode
        page = check(desk, asked)
        assert (outcome(asked), asked.finding) == (Outcome.OPEN, finding)
        assert page.count(str(Finding(finding).label)) == 2
        assert not Domain.objects.filter(name=NAME).exists()

    def test_under_another_name_opens_nothing(self, desk, asked, zone):
        for name in (NAME, f"_ksc-challenge.mail.{NAME}", f"_acme-challenge.{NAME}"):
            zone.txt(name, asked.record_value)
        check(desk, asked)
        assert outcome(asked) == Outcome.OPEN

    def test_of_another_tenants_request_opens_nothing(self, cast, desk, asked, zone):
        zone.txt(asked.record_name, ask(cast, other=True).record_value)
        check(desk, asked)
        assert (outcome(asked), asked.finding) == (Outcome.OPEN, Finding.OTHER)

    def test_past_the_limit_waits_for_support(self, desk, cast, asked, zone):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_domains=1)
        prove(zone, asked)
        check(desk, asked)
        assert (outcome(asked), asked.finding) == (Outcome.OPEN, Finding.LIMIT)
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_domains=2)
        check(desk, asked)
        assert outcome(asked) == Outcome.PROVED

    def test_goes_on_record_once_however_often_it_is_looked_at(self, desk, cast, asked, zone):
        prove(zone, asked)
        for _click in range(3):
            check(desk, asked)
        assert AuditEvent.objects.filter(object_type="mailboxes.domain", object_label=NAME).count() == 1

    def test_is_looked_for_by_post_alone_and_not_by_others(self, desk, cast, asked, zone):
        prove(zone, asked)
        assert desk.get(f"{ROOM}{asked.pk}/check/").status_code == 405
        for person, status in ((cast.other_dvb, 404), (cast.dsb, 403), (cast.user, 403), (cast.staff, 403)):
            assert logged_in(person).post(f"{ROOM}{asked.pk}/check/").status_code == status
        assert outcome(asked) == Outcome.OPEN and zone.asked == []


class TestTwoWhoWantTheSame:
    @pytest.mark.parametrize("theirs", [NAME, f"mail.{NAME}"])
    def test_whoever_proves_first_gets_it_and_the_other_is_told_by_the_worker(self, cast, desk, zone, theirs):
        mine, rival = ask(cast), ask(cast, theirs, other=True)
        prove(zone, mine)
        prove(zone, rival)
        if theirs == NAME:
            zone.txt(mine.record_name, mine.record_value, rival.record_value)
        check(desk, mine)
        call_command("worker", once=True)
        assert (outcome(mine), outcome(rival)) == (Outcome.PROVED, Outcome.LOST)
        assert list(Domain.objects.filter(name__endswith=NAME)) == [Domain.objects.get(tenant=cast.tenant, name=NAME)]
        event = AuditEvent.objects.filter(object_type="mailboxes.domainrequest", tenant=cast.other_tenant).first()
        assert (event.actor, event.new) == (None, {"outcome": "lost"})
        page = logged_in(cast.other_dvb).get(f"{ROOM}{rival.pk}/change/").content.decode()
        assert "Musterfirma" not in page and str(Outcome.LOST.label) in page

    def test_the_later_one_is_refused_with_the_button_too(self, cast, desk, zone):
        mine, rival = ask(cast), ask(cast, other=True)
        prove(zone, mine)
        zone.txt(rival.record_name, mine.record_value, rival.record_value)
        check(desk, mine)
        check(logged_in(cast.other_dvb), rival)
        assert outcome(rival) == Outcome.LOST
        assert not mails_to(cast.dvb) and len(mails_to(cast.other_dvb)) == 1
        assert "Musterfirma" not in mails_to(cast.other_dvb)[0]

    @committed
    def test_of_two_at_the_same_time_one_gets_it(self, zone):
        cast = the_cast()
        requests = [ask(cast), ask(cast, f"mail.{NAME}", other=True)]
        for request in requests:
            prove(zone, request)

        @everybody()
        def look(request):
            try:
                DomainRequest.objects.get(pk=request.pk).look()
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(look, requests * 4))
        assert sorted(map(outcome, requests)) == [Outcome.LOST, Outcome.PROVED]
        assert Domain.objects.filter(name__endswith=NAME).count() == 1

    def test_the_database_takes_no_second_open_request_nor_a_foreign_asker(self, cast, asked):
        with pytest.raises(IntegrityError, match="one_open"), transaction.atomic():
            DomainRequest.objects.create(tenant=cast.tenant, name=NAME)
        with pytest.raises(IntegrityError, match="same_tenant"), transaction.atomic():
            DomainRequest.objects.create(tenant=cast.tenant, name="b.example", asked_by=cast.other_dvb)
            connection.check_constraints()


class TestTheWorker:
    def test_opens_what_is_proved_and_tells_who_asked(self, cast, asked, zone):
        prove(zone, asked)
        with time_machine.travel(timezone.now() + timedelta(minutes=2)):
            call_command("worker", once=True)
        assert outcome(asked) == Outcome.PROVED
        assert AuditEvent.objects.get(object_type="mailboxes.domain", object_label=NAME).actor is None

    def test_looks_again_and_again_with_longer_pauses_and_clears_away_what_is_over(self, cast, asked, zone):
        pauses, begun = [], timezone.now()
        for _look in range(200):
            message = OutboxMessage.objects.waiting().filter(kind="prove_domain").first()
            if message is None:
                break
            before = message.due
            with time_machine.travel(message.due + timedelta(seconds=1), tick=False):
                look_again(**message.payload)
                message.finish()
            after = OutboxMessage.objects.waiting().filter(kind="prove_domain").first()
            pauses += [after.due - before] if after else []
        assert not DomainRequest.objects.exists() and not Domain.objects.filter(name=NAME).exists()
        assert timedelta(minutes=1) <= pauses[0] < timedelta(minutes=2)
        assert timedelta(hours=6) <= max(pauses) < timedelta(hours=6, minutes=1)
        assert 50 < len(zone.asked) < 120
        assert abs(before - begun - timedelta(days=14)) < timedelta(minutes=1)
        event = AuditEvent.objects.filter(object_type="mailboxes.domainrequest").first()
        assert (event.deed, event.actor, event.old) == ("deleted", None, {"outcome": "open"})
        assert len(mails_to(cast.dvb)) == 1

    def test_clears_a_closed_request_away_when_it_was_to_be_read_long_enough(self, cast, asked):
        asked.dismiss(by=cast.staff, reason="Kein Vertrag")
        look_again(asked.pk)
        assert DomainRequest.objects.exists()
        with time_machine.travel(timezone.now() + timedelta(days=15)):
            look_again(asked.pk)
        assert not DomainRequest.objects.exists()
        look_again(asked.pk)

    def test_goes_on_with_the_rest_when_one_name_server_is_away(self, cast, asked, zone):
        other = ask(cast, "zweite.example")
        zone.modes[asked.record_name] = "silent"
        prove(zone, other)
        with time_machine.travel(timezone.now() + timedelta(minutes=2)):
            call_command("worker", once=True)
        assert (outcome(asked), outcome(other)) == (Outcome.OPEN, Outcome.PROVED)


class TestStaff:
    def decide(self, staff, request, decision, reason="Der Vertrag nennt die Domain."):
        return staff.post(f"{STAFF_ROOM}{request.pk}/decide/", {"decision": decision, "reason": reason})

    def test_see_the_requests_of_all_tenants(self, staff, cast, asked):
        ask(cast, f"{CANARY}-neu.example", other=True)
        page = staff.get(STAFF_ROOM).content.decode()
        assert NAME in page and f"{CANARY}-neu.example" in page

    def test_confirm_with_a_reason_that_is_put_on_record_and_mailed(self, staff, cast, asked):
        assert self.decide(staff, asked, "confirm").status_code == 302
        assert Domain.objects.get(name=NAME).tenant == cast.tenant
        event = AuditEvent.objects.filter(object_type="mailboxes.domainrequest").first()
        reason = "Der Vertrag nennt die Domain."
        assert (event.actor, event.new) == (cast.staff, {"outcome": "confirmed", "reason": reason})
        [mail] = mails_to(cast.dvb)
        assert reason in mail and NAME in mail

    def test_refuse_with_a_reason(self, staff, cast, desk, asked):
        self.decide(staff, asked, "dismiss", "Bitte <b>anrufen</b>")
        assert outcome(asked) == Outcome.DISMISSED and not Domain.objects.filter(name=NAME).exists()
        page = desk.get(f"{ROOM}{asked.pk}/change/").content.decode()
        assert "Bitte &lt;b&gt;anrufen&lt;/b&gt;" in page

    @pytest.mark.parametrize("reason", ["", "   ", "x" * 201, "a\u202eb", "a\nb"])
    def test_need_a_plain_reason(self, staff, asked, reason):
        assert self.decide(staff, asked, "confirm", reason).status_code == 422
        assert outcome(asked) == Outcome.OPEN

    @pytest.mark.parametrize("decision", ["", "approve", "\0confirm"])
    def test_decide_by_nothing_but_the_two_buttons(self, staff, asked, decision):
        assert self.decide(staff, asked, decision).status_code == 422
        assert outcome(asked) == Outcome.OPEN

    def test_decide_once(self, staff, asked):
        self.decide(staff, asked, "dismiss")
        self.decide(staff, asked, "confirm")
        assert outcome(asked) == Outcome.DISMISSED and not Domain.objects.filter(name=NAME).exists()

    def test_are_asked_for_password_and_factor_again(self, staff, asked):
        session = staff.session
        session["proved"] = 0
        session.save()
        assert self.decide(staff, asked, "confirm").url.startswith("/anmelden/bestaetigen/")
        assert outcome(asked) == Outcome.OPEN

    def test_cannot_open_what_another_tenant_has(self, staff, cast, asked):
        Domain.objects.create(tenant=cast.other_tenant, name=NAME)
        self.decide(staff, asked, "confirm")
        assert outcome(asked) == Outcome.LOST


class TestTheList:
    @promise("A-01")
    def test_knows_the_own_requests_alone(self, desk, cast, asked):
        ask(cast, f"{CANARY}-neu.example", other=True)
        page = desk.get(ROOM).content.decode()
        assert NAME in page and CANARY not in page

    def test_says_what_to_do_where_there_is_none(self, desk, cast):
        assert "<p>" in desk.get(ROOM).content.decode().partition('id="changelist-form"')[2]
        assert f"{ROOM}add/" in desk.get("/desk/mailboxes/domain/").content.decode()

    def test_costs_the_same_number_of_statements_at_one_and_at_three_rows(self, desk, cast, asked):
        desk.get(ROOM)
        with CaptureQueriesContext(connection) as one:
            desk.get(ROOM)
        for number in range(2):
            ask(cast, f"nr{number}.example")
        with CaptureQueriesContext(connection) as three:
            desk.get(ROOM)
        assert len(one) == len(three) <= 10
