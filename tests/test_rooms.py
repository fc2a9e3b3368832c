"""What the rooms of both admin sites have in common for whoever looks: the way there, and what an empty list says."""

import re

import pytest
from django.utils.functional import Promise
from django.utils.html import strip_tags

from accounts.admin import ScopedAdmin
from kscsite.sites import desk, staff
from tests.client import logged_in
from tests.marks import thorough

MAILBOXES = "/desk/mailboxes/mailbox/"
EMPTY = re.compile(r'<p class="nothing">(.*?)</p>', re.DOTALL)
WAY = re.compile(r'<div class="breadcrumbs">(.*?)</div>', re.DOTALL)


def said(page, pattern):
    [found] = pattern.findall(page.content.decode())
    return " ".join(strip_tags(found).split())


class TestAnEmptyList:
    @thorough
    @pytest.mark.parametrize(("site", "viewer"), [(desk, "dvb"), (staff, "staff")])
    def test_says_what_would_be_in_it_and_counts_nothing(self, cast, monkeypatch, site, viewer):
        client, shown = logged_in(getattr(cast, viewer)), ScopedAdmin.get_queryset
        for room in site._registry.values():
            monkeypatch.setattr(ScopedAdmin, "get_queryset", lambda self, request: shown(self, request).none())
            page = client.get(room.url("changelist"))
            monkeypatch.undo()
            if page.status_code == 200:
                assert room.nothing_yet and said(page, EMPTY) == str(room.nothing_yet)
                assert 'class="paginator"' not in page.content.decode()

    def test_says_so_where_the_search_found_nothing_and_leads_back(self, cast):
        page = logged_in(cast.dvb).get(MAILBOXES, {"q": "gibtesnicht"})
        assert said(page, EMPTY) == "Nichts davon passt zu Suche und Filtern. Alle anzeigen"
        assert '<a href="?">' in page.content.decode()


class TestTheWay:
    @pytest.mark.parametrize(
        ("page", "way"),
        [
            ("", "Start › Postfächer"),
            ("add/", "Start › Postfächer › Postfach hinzufügen"),
            ("{}/change/", "Start › Postfächer › max.mustermann@musterdomain.de"),
            ("{}/history/", "Start › Postfächer › max.mustermann@musterdomain.de › Verlauf"),
            ("{}/rename/", "Start › Postfächer › Adresse von max.mustermann@musterdomain.de ändern"),
        ],
    )
    def test_to_a_page_names_each_step_once(self, cast, page, way):
        assert said(logged_in(cast.dvb).get(MAILBOXES + page.format(cast.mailbox.pk)), WAY) == way

    def test_to_a_deletion_leads_back_to_the_object(self, cast):
        page = logged_in(cast.dvb).get(f"/desk/mailboxes/alias/{cast.alias.pk}/delete/")
        assert said(page, WAY) == f"Start › Alias-Adressen › {cast.alias} › Löschen"


@pytest.mark.parametrize("site", [desk, staff])
def test_each_column_has_a_heading_that_somebody_wrote(site):
    """None that Django made from a field's or method's English name."""
    for room in site._registry.values():
        fields = {field.name: field.verbose_name for field in room.opts.fields}
        for column in room.list_display:
            heading = fields.get(column) or getattr(getattr(room, column, None), "short_description", "")
            assert column == "__str__" or isinstance(heading, Promise), (room, column)


def test_a_filter_is_headed_by_what_it_looks_at(cast):
    page = logged_in(cast.dvb).get(MAILBOXES).content.decode()
    headings = [" ".join(each.split()) for each in re.findall(r"<summary>(.*?)</summary>", page, re.DOTALL)]
    assert "Zweiter Faktor" in headings and "Speicherplatz" in headings


def test_the_search_of_a_list_has_a_name_in_the_readers_language(cast):
    page = logged_in(cast.dvb).get(MAILBOXES).content.decode()
    assert 'aria-label="Diese Liste durchsuchen"' in page and 'alt="Search"' not in page
