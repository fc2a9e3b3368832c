"""The tables of both admins' lists."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Installation, User
from accounts.pages import BoundedPaginator
from tests.cast import make_mailbox
from tests.client import body, logged_in
from tests.promises import promise

MAILBOXES = "/desk/mailboxes/mailbox/"
HOSTILE = '"><script>x</script>&amp;'


@pytest.fixture
def desk(cast):
    return logged_in(cast.dvb)


def cells(page: str) -> list[str]:
    """The first row's."""
    row = page.partition("<tbody>")[2].partition("</tr>")[0]
    return re.findall(r"<t[dh][^>]*>.*?</t[dh]>", row, re.DOTALL)


class TestARow:
    def test_says_in_each_cell_what_it_is_and_leads_from_the_first_to_its_own_page(self, desk, cast):
        box, first, name, *_ = cells(body(desk.get(MAILBOXES)).decode())
        assert box.startswith('<td class="action-checkbox"><input type="checkbox" name="_selected_action"')
        assert f'href="{MAILBOXES}{cast.mailbox.pk}/change/"' in first and str(cast.mailbox) in first
        assert name == '<td class="field-name" data-label="Name">Max Mustermann</td>'

    def test_keeps_search_and_filters_for_the_way_back(self, desk, cast):
        _, first, *_ = cells(body(desk.get(f"{MAILBOXES}?q=max&locked=no")).decode())
        kept = "_changelist_filters=q%3Dmax%26locked%3Dno"
        assert f'href="{MAILBOXES}{cast.mailbox.pk}/change/?{kept}"' in first
        change = body(desk.get(f"{MAILBOXES}{cast.mailbox.pk}/change/?{kept}")).decode()
        assert f'<a href="{MAILBOXES}?q=max&amp;locked=no">Postfächer</a>' in change

    def test_escapes_what_people_wrote(self, desk, cast):
        User.objects.filter(pk=cast.user.pk).update(name=HOSTILE)
        page = body(desk.get(MAILBOXES)).decode()
        assert "<script>x" not in page
        assert "&quot;&gt;&lt;script&gt;x&lt;/script&gt;&amp;amp;" in cells(page)[2]

    def test_shows_a_dash_where_there_is_nothing(self, desk, cast):
        AuditEvent.objects.record(AuditEvent.Deed.CHANGED, cast.mailbox, label=" ")
        page = body(desk.get("/desk/accounts/auditevent/")).decode()
        assert cells(page)[3] == '<td class="field-object_label" data-label="Gegenstand">-</td>'

    def test_is_called_by_its_name_where_the_room_names_no_column(self, cast):
        Installation.objects.create(provider_name="Musterhoster")
        page = logged_in(cast.staff).get("/staff/accounts/installation/")
        [box] = cells(body(page).decode())
        assert box.startswith('<th class="field-__str__" scope="row"><a href="/staff/accounts/installation/1/change/')


class TestTheHeadings:
    def test_are_offered_for_sorting_where_none_stand_above_the_values(self, desk):
        page = body(desk.get(f"{MAILBOXES}?o=1")).decode()
        offered = page.partition('<details class="sorting">')[2].partition("</details>")[0]
        assert re.findall(r'href="([^"]+)"( aria-current="true")?>([^<]+)<', offered) == [
            ("?o=-1", ' aria-current="true"', "E-Mailadresse"),
            ("?o=2.1", "", "Name"),
        ]

    def test_sort_by_address_in_both_directions(self, desk, cast):
        make_mailbox(cast.domain, "anton", name="Zoe", password=None)
        for order, expected in (("1", ["anton", "max"]), ("-1", ["max", "anton"]), ("2", ["max", "anton"])):
            rows = desk.get(f"{MAILBOXES}?o={order}").context["cl"].result_list
            assert [str(row).partition("@")[0].partition(".")[0] for row in rows] == expected


@pytest.mark.parametrize(("order", "asked"), [("", False), ("2", False), ("1", True), ("-1", True)])
def test_a_list_by_address_names_the_kind_with_which_the_index_begins_and_no_other_joins_addresses(desk, order, asked):
    with CaptureQueriesContext(connection) as queries:
        desk.get(MAILBOXES, {"o": order} if order else {})
    [keys] = [each["sql"] for each in queries if each["sql"].startswith('SELECT "mailboxes_mailbox"."id" AS "pk"')]
    assert ('"mailboxes_address"."kind" = \'mailbox\'' in keys) is asked
    assert ('JOIN "mailboxes_address"' in keys) is asked


class TestPages:
    def test_are_not_read_for_a_deed_or_an_export(self, desk, cast, monkeypatch):
        def page(self, number):
            raise AssertionError(number)

        monkeypatch.setattr(BoundedPaginator, "page", page)
        table = body(desk.post(f"{MAILBOXES}export/")).decode()
        assert str(cast.mailbox) in table
        desk.post(MAILBOXES, {"action": "lock_selected", "_selected_action": cast.mailbox.pk})
        assert User.objects.get(pk=cast.user.pk).is_locked

    def test_leave_out_what_went_after_it_was_counted(self, cast):
        events = [AuditEvent.objects.record(AuditEvent.Deed.CHANGED, cast.mailbox) for _ in range(3)]
        pages = BoundedPaginator(AuditEvent.objects.filter(pk__in=[event.pk for event in events]), 2)
        assert pages.count == 3
        pages.rows = AuditEvent.objects.exclude(pk=events[2].pk)
        assert pages.page(1).object_list == [events[1]] and pages.page(2).object_list == [events[0]]

    def test_ask_once_for_all_keys_and_once_for_the_rows(self, cast, django_assert_num_queries):
        pages = BoundedPaginator(User.objects.order_by("pk"), 2)
        with django_assert_num_queries(2):
            assert pages.count and pages.num_pages > 1 and not pages.more and len(pages.page(2)) == 2

    @promise("A-01")
    def test_read_no_row_by_a_key_that_the_walls_hide(self, cast):
        pages = BoundedPaginator(User.objects.filter(pk__in=[cast.user.pk, cast.other_user.pk]).order_by("pk"), 2)
        pages.rows = User.objects.visible_to(cast.dvb)
        assert pages.page(1).object_list == [cast.user]
