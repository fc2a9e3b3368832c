"""Where mail is led on the desk: aliases of several mailboxes, until a day, catch-all addresses and alias domains."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.addresses import RESERVED_LOCAL_PARTS
from accounts.models import AuditEvent, Tenant
from accounts.wall import everybody
from mailboxes.models import MOST_TARGETS, Address, Alias, Domain, LimitReached, Mailbox, leads_to_mailbox
from mailboxes.models.aliases import check_targets
from tests.cast import CANARY, make_mailbox, the_cast
from tests.client import Client
from tests.mailboxes.test_contract import ask
from tests.mailboxes.test_credentials import KNOWN, URL, ticket
from tests.marks import committed, thorough
from tests.promises import promise

pytestmark = thorough

ADD, LIST = "/desk/mailboxes/alias/add/", "/desk/mailboxes/alias/"
MAX, INFO = "max.mustermann@musterdomain.de", "info@musterdomain.de"
TODAY = timezone.localdate


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def erika(cast):
    return make_mailbox(cast.domain, "erika", name="Erika")


@pytest.fixture
def second(cast):
    return Domain.objects.open_domain(tenant=cast.tenant, name="zweite.example", by=None)


@pytest.fixture
def change(desk, cast):
    """Send the form of info@, where nobody is named but whom the test names."""

    def change(**data):
        return desk.post(f"{LIST}{cast.alias.pk}/change/", data)

    return change


def terms(local_part="info"):
    return Alias.objects.get(address__local_part=local_part, address__domain__name="musterdomain.de").terms


def domain_page(domain, deed):
    return f"/desk/mailboxes/domain/{domain.pk}/{deed}/"


class TestANewAlias:
    def test_of_one_mailbox_may_be_sent_as_and_of_several_by_nobody_at_first(self, desk, cast, erika):
        new = {"domain": cast.domain.pk, "local_part": "team"}
        assert desk.post(ADD, new | {"receivers": erika.pk}).url == LIST
        assert terms("team") == {"target": [str(erika)], "may_send": [str(erika)], "valid_until": ""}
        answer = desk.post(ADD, new | {"local_part": "alle", "receivers": [cast.mailbox.pk], "typed": f" {erika}\n"})
        assert answer.url.endswith("/change/")
        assert terms("alle") == {"target": [MAX, str(erika)], "may_send": [], "valid_until": ""}
        assert AuditEvent.objects.get(object_label="alle@musterdomain.de").new == terms("alle")

    @promise("A-04")
    @promise("A-43")
    @pytest.mark.parametrize("typed", [f"max.mustermann@{CANARY}.example", "niemand@example.org", "info", INFO])
    def test_leads_to_own_mailboxes_alone(self, desk, cast, typed):
        new = {"domain": cast.domain.pk, "local_part": "team", "receivers": cast.mailbox.pk, "typed": typed}
        assert desk.post(ADD, new).status_code == 200
        own = {"domain": cast.domain.pk, "local_part": "team", "receivers": [cast.mailbox.pk, cast.other_mailbox.pk]}
        assert desk.post(ADD, own).status_code == 200
        assert not Address.objects.filter(local_part="team").exists()


class TestAChange:
    def test_is_on_record_with_before_and_after(self, change, cast, erika):
        assert change(receivers=[cast.mailbox.pk, erika.pk], senders=cast.mailbox.pk).status_code == 302
        event = AuditEvent.objects.get(object_type="mailboxes.alias", deed="changed")
        assert (event.actor, event.old["target"], event.new) == (cast.dvb, [MAX], terms())
        assert terms() == {"target": [MAX, str(erika)], "may_send": [MAX], "valid_until": ""}
        change(receivers=[cast.mailbox.pk, erika.pk], senders=cast.mailbox.pk)
        assert AuditEvent.objects.filter(object_type="mailboxes.alias", deed="changed").count() == 1
        shown = Client()
        shown.force_login(cast.dvb)
        assert f"{MAX} → {MAX}, {erika}" in shown.get(f"{LIST}{cast.alias.pk}/history/").content.decode()

    def test_may_let_somebody_send_who_does_not_receive(self, change, cast, erika):
        change(receivers=cast.mailbox.pk, senders=erika.pk)
        assert terms() == {"target": [MAX], "may_send": [str(erika)], "valid_until": ""}

    @promise("A-04")
    def test_to_nobody_or_to_another_tenants_mailbox_is_refused(self, change, cast):
        for wrong in (cast.other_mailbox.pk, "x", "9" * 25, "-1", "\0"):
            answer = change(receivers=wrong)
            assert answer.status_code == 200 and CANARY not in answer.content.decode()
        for data in ({"senders": cast.mailbox.pk}, {"receivers": [cast.mailbox.pk, cast.other_mailbox.pk]}):
            answer = change(**data)
            assert answer.status_code == 200 and CANARY not in answer.content.decode()
        assert terms()["target"] == [MAX]

    def test_ends_at_fifty_mailboxes(self):
        check_targets({1}, set(range(MOST_TARGETS)))
        with pytest.raises(ValidationError):
            check_targets({1}, set(range(MOST_TARGETS + 1)))

    def test_of_what_somebody_has_closed_meanwhile_says_so(self, cast):
        alias = Alias.objects.get(pk=cast.alias.pk)
        cast.alias.close(by=cast.dvb)
        with pytest.raises(ValidationError):
            alias.change(receivers=[cast.mailbox], senders=[], valid_until=None, by=cast.dvb)
        assert not Alias.objects.filter(tenant=cast.tenant).exists()


class TestAClosedAlias:
    def test_comes_back_only_with_the_mailbox_that_had_it(self, cast, erika):
        cast.alias.lead_to([cast.mailbox, erika], senders=[])
        cast.alias.close(by=cast.dvb)
        with pytest.raises(ValidationError):
            Alias.objects.open_alias(domain=cast.domain, local_part="info", mailbox=erika, by=None)
        Alias.objects.open_shared(domain=cast.domain, local_part="info", receivers=[erika, cast.mailbox], by=None)
        assert terms()["may_send"] == []

    def test_cannot_become_a_mailboxs_address_while_others_receive_by_it(self, cast, erika):
        cast.alias.lead_to([cast.mailbox, erika], senders=[])
        with pytest.raises(ValidationError):
            cast.mailbox.rename(domain=cast.domain, local_part="info", by=cast.dvb)


class TestTheLastDay:
    def test_is_shown_and_listed(self, desk, change, cast, time_machine):
        ends = TODAY() + timedelta(days=3)
        assert change(receivers=cast.mailbox.pk, valid_until=ends.isoformat()).status_code == 302
        assert INFO in desk.get(f"{LIST}?end=coming").content.decode()
        assert INFO not in desk.get(f"{LIST}?end=over").content.decode()
        cast.alias.refresh_from_db()
        assert not cast.alias.is_expired
        time_machine.move_to(timezone.now() + timedelta(days=4))
        desk.force_login(cast.dvb)
        assert cast.alias.is_expired
        assert INFO in desk.get(f"{LIST}?end=over").content.decode()
        assert INFO not in desk.get(f"{LIST}?end=coming").content.decode()

    def test_cannot_be_over_already_but_may_stay_so(self, change, cast, erika):
        yesterday = TODAY() - timedelta(days=1)
        assert change(receivers=cast.mailbox.pk, valid_until=yesterday.isoformat()).status_code == 200
        Alias.objects.filter(pk=cast.alias.pk).update(valid_until=yesterday)
        assert change(receivers=erika.pk, valid_until=yesterday.isoformat()).status_code == 302
        assert terms() == {"target": [str(erika)], "may_send": [], "valid_until": yesterday.isoformat()}

    def test_leaves_the_address_to_nobody_else(self, desk, cast, erika):
        Alias.objects.filter(pk=cast.alias.pk).update(valid_until=TODAY() - timedelta(days=1))
        new = {"domain": cast.domain.pk, "local_part": "info", "receivers": erika.pk}
        assert desk.post(ADD, new).status_code == 200
        assert leads_to_mailbox(cast.user, INFO)


class TestACatchAllAddress:
    def test_is_set_after_a_warning_and_ended_on_record(self, desk, cast):
        page = domain_page(cast.domain, "catch-all")
        assert re.search("GDPR|DSGVO", desk.get(page).content.decode())
        assert desk.post(page, {"mailbox": MAX}).status_code == 422
        assert desk.post(page, {"mailbox": MAX.upper(), "confirmed": "on"}).status_code == 302
        assert Domain.objects.get(pk=cast.domain.pk).catch_all == cast.mailbox
        assert MAX in desk.get(page).content.decode()
        assert desk.post(f"{page}end/").status_code == 302
        assert Domain.objects.get(pk=cast.domain.pk).catch_all is None
        events = AuditEvent.objects.filter(object_type="mailboxes.domain", deed="changed").order_by("pk")
        told = [(event.old, event.new) for event in events]
        assert told == [({"catch_all": ""}, {"catch_all": MAX}), ({"catch_all": MAX}, {"catch_all": ""})]

    @promise("A-43")
    def test_leads_to_own_mailboxes_alone(self, desk, cast):
        for mailbox in (cast.other_user.address, INFO, "x@example.org", "x", ""):
            data = {"mailbox": mailbox, "confirmed": "on"}
            assert desk.post(domain_page(cast.domain, "catch-all"), data).status_code == 422
        data = {"mailbox": MAX, "confirmed": "on"}
        assert desk.post(domain_page(cast.other_domain, "catch-all"), data).status_code == 404
        assert not Domain.objects.exclude(catch_all=None).exists()

    def test_is_no_recovery_address_of_its_owner(self, cast):
        cast.domain.catch_all_to(cast.mailbox, by=None)
        assert leads_to_mailbox(cast.user, "niemand+x@musterdomain.de")
        assert not leads_to_mailbox(cast.user, str(make_mailbox(cast.domain, "erika")))


class TestAnAliasDomain:
    def test_is_made_and_ended_on_record(self, desk, cast, second):
        page = domain_page(second, "alias")
        assert desk.post(page, {"other": cast.domain.pk}).status_code == 302
        assert leads_to_mailbox(cast.user, "info+x@zweite.example")
        assert not leads_to_mailbox(cast.user, "niemand@zweite.example")
        shown = desk.get(f"/desk/mailboxes/domain/{second.pk}/change/").content.decode()
        assert "musterdomain.de" in shown.replace(cast.dvb.address, "")
        assert desk.post(f"{page}end/").status_code == 302
        assert not leads_to_mailbox(cast.user, "info@zweite.example")
        assert AuditEvent.objects.filter(object_label="zweite.example", deed="changed").count() == 2

    @promise("A-43")
    def test_stands_for_own_domains_alone(self, desk, cast, second):
        for other in (cast.other_domain, second):
            assert desk.post(domain_page(second, "alias"), {"other": other.pk}).status_code == 422
        assert desk.post(domain_page(cast.other_domain, "alias"), {"other": second.pk}).status_code == 404
        assert not Domain.objects.exclude(alias_of=None).exists()

    def test_is_never_part_of_a_chain(self, cast, second):
        third = Domain.objects.open_domain(tenant=cast.tenant, name="dritte.example", by=None)
        second.stand_for(cast.domain, by=None)
        for domain, other in ((third, second), (cast.domain, third), (third, third)):
            with pytest.raises(ValidationError):
                domain.stand_for(other, by=None)
        for domain, other in ((third, second), (cast.domain, third), (third, third)):
            with pytest.raises(IntegrityError, match="no_chain"), transaction.atomic():
                Domain.objects.filter(pk=domain.pk).update(alias_of=other)

    def test_has_no_catch_all_address(self, cast, second):
        second.catch_all_to(cast.mailbox, by=None)
        with pytest.raises(ValidationError):
            second.stand_for(cast.domain, by=None)
        second.catch_all_to(None, by=None)
        second.stand_for(cast.domain, by=None)
        with pytest.raises(ValidationError):
            second.catch_all_to(cast.mailbox, by=None)
        with pytest.raises(IntegrityError, match="catches_nothing"), transaction.atomic():
            Domain.objects.filter(pk=second.pk).update(catch_all=cast.mailbox)

    def test_gets_no_new_addresses(self, desk, cast, second):
        stale = Domain.objects.get(pk=second.pk)
        second.stand_for(cast.domain, by=None)
        for deed in (
            lambda: make_mailbox(stale, "neu"),
            lambda: Alias.objects.open_alias(domain=stale, local_part="neu", mailbox=cast.mailbox, by=None),
            lambda: cast.mailbox.rename(domain=stale, local_part="neu", by=None),
        ):
            with pytest.raises(ValidationError):
                deed()
        assert "zweite.example" not in desk.get(ADD).content.decode()

    @committed
    def test_two_that_choose_each_other_at_once_make_no_chain(self):
        cast = the_cast()
        second = Domain.objects.open_domain(tenant=cast.tenant, name="zweite.example", by=None)

        @everybody()
        def choose(pair):
            domain, other = (Domain.objects.get(pk=each.pk) for each in pair)
            try:
                domain.stand_for(other, by=None)
                return True
            except ValidationError:
                return False
            finally:
                connection.close()

        pairs = [(cast.domain, second), (second, cast.domain)] * 3
        with ThreadPoolExecutor(6) as pool:
            assert any(pool.map(choose, pairs))
        assert Domain.objects.exclude(alias_of=None).count() == 1


class TestOwnPages:
    def test_name_the_aliases_that_reach_their_mailbox(self, cast, erika):
        make = {"domain": cast.domain, "by": None}
        Alias.objects.open_shared(**make, local_part="alle", receivers=[cast.mailbox, erika])
        Alias.objects.open_shared(**make, local_part="fremd", receivers=[erika], senders=[cast.mailbox])
        Alias.objects.open_alias(**make, local_part="alt", mailbox=cast.mailbox)
        Alias.objects.filter(address__local_part="alt").update(valid_until=TODAY() - timedelta(days=1))
        Alias.objects.open_alias(**make, local_part="erikas", mailbox=erika)
        client = Client()
        client.force_login(cast.user)
        page = client.get("/").content.decode()
        shown = [name for name in ("info", "alle", "fremd", "alt", "erikas") if f"{name}@musterdomain.de" in page]
        assert shown == ["info", "alle", "fremd"]

    def test_and_letter_name_those_that_are_received_by(self, desk, cast, erika):
        Alias.objects.open_shared(domain=cast.domain, local_part="alle", receivers=[cast.mailbox, erika], by=None)
        Alias.objects.open_shared(
            domain=cast.domain, local_part="fremd", receivers=[erika], senders=[cast.mailbox], by=None
        )
        old = Alias.objects.open_alias(domain=cast.domain, local_part="alt", mailbox=cast.mailbox, by=None)
        Alias.objects.filter(pk=old.pk).update(valid_until=TODAY() - timedelta(days=1))
        page = desk.post(URL, KNOWN | {"person": ticket(cast.user, cast.dvb), "output": "screen"}).content.decode()
        shown = [name for name in ("info", "alle", "fremd", "alt") if f"{name}@musterdomain.de" in page]
        assert shown == ["info", "alle"]


@committed
def test_the_contracts_number_of_aliases_holds_for_eight_at_once():
    cast = the_cast()
    Tenant.objects.filter(pk=cast.tenant.pk).update(max_aliases=2)

    @everybody()
    def create(number):
        try:
            box = Mailbox.objects.get(pk=cast.mailbox.pk)
            Alias.objects.open_shared(domain=cast.domain, local_part=f"team{number}", receivers=[box], by=None)
            return True
        except LimitReached:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [False] * 7 + [True]


def targets(address):
    return sorted(target for (target,) in ask("mail_ro", "SELECT mail.targets_of(%s)", address))


def logins(address):
    return sorted(login for (login,) in ask("mail_ro", "SELECT mail.logins_of(%s)", address))


def access(address):
    return [action[:9] for (action,) in ask("mail_ro", "SELECT mail.access_of(%s)", address)]


@committed
class TestTheMailServersAreTold:
    def test_who_receives_and_who_may_send_until_the_last_day(self):
        cast = the_cast()
        erika = make_mailbox(cast.domain, "erika")
        cast.alias.lead_to([cast.mailbox, erika], senders=[erika])
        assert (targets(INFO), logins(INFO)) == ([str(erika), MAX], [str(erika)])
        for days, found in ((0, [str(erika), MAX]), (-1, [])):
            Alias.objects.update(valid_until=TODAY() + timedelta(days=days))
            assert targets(INFO) == found
            assert logins(INFO) == found[:1]

    def test_that_an_alias_waits_for_each_mailbox_and_does_without_those_that_refuse(self):
        cast = the_cast()
        erika = make_mailbox(cast.domain, "erika")
        cast.alias.lead_to([cast.mailbox, erika], senders=[])
        for delivery, action, found in (
            ("refuse", [], [MAX]),
            ("defer", ["450 4.2.1"], [str(erika), MAX]),
            ("accept", [], [str(erika), MAX]),
        ):
            Mailbox.objects.filter(pk=erika.pk).update(delivery=delivery)
            assert (access(INFO), targets(INFO)) == (action, found)
        Mailbox.objects.update(delivery="refuse")
        assert access(INFO) == ["550 5.2.1"]
        Mailbox.objects.update(delivery="accept")
        cast.tenant.suspend(by=None)
        assert access(INFO) == ["450 4.2.1"]

    def test_an_alias_domain_as_the_one_it_stands_for(self):
        cast = the_cast()
        erika = make_mailbox(cast.domain, "erika")
        second = Domain.objects.open_domain(tenant=cast.tenant, name="zweite.example", by=None)
        kept = Alias.objects.open_alias(domain=second, local_part="erika", mailbox=cast.mailbox, by=None)
        cast.domain.catch_all_to(cast.mailbox, by=None)
        second.stand_for(cast.domain, by=None)
        cast.alias.lead_to([cast.mailbox, erika], senders=[erika])
        for name in ("max.mustermann", "info"):
            here, there = f"{name}@musterdomain.de", f"{name}@zweite.example"
            assert (targets(here), logins(here), access(here)) == (targets(there), logins(there), access(there))
            assert targets(there)
        assert targets("niemand@zweite.example") == logins("niemand@zweite.example") == []
        assert targets("erika@zweite.example") == [MAX]
        kept.close(by=None)
        assert targets("erika@zweite.example") == logins("erika@zweite.example") == []
        cast.tenant.suspend(by=None)
        assert access("max.mustermann@zweite.example") == ["450 4.2.1"]

    @promise("A-44")
    def test_a_catch_all_address_for_nothing_that_exists_existed_or_is_staffs(self):
        cast = the_cast()
        erika = make_mailbox(cast.domain, "erika")
        closed = Alias.objects.open_alias(domain=cast.domain, local_part="zu", mailbox=cast.mailbox, by=None)
        closed.close(by=None)
        over = Alias.objects.open_alias(domain=cast.domain, local_part="vorbei", mailbox=erika, by=None)
        Alias.objects.filter(pk=over.pk).update(valid_until=TODAY() - timedelta(days=1))
        cast.domain.catch_all_to(erika, by=None)
        for name in ("niemand", "niemand+tag", "max", "a..b"):
            assert targets(f"{name}@musterdomain.de") == [str(erika)]
            assert logins(f"{name}@musterdomain.de") == []
        assert targets(MAX) == [MAX]
        spared = ["max.mustermann+tag", "info+tag", "zu", "zu+tag", "vorbei", "vorbei+tag", "", "+tag"]
        for name in (*spared, *RESERVED_LOCAL_PARTS, "postmaster+tag"):
            assert targets(f"{name}@musterdomain.de") == [], name
        assert targets(f"niemand@{CANARY}.example") == []
        Mailbox.objects.filter(pk=cast.mailbox.pk).update(delivery="refuse")
        assert (access(MAX), access("niemand@musterdomain.de")) == (["550 5.2.1"], [])
        Mailbox.objects.filter(pk=erika.pk).update(delivery="defer")
        assert access("niemand@musterdomain.de") == ["450 4.2.1"]
