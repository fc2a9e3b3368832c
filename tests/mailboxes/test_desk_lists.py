"""The list of mailboxes: how full each is, and what the list can be narrowed to."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import AuditEvent, RecoveryRequest, SupportConsent, Tenant, User
from filters.models import SenderRule
from kscsite.sites import desk as the_desk
from kscsite.sites import staff
from mailboxes.models import (
    Address,
    Alias,
    AliasTarget,
    DeletedMailbox,
    Domain,
    DomainRequest,
    Forward,
    Import,
    Mailbox,
    ServerAddress,
)
from mailboxes.models.mailboxes import MEGABYTE
from mailboxes.storage import usage_shown, used_of
from tests.cast import CANARY, make_mailbox
from tests.mailboxes.usage import hold
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

LIST = "/desk/mailboxes/mailbox/"
MAX = "max.mustermann@musterdomain.de"


@pytest.fixture
def desk(cast, client):
    client.force_login(cast.dvb)
    return client


def found(desk, **filters):
    return [str(row) for row in desk.get(LIST, filters).context["cl"].result_list]


def fill(cast, numbers):
    """Many mailboxes at once, which have these numbers."""
    people = User.objects.bulk_create(
        User(area="mailbox", role="user", tenant=cast.tenant, address=f"n{n}@musterdomain.de") for n in numbers
    )
    addresses = Address.objects.bulk_create(
        Address(
            tenant=cast.tenant, domain=cast.domain, local_part=f"n{n}", address=f"n{n}@musterdomain.de", kind="mailbox"
        )
        for n in numbers
    )
    Mailbox.objects.bulk_create(
        Mailbox(tenant=cast.tenant, address=address, user=person)
        for address, person in zip(addresses, people, strict=True)
    )


def people(cast, numbers, **fields):
    given = {"area": "ksc", "role": "dvb", "tenant": cast.tenant, "valid_until": timezone.localdate()} | fields
    return User.objects.bulk_create(User(address=f"p{n}@musterdomain.de", name=f"P {n}", **given) for n in numbers)


def mailbox_users(cast, numbers):
    return people(cast, numbers, area="mailbox", role="user", valid_until=None)


def aliases(cast, numbers):
    addresses = Address.objects.bulk_create(
        Address(
            tenant=cast.tenant, domain=cast.domain, local_part=f"a{n}", address=f"a{n}@musterdomain.de", kind="alias"
        )
        for n in numbers
    )
    made = Alias.objects.bulk_create(Alias(tenant=cast.tenant, address=address) for address in addresses)
    AliasTarget.objects.bulk_create(
        AliasTarget(tenant=cast.tenant, alias=alias, mailbox=cast.mailbox) for alias in made
    )


def domains(cast, numbers):
    Domain.objects.bulk_create(
        Domain(tenant=cast.tenant, name=f"d{n}.example", alias_of=cast.domain if n % 2 else None) for n in numbers
    )


def requests(cast, numbers):
    DomainRequest.objects.bulk_create(
        DomainRequest(tenant=cast.tenant, name=f"r{n}.example", asked_by=cast.dvb) for n in numbers
    )


def events(cast, numbers):
    for n in numbers:
        AuditEvent.objects.record("changed", cast.user, by=cast.dvb, new={"name": f"{n}"})


def recovery_requests(cast, numbers):
    RecoveryRequest.objects.bulk_create(
        RecoveryRequest(tenant=cast.tenant, user=user) for user in mailbox_users(cast, numbers)
    )


def consents(cast, numbers):
    for user in mailbox_users(cast, numbers):
        SupportConsent.objects.give(user, lasting=timedelta(hours=1))


def deleted(cast, numbers):
    given = {"tenant": cast.tenant, "left_on": "2026-01-01", "read_until": "2026-01-01", "messages": 1, "bytes": 1}
    DeletedMailbox.objects.bulk_create(DeletedMailbox(address=f"g{n}@musterdomain.de", **given) for n in numbers)


def imports(cast, numbers):
    Import.objects.bulk_create(Import(tenant=cast.tenant, name=f"{n}.csv", uploaded_by=cast.dvb) for n in numbers)


def tenants(cast, numbers):
    return Tenant.objects.bulk_create(
        Tenant(customer_number=f"n{n}", name=f"{n}", contract_until=timezone.localdate()) for n in numbers
    )


def servers(cast, numbers):
    ServerAddress.objects.bulk_create(
        ServerAddress(tenant=tenant, protocol="imap", host="h.example", port=993, encryption="tls")
        for tenant in tenants(cast, numbers)
    )


def forwards(cast, numbers):
    Forward.objects.bulk_create(
        Forward(tenant=cast.tenant, mailbox=cast.mailbox, target=f"f{n}@elsewhere.example") for n in numbers
    )


def sender_rules(cast, numbers):
    SenderRule.objects.bulk_create(
        SenderRule(tenant=tenant, kind="block", sender=f"@s{n}.example")
        for n in numbers
        for tenant in (cast.tenant, None)
    )


# Of the last there is one.
ROWS = {
    "mailbox": fill,
    "alias": aliases,
    "domain": domains,
    "domainrequest": requests,
    "deputy": people,
    "user": people,
    "auditevent": events,
    "recoveryrequest": recovery_requests,
    "supportconsent": consents,
    "deletedmailbox": deleted,
    "import": imports,
    "forward": forwards,
    "outsideforward": forwards,
    "senderrule": sender_rules,
    "tenant": tenants,
    "serveraddress": servers,
    "installation": lambda cast, numbers: None,
}
LISTS = [
    pytest.param(site, room, id=f"{site.name}-{room.opts.model_name}")
    for site in (the_desk, staff)
    for room in site._registry.values()
    # Of these there is one, and the list leads to it.
    if room.opts.model_name not in ("policy", "spampolicy")
]


@pytest.mark.parametrize(("site", "room"), LISTS)
def test_each_list_costs_the_same_few_queries_for_a_hundred_rows_as_for_two(cast, client, site, room):
    client.force_login(cast.dvb if site is the_desk else cast.staff)
    path = reverse(f"{site.name}:{room.opts.app_label}_{room.opts.model_name}_changelist")
    counts = []
    for numbers in (range(2), range(2, 100)):
        ROWS[room.opts.model_name](cast, numbers)
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


class TestTheStorageColumn:
    @pytest.mark.parametrize(
        ("used", "allowed", "shown"),
        [
            (0, 100, "0 MB von 100 MB"),
            (MEGABYTE // 3, 100, "0,3 MB von 100 MB"),
            (99.6 * MEGABYTE, 100, "100 MB von 100 MB"),
            (1234 * MEGABYTE, 4096, "1,2 GB von 4,0 GB"),
            (2035 * MEGABYTE, 4096, "2,0 GB von 4,0 GB"),
            (4096 * MEGABYTE, 1024, "4,0 GB von 1,0 GB"),
            (0, 1024, "0,0 GB von 1,0 GB"),
            (0, 2**31 - 1, "0,0 GB von 2.097.152,0 GB"),
        ],
    )
    def test_says_used_and_allowed_in_one_unit(self, used, allowed, shown):
        used_shown, allowed_shown = (part.rpartition(" ")[0] for part in shown.split(" von "))
        with translation.override("de"):
            numbers = re.findall(r"[\d.,]+", used_of(used, allowed))
            assert numbers == [used_shown, allowed_shown] and used_of(used, allowed).endswith(shown[-2:])

    @pytest.mark.parametrize(("used", "value"), [(0, 0), (80, 80), (81, 81), (500, 100)])
    def test_has_a_bar_that_never_leaves_its_frame(self, used, value):
        meter = f'<meter aria-hidden="true" min="0" max="100" high="80" optimum="0" value="{value}"></meter>'
        assert meter in usage_shown(used * MEGABYTE, 100)

    def test_shows_what_dovecot_has_noted(self, cast, desk):
        hold(cast.mailbox, 81 * MEGABYTE)
        hold(cast.other_mailbox, 99 * MEGABYTE)
        page = desk.get(LIST).content.decode()
        assert 'high="80" optimum="0" value="81">' in page and 'value="99"' not in page
        assert 'value="81">' in desk.get(f"{LIST}{cast.mailbox.pk}/change/").content.decode()

    def test_costs_as_many_queries_for_a_hundred_as_for_one(self, cast, desk):
        desk.get(LIST)
        counts = []
        for numbers in (range(0), range(99)):
            fill(cast, numbers)
            with CaptureQueriesContext(connection) as queries:
                rows = desk.get(LIST).context["cl"].result_count
            counts.append((rows, len(queries)))
        assert counts == [(1, 8), (100, 8)]


class TestNarrowed:
    def test_to_those_that_are_nearly_full(self, cast, desk):
        hold(cast.other_mailbox, 2**60)
        assert found(desk, fuller=80) == []
        for size, full in ((80 * MEGABYTE, []), (80 * MEGABYTE + 1, [MAX]), (2**60, [MAX]), (0, [])):
            hold(cast.mailbox, size)
            assert found(desk, fuller=80) == full

    def test_to_nearly_full_counts_in_large_numbers(self, cast, desk):
        hold(cast.mailbox, 2**50)
        Mailbox.objects.filter(pk=cast.mailbox.pk).update(storage_mb=2**31 - 1)
        assert found(desk, fuller=80) == []

    def test_to_nearly_full_follows_what_a_mailbox_may_hold(self, cast, desk):
        hold(cast.mailbox, 90 * MEGABYTE)
        noted = cast.mailbox.usage.changed_at
        for allowed, full in ((1000, []), (100, [MAX])):
            Mailbox.objects.filter(pk=cast.mailbox.pk).update(storage_mb=allowed)
            assert found(desk, fuller=80) == full
        assert cast.mailbox.usage.changed_at == noted

    def test_to_the_locked_and_the_others(self, cast, desk):
        User.objects.filter(pk=make_mailbox(cast.domain, "nina").user.pk).update(locked_at=timezone.now())
        assert found(desk, locked="yes") == ["nina@musterdomain.de"]
        assert found(desk, locked="no") == [MAX]

    @pytest.mark.parametrize("state", ["created", "changed", "issued", "unchanged", "ending", "expired"])
    def test_to_a_state_of_credentials(self, cast, desk, state):
        make_mailbox(cast.domain, "nina", password=None)
        expected = {"created": ["nina@musterdomain.de"], "changed": [MAX]}.get(state, [])
        assert found(desk, credentials=state) == expected

    @promise("A-07")
    @pytest.mark.parametrize("query", ["credentials=x", "fuller=1", "fuller=x", "locked=%27", "credentials=issued%00"])
    def test_to_what_there_is_not_shows_own_rows_or_nothing(self, desk, query):
        desk.raise_request_exception = False
        answer = desk.get(f"{LIST}?{query}")
        assert answer.status_code in (200, 400) and CANARY not in answer.content.decode()

    @promise("A-07")
    @pytest.mark.parametrize("lookup", ["credentials__in=issued", "fuller__gt=1", "user__initial_password=1"])
    def test_answers_no_look_up_behind_a_filter(self, desk, lookup):
        assert desk.get(f"{LIST}?{lookup}").status_code in (302, 400)


def test_domains_can_be_searched(cast, desk):
    for name in ("xn--mller-kva.example", "b.example"):
        Domain.objects.create(tenant=cast.tenant, name=name)
    for text, names in (("mül", ["müller.example"]), ("b.ex", ["b.example"]), (CANARY, []), ("%", [])):
        page = desk.get("/desk/mailboxes/domain/", {"q": text})
        assert [str(row) for row in page.context["cl"].result_list] == names
