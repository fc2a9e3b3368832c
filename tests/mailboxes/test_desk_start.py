"""The desk's start page: what needs doing, and the figures of the contract."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import CredentialState, RecoveryRequest, Tenant, User
from mailboxes.models import Mailbox
from mailboxes.models.mailboxes import MEGABYTE
from tests.cast import CANARY, add_app, make_mailbox
from tests.client import Client
from tests.mailboxes.test_desk_lists import fill
from tests.mailboxes.usage import hold
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

START = "/desk/"
LIST = "/desk/mailboxes/mailbox/"
REQUESTS = "/desk/accounts/recoveryrequest/?outcome__exact=open"


@pytest.fixture
def desk(cast, client):
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def usual(cast):
    """The mailbox of each tenant's user is nearly full, and both ask for new credentials."""
    for mailbox in (cast.mailbox, cast.other_mailbox):
        hold(mailbox, 81 * MEGABYTE)
        RecoveryRequest.objects.create(user=mailbox.user, tenant=mailbox.tenant)


def given_out(domain, local_part, *, days, **fields):
    """A mailbox whose initial password ends in so many days."""
    person = make_mailbox(domain, local_part, password=None).user
    now = timezone.now()
    fields = {"initial_password": True, "initial_issued_at": now, "initial_issues": 1} | fields
    User.objects.filter(pk=person.pk).update(initial_expires_at=now + timedelta(days=days), **fields)
    return person


@pytest.fixture
def people(usual, cast):
    """Of each state some, in both tenants, and everybody once more who is locked."""
    for domain in (cast.domain, cast.other_domain):
        for at in ("", "locked."):
            make_mailbox(domain, f"{at}created", password=None)
            given_out(domain, f"{at}fresh", days=10)
            given_out(domain, f"{at}again", days=10, initial_issues=2)
            given_out(domain, f"{at}looked", days=2, initial_used_at=timezone.now())
            given_out(domain, f"{at}over", days=-1)
    User.objects.filter(address__startswith="locked.").update(locked_at=timezone.now())


def tasks(client):
    return {task.url.partition("/desk/")[2]: task.number for task in client.get(START).context["tasks"]}


def charts(client):
    """The texts of each chart's bars."""
    return {chart.title: [bar.text for bar in chart.bars] for chart in client.get(START).context["charts"]}


class TestWhatNeedsDoing:
    def test_is_counted_without_the_locked_and_the_most_pressing_comes_first(self, desk, people):
        assert list(tasks(desk).items()) == [
            ("accounts/recoveryrequest/?outcome__exact=open", 1),
            ("mailboxes/mailbox/?credentials=expired&locked=no", 1),
            ("mailboxes/mailbox/?fuller=80", 1),
            ("mailboxes/mailbox/?credentials=ending&locked=no", 1),
            ("mailboxes/mailbox/?credentials=created&locked=no", 1),
            ("mailboxes/mailbox/?credentials=unchanged&locked=no", 3),
        ]

    def test_leads_to_lists_that_show_as_many(self, desk, people, cast):
        Tenant.objects.filter(pk=cast.tenant.pk).update(second_factor="required")
        found = desk.get(START).context["tasks"]
        assert len(found) == 7
        for task in found:
            page = desk.get(task.url)
            assert page.context["cl"].result_count == task.number, task.url
            assert CANARY not in page.content.decode()

    def test_is_said_with_number_word_and_advice(self, desk, usual):
        page = desk.get(START).content.decode()
        [first, _second] = re.findall(r"<li>\s*<a href=\"([^\"]+)\"><b>(\d+)</b> ([^<]+)</a>\s*<p>([^<]+)</p>", page)
        assert first[:2] == (REQUESTS, "1") and len(first[2]) > 10 and len(first[3]) > 20

    def test_that_is_nothing_is_said_too(self, desk):
        assert tasks(desk) == {}
        assert 'class="all-done"' in desk.get(START).content.decode()

    def test_without_a_mailbox_is_to_open_the_first(self, desk, cast):
        cast.alias.delete()
        cast.mailbox.delete()
        page = desk.get(START).content.decode()
        assert f'href="{LIST}add/">' in page.partition("</section>")[0]
        assert desk.get(START).context["charts"][3].bars[0].text.startswith("0 ")


class TestSecondFactors:
    """A fact where each person is free to have one, work where it will soon be needed."""

    TASK = "mailboxes/mailbox/?factor=no&locked=no"

    @pytest.mark.parametrize(
        ("policy", "in_days", "work"),
        [
            ("free", None, False),
            ("free", 3, False),
            ("from_date", 31, False),
            ("from_date", 30, True),
            ("from_date", 0, True),
            ("from_date", -5, True),
            ("required", None, True),
        ],
    )
    def test_are_work_from_thirty_days_before(self, desk, cast, policy, in_days, work):
        day = None if in_days is None else timezone.localdate() + timedelta(days=in_days)
        Tenant.objects.filter(pk=cast.tenant.pk).update(second_factor=policy, second_factor_from=day)
        assert (self.TASK in tasks(desk)) is work

    def test_of_everybody_leave_no_work(self, desk, cast):
        Tenant.objects.filter(pk=cast.tenant.pk).update(second_factor="required")
        add_app(cast.user)
        assert self.TASK not in tasks(desk)

    def test_are_drawn_with_and_without(self, desk, cast):
        make_mailbox(cast.domain, "nina")
        add_app(cast.user)
        [_with, _without] = desk.get(START).context["charts"][1].bars
        assert [(bar.text, bar.length, bar.url) for bar in (_with, _without)] == [
            ("1", 500, f"{LIST}?factor=yes"),
            ("1", 500, f"{LIST}?factor=no"),
        ]


class TestTheCharts:
    def test_count_one_tenant_alone(self, desk, people):
        states, factors, storage, contract = desk.get(START).context["charts"]
        numbers = {bar.url.partition("=")[2]: bar.text for bar in states.bars}
        assert numbers == {
            CredentialState.CREATED: "2",
            CredentialState.ISSUED: "2",
            CredentialState.REISSUED: "2",
            CredentialState.LOGGED_IN: "2",
            CredentialState.CHANGED: "1",
            CredentialState.EXPIRED: "2",
        }
        assert [bar.text for bar in factors.bars] == ["0", "11"]
        assert [bar.text.split()[0] for bar in storage.bars] == ["0,1", "1,1"]
        assert [re.findall(r"\d+", bar.text) for bar in contract.bars] == [["11", "50"], ["1", "200"], ["1", "5"]]

    def test_lead_to_lists_that_show_as_many(self, desk, people):
        for bar in (bar for chart in desk.get(START).context["charts"] for bar in chart.bars if bar.url):
            assert desk.get(bar.url).context["cl"].result_count == int(bar.text.split()[0]), bar.url

    def test_are_drawn_by_the_server_and_read_as_tables(self, desk, usual):
        page = desk.get(START).content.decode().partition('id="charts-title"')[2].partition("</section>")[0]
        assert (page.count("<caption>"), page.count("<svg"), page.count('scope="row"')) == (4, 13, 13)
        assert page.count("<svg") == page.count('class="bar" aria-hidden="true"')
        widths = re.findall(r'class="bar-part [a-z]*" width="([^"]*)"', page)
        assert len(widths) == 13 and all(width.isdecimal() and int(width) <= 1000 for width in widths)
        assert not re.search(r"\sstyle=|<script|<style", page)

    def test_show_a_contract_that_is_used_up(self, desk, cast):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_mailboxes=0, max_aliases=1, max_storage_mb=0)
        *_others, storage, contract = desk.get(START).context["charts"]
        assert [bar.length for bar in storage.bars] == [0, 1000]
        assert [(bar.length, bar.tone) for bar in contract.bars] == [(1000, "bad"), (1000, "bad"), (200, "")]


class TestWhoSeesWhat:
    def test_a_dsb_sees_requests_alone(self, cast, people):
        dsb = Client()
        dsb.force_login(cast.dsb)
        assert tasks(dsb) == {"accounts/recoveryrequest/?outcome__exact=open": 1}
        page = dsb.get(START)
        assert "charts" not in page.context and '<svg viewBox="0 0 1000' not in page.content.decode()
        assert dsb.get(REQUESTS).status_code == 200

    @promise("A-06")
    def test_nobody_sees_another_tenants_numbers(self, cast, people):
        other = Client()
        other.force_login(cast.other_dvb)
        before = (tasks(other), charts(other))
        Mailbox.objects.filter(tenant=cast.tenant).update(storage_mb=1)
        RecoveryRequest.objects.filter(tenant=cast.tenant).delete()
        mine = User.objects.filter(tenant=cast.tenant, role="user")
        mine.update(initial_password=True, initial_expires_at=None, mail_password_enabled=False)
        assert (tasks(other), charts(other)) == before

    def test_staff_have_a_start_page_of_their_own(self, cast):
        staff = Client()
        staff.force_login(cast.staff)
        assert "tasks" not in staff.get("/staff/").context


def test_the_page_costs_the_same_queries_at_ten_and_at_a_thousand(desk, cast):
    desk.get(START)
    counts = []
    for numbers in (range(9), range(9, 999)):
        fill(cast, numbers)
        with CaptureQueriesContext(connection) as queries:
            page = desk.get(START)
        counts.append((page.context["tasks"][0].number, len(queries)))
    assert counts == [(9, 10), (999, 10)]
