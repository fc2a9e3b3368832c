"""Forwards on the desk: the list, what waits for approval, and what leaves the house."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEvent, OutboxMessage, Tenant
from mailboxes.models import Domain, Forward, Mailbox
from tests.cast import CANARY, make_function, make_mailbox
from tests.client import body, logged_in
from tests.mailboxes.test_forwards import OUTSIDE, agreed, in_force, opened, state, told
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough
LIST, ADD, REPORT = "/desk/mailboxes/forward/", "/desk/mailboxes/forward/add/", "/desk/mailboxes/outsideforward/"
MAX = "max.mustermann@musterdomain.de"


def seen_by(person):
    return logged_in(person, headers={"accept-language": "en"})


@pytest.fixture
def desk(cast):
    return seen_by(cast.dvb)


@pytest.fixture
def erika(cast):
    return make_mailbox(cast.domain, "erika", name="Erika")


@pytest.fixture
def asked(cast):
    """In each tenant one that waits for approval."""
    opened(cast.other_mailbox, f"{CANARY}@elsewhere.example")
    return opened(cast.mailbox, OUTSIDE)


def page(forward, deed="change"):
    return f"{LIST}{forward.pk}/{deed}/"


def table(response) -> str:
    return response.content.decode("utf-8-sig") if not response.streaming else body(response).decode("utf-8-sig")


class TestTheList:
    def test_shows_those_of_all_mailboxes_of_the_tenant_with_their_states(self, desk, cast, erika, asked):
        opened(erika, cast.mailbox)
        shown = desk.get(LIST).content.decode()
        assert CANARY not in shown and all(word in shown for word in (OUTSIDE, MAX, "waits for approval", "active"))

    @pytest.mark.parametrize(
        ("narrowed", "expected"),
        [
            ("?state=unapproved", [OUTSIDE]),
            ("?state=active", [MAX]),
            ("?state=off", []),
            ("?outside=yes", [OUTSIDE]),
            ("?outside=no", [MAX]),
            ("?q=privat", [OUTSIDE]),
            ("?q=erika", [MAX]),
            ("?q=erika+privat", []),
            ("?state=nonsense", [MAX, OUTSIDE]),
        ],
    )
    def test_is_narrowed_and_searched(self, desk, cast, erika, asked, narrowed, expected):
        opened(erika, cast.mailbox)
        rows = desk.get(LIST + narrowed).context["cl"].result_list
        assert sorted(row.target for row in rows) == expected

    def test_costs_the_same_at_any_length(self, desk, cast, erika):
        opened(cast.mailbox, erika)
        counts = []
        for number in range(3):
            desk.get(LIST)
            with CaptureQueriesContext(connection) as queries:
                desk.get(LIST)
            counts.append(len(queries))
            opened(erika, make_mailbox(cast.domain, f"colleague{number}"))
        assert len(set(counts)) == 1

    def test_is_found_by_the_desks_search(self, desk, asked):
        shown = desk.get("/desk/suche/?q=privat").content.decode()
        assert page(asked) in shown and f"← {MAX}" in shown
        assert CANARY not in desk.get("/desk/suche/?q=elsewhere").content.decode()


class TestForSomebody:
    def test_one_is_added_and_they_are_told_who_did_it(self, desk, cast, erika):
        new = {"mailbox_address": MAX, "target": str(erika), "keeps_copy": "on", "valid_until": "2099-01-01"}
        assert desk.post(ADD, new).url == LIST
        assert in_force(cast.mailbox) == [str(erika)]
        event = AuditEvent.objects.first()
        assert (event.actor, event.new["last_day"]) == (cast.dvb, "2099-01-01")
        [text] = told()
        assert str(cast.dvb) in text

    def test_one_out_of_the_house_counts_as_approved_but_is_confirmed_there(self, desk, cast):
        assert desk.post(ADD, {"mailbox_address": MAX, "target": OUTSIDE}).status_code == 302
        forward = Forward.objects.with_state().get()
        assert (forward.state, forward.approved_by) == ("unconfirmed", cast.dvb)
        assert OutboxMessage.objects.filter(kind="forward_link").count() == 1
        assert not Mailbox.objects.get(pk=cast.mailbox.pk).keeps_copy

    def test_a_mailbox_for_a_purpose_can_have_one(self, desk, cast, erika):
        function = make_function(cast.domain, "kasse", responsible=cast.user)
        assert desk.post(ADD, {"mailbox_address": str(function), "target": str(erika), "keeps_copy": "on"}).url == LIST
        assert in_force(function) == [str(erika)]

    @promise("A-01")
    @pytest.mark.parametrize(
        "mailbox", [f"max.mustermann@{CANARY}.example", "niemand@musterdomain.de", "info@musterdomain.de"]
    )
    def test_it_is_of_ones_own_mailboxes_alone(self, desk, cast, mailbox):
        assert desk.post(ADD, {"mailbox_address": mailbox, "target": OUTSIDE}).status_code == 200
        assert not Forward.objects.exists()

    @promise("A-43")
    def test_what_is_another_tenants_is_out_of_the_house(self, desk, cast):
        desk.post(ADD, {"mailbox_address": MAX, "target": str(cast.other_mailbox)})
        assert Forward.objects.with_state().get().is_outside

    def test_one_is_changed_and_ended(self, desk, cast, erika):
        forward = opened(cast.mailbox, erika)
        assert desk.get(page(forward)).status_code == 200
        assert desk.post(page(forward), {"valid_until": "2099-01-01"}).url == LIST
        forward.refresh_from_db()
        assert (forward.is_on, str(forward.valid_until), state(forward)) == (False, "2099-01-01", "off")
        assert not Mailbox.objects.get(pk=cast.mailbox.pk).keeps_copy
        assert desk.post(page(forward, "delete"), {"post": "yes"}).url == LIST
        assert not Forward.objects.exists()
        assert AuditEvent.objects.first().actor == cast.dvb
        assert all(str(cast.dvb) in text for text in told()[1:])

    @promise("A-31")
    def test_it_needs_a_fresh_login(self, desk, cast, asked):
        session = desk.session
        session["proved"] = 0
        session.save()
        for where in (ADD, page(asked), page(asked, "delete"), page(asked, "decide")):
            assert desk.post(where, {"decision": "approve", "post": "yes"}).url.startswith("/anmelden/bestaetigen/")
        assert state(asked) == "unapproved"


class TestApproval:
    def test_is_work_on_the_start_page_until_it_is_given(self, desk, cast, asked):
        url = f"{LIST}?state=unapproved"
        tasks = {task.url: task.number for task in desk.get("/desk/").context["tasks"]}
        assert tasks[url] == 1
        assert "Approve or refuse" in desk.get(page(asked)).content.decode()
        assert OUTSIDE in desk.get(page(asked, "decide")).content.decode()
        assert desk.post(page(asked, "decide"), {"decision": "approve"}).url == LIST
        assert state(asked) == "unconfirmed"
        assert url not in {task.url for task in desk.get("/desk/").context["tasks"]}
        assert desk.post(page(asked, "decide"), {"decision": "refuse"}).status_code == 302
        assert Forward.objects.filter(pk=asked.pk).exists()

    def test_that_is_refused_ends_it_and_the_owner_is_told(self, desk, cast, asked):
        desk.post(page(asked, "decide"), {"decision": "refuse"})
        assert not Forward.objects.filter(pk=asked.pk).exists()
        assert AuditEvent.objects.first().new == {"outcome": "refused"}
        assert any(OUTSIDE in text and str(cast.dvb) in text for text in told())

    @pytest.mark.parametrize("answer", [{}, {"decision": ""}, {"decision": "confirm"}, {"decision": "\0approve"}])
    def test_is_neither_given_nor_refused_by_anything_but_the_two_buttons(self, desk, asked, answer):
        assert desk.post(page(asked, "decide"), answer).status_code == 422
        assert state(asked) == "unapproved"

    def test_is_given_by_the_dvb_alone(self, cast, asked):
        assert seen_by(cast.dsb).post(page(asked, "decide"), {"decision": "approve"}).status_code == 403
        assert seen_by(cast.user).post(page(asked, "decide"), {"decision": "approve"}).status_code == 403
        assert seen_by(cast.other_dvb).post(page(asked, "decide"), {"decision": "approve"}).status_code == 404
        assert state(asked) == "unapproved"

    def test_mails_the_link_again(self, desk, asked, cast):
        asked.approve(by=cast.dvb)
        for _try in range(4):
            desk.post(page(asked, "link"))
        assert OutboxMessage.objects.filter(kind="forward_link").count() == 3

    def test_is_no_work_where_the_tenant_does_not_want_it(self, desk, asked):
        Tenant.objects.update(forwards_outside="warning")
        assert not [task for task in desk.get("/desk/").context["tasks"] if "forward" in task.url]


class TestTheRule:
    @promise("A-51")
    def test_is_set_on_the_desk_and_put_on_record(self, desk, cast, asked):
        url = f"/desk/accounts/policy/{cast.tenant.pk}/change/"
        data = {"second_factor": "free", "factor_removal_hours": 0, "forwards_outside": "forbidden"}
        assert desk.post(url, data).status_code == 302
        assert state(asked) == "forbidden"
        assert AuditEvent.objects.first().new == {"forwards_outside": "forbidden"}
        with pytest.raises(ValidationError):
            asked.switch(False, by=cast.user)
            asked.switch(True, by=cast.user)

    def test_and_the_limit_are_staffs_too(self, cast):
        shown = seen_by(cast.staff).get(f"/staff/accounts/tenant/{cast.tenant.pk}/change/").content.decode()
        assert 'name="max_forwards"' in shown and 'name="forwards_outside"' in shown


class TestWhatLeavesTheHouse:
    @promise("A-51")
    def test_is_shown_to_dvb_and_dsb_and_changed_by_nobody(self, cast, erika, asked):
        agreed(erika, "fern@example.net")
        opened(erika, cast.mailbox)
        for person in (cast.dvb, cast.dsb):
            client = seen_by(person)
            rows = client.get(REPORT).context["cl"].result_list
            assert [row.target for row in rows] == ["fern@example.net", OUTSIDE]
            assert CANARY not in client.get(REPORT).content.decode()
            assert client.get(f"{REPORT}{asked.pk}/change/").status_code == 200
            assert client.post(f"{REPORT}{asked.pk}/change/", {"target": "x@example.net"}).status_code == 403
            assert client.post(f"{REPORT}{asked.pk}/delete/", {"post": "yes"}).status_code == 403
        assert seen_by(cast.user).get(REPORT).status_code == 403

    def test_leads_whoever_may_decide_to_what_waits(self, cast, erika, asked):
        old = agreed(erika, "fern@example.net")
        for person, waiting, leads in ((cast.dvb, asked, True), (cast.dvb, old, False), (cast.dsb, asked, False)):
            shown = seen_by(person).get(f"{REPORT}{waiting.pk}/change/").content.decode()
            assert (f'href="{page(waiting, "decide")}"' in shown) == leads
        shown = seen_by(cast.staff).get(f"/staff/mailboxes/outsideforward/{asked.pk}/change/").content.decode()
        assert "/decide/" not in shown and cast.tenant.name in shown

    def test_is_counted_on_the_desks_first_page(self, cast, erika, desk, asked):
        agreed(erika, "fern@example.net")
        agreed(cast.other_mailbox, "fern@example.net")
        assert [task.number for task in desk.get("/desk/").context["tasks"] if task.url == REPORT] == [1]

    def test_is_taken_along_as_a_table_which_is_put_on_record(self, cast, erika, asked):
        Forward.objects.create(
            tenant=cast.tenant, mailbox=erika, target="=cmd@example.net", confirmed_at=timezone.now()
        )
        answer = seen_by(cast.dsb).post(f"{REPORT}export/")
        lines = table(answer).splitlines()
        assert len(lines) == 3 and CANARY not in table(answer)
        assert not any(cell.startswith("=") for line in lines for cell in line.replace('"', "").split(";"))
        event = AuditEvent.objects.first()
        assert (event.actor, event.new) == (cast.dsb, {"rows": 2})

    @promise("A-51")
    def test_is_shown_to_staff_of_all_customers(self, cast, asked):
        rows = seen_by(cast.staff).get("/staff/mailboxes/outsideforward/").context["cl"].result_list
        assert {row.target for row in rows} == {OUTSIDE, f"{CANARY}@elsewhere.example"}
        assert len(table(seen_by(cast.staff).post("/staff/mailboxes/outsideforward/export/")).splitlines()) == 3

    @pytest.mark.parametrize("words", ["max.muster", "MUSTERMANN", "max privat"])
    @pytest.mark.parametrize("path", ["/staff/mailboxes/outsideforward/", REPORT])
    def test_is_found_by_whose_mail_it_is_too(self, cast, asked, path, words):
        Forward.objects.update(target=OUTSIDE)
        who, customers = cast.dsb, {cast.tenant}
        if path.startswith("/staff/"):
            who, customers = cast.staff, {cast.tenant, cast.other_tenant}
        rows = seen_by(who).get(path, {"q": words}).context["cl"].result_list
        assert {row.tenant for row in rows} == customers

    def test_does_not_hold_what_goes_to_a_domain_of_ones_own(self, cast, asked):
        Domain.objects.open_domain(tenant=cast.tenant, name="privat.example.org", by=None)
        assert list(seen_by(cast.dsb).get(REPORT).context["cl"].result_list) == []
