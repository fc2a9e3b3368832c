"""The tables of both admins' lists, fifty rows a page, without asking anew at each cell what its column is."""

from collections.abc import Callable, Iterator
from operator import attrgetter, methodcaller
from typing import Any, NamedTuple

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.templatetags.admin_list import result_headers
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import display_for_field, display_for_value
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.core.paginator import InvalidPage
from django.db.models import Field, ForeignKey, Model
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

BOX = "action_checkbox"
# Stands for a row's key.
KEY = "-key-"
START_OF_BOX = SafeString('<td class="action-checkbox">')
START_OF_ROW, END_OF_ROW = SafeString("<tr>"), SafeString("</tr>\n")
END, END_OF_HEAD, END_OF_LINK = SafeString("</td>"), SafeString("</th>"), SafeString("</a>")


class Column(NamedTuple):
    """What stands around a row's value, where that is had from, and whether it leads to the row's own page."""

    before: SafeString
    after: SafeString
    value: Callable[[Model], Any]
    leads: bool = False


class PagedChangeList(ChangeList):
    """An admin's list without a count of all there is, and its table."""

    full_result_count, show_full_result_count, can_show_all, show_admin_actions = None, False, False, True

    def get_queryset(self, request, exclude_parameters=None):
        return self.model_admin.in_order(super().get_queryset(request, exclude_parameters))

    def get_results(self, request):
        """How many there are, and whether there is such a page; a deed or an export has no use for its rows."""
        pages = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.paginator, self.result_count, self.multi_page = pages, pages.count, pages.num_pages > 1
        try:
            self.shown_page = pages.validate_number(self.page_num if self.multi_page else 1)
        except InvalidPage as error:
            raise IncorrectLookupParameters from error

    @cached_property
    def result_list(self) -> list[Model]:
        """The page's rows by their keys: the filters have chosen these already."""
        every = self.root_queryset
        self.paginator.rows = every if every.query.select_related else self.apply_select_related(every)
        return self.paginator.page(self.shown_page).object_list

    @cached_property
    def headers(self) -> list[dict]:
        return list(result_headers(self))

    @property
    def sortable(self) -> list[dict]:
        return [header for header in self.headers if header["sortable"]]

    @cached_property
    def columns(self) -> list[Column]:
        names = map(str, self.list_display)
        return [self.column(name, header["text"]) for name, header in zip(names, self.headers, strict=True)]

    def column(self, name: str, heading: str) -> Column:
        """Each value says what it is: on a phone no heading stands above it."""
        value = self.value_of(name)
        if name == BOX:
            return Column(START_OF_BOX, END, value)
        if name in self.list_display_links:
            return Column(format_html('<th class="field-{}" scope="row">', name), END_OF_HEAD, value, leads=True)
        return Column(format_html('<td class="field-{}" data-label="{}">', name, capfirst(heading)), END, value)

    def value_of(self, name: str) -> Callable[[Model], Any]:
        """A field as Django's admin shows it, else a method of the room or of the row, in this order."""
        try:
            field = self.lookup_opts.get_field(name)
        except FieldDoesNotExist:
            # Each room has one of its own, for its own name.
            here = None if name == "__str__" else getattr(self.model_admin, name, None)
            return here or methodcaller(name)
        if not isinstance(field, Field) or isinstance(field, ForeignKey):
            return attrgetter(name)
        return lambda row: display_for_field(getattr(row, name), field, self.empty)

    @property
    def empty(self) -> str:
        return self.model_admin.get_empty_value_display()

    def shown(self, column: Column, row: Model) -> SafeString:
        """As Django's admin shows it where it is no text."""
        try:
            value = column.value(row)
        except ObjectDoesNotExist:
            value = None
        if not isinstance(value, str):
            value = display_for_value(value, self.empty)
        return conditional_escape(value if value.strip() else self.empty)

    @cached_property
    def address(self) -> tuple[SafeString, SafeString]:
        """What stands before and after the key in the addresses of the rows' own pages."""
        room = f"{self.model_admin.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}"
        kept: dict[str, Any] = {"preserved_filters": self.preserved_filters, "opts": self.opts}
        before, _, after = add_preserved_filters(kept, reverse(f"{room}_change", args=[KEY])).partition(KEY)
        return format_html('<a href="{}', before), format_html('{}">', after)

    @property
    def lines(self) -> Iterator[SafeString]:
        """The table's rows."""
        before_key, after_key = self.address
        for row in self.result_list:
            link = before_key + conditional_escape(row.pk) + after_key
            line = START_OF_ROW
            for column in self.columns:
                text = self.shown(column, row)
                line += column.before + (link + text + END_OF_LINK if column.leads else text) + column.after
            yield line + END_OF_ROW
