"""The desk's lists as tables for spreadsheets: no hash, no secret, and on record who took how much with them."""

from collections.abc import Iterable, Iterator

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.shortcuts import redirect
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from .models import AuditEvent
from .spreadsheets import spreadsheet

AT_ONCE = 2000


class Counted:
    """Rows on their way into a file, counted as they pass."""

    def __init__(self, rows: Iterable):
        self.rows, self.number = rows, 0

    def __iter__(self) -> Iterator:
        for row in self.rows:
            self.number += 1
            yield row


class Exported:
    """Mixin for a room whose list, narrowed as it is shown, can be had as a table.

    `export_name` names the table, `exported` its columns: a heading, and what a row says there.
    """

    export_name: str

    change_list_template = "admin/exported_change_list.html"

    def exported(self) -> dict:
        raise NotImplementedError

    def for_export(self, rows: QuerySet) -> QuerySet:
        return rows

    def get_urls(self):
        return [path("export/", self.room(self.export_view), name=self.url_name("export")), *super().get_urls()]

    def changelist_view(self, request, extra_context=None):
        return super().changelist_view(request, {"export_url": self.url("export")} | (extra_context or {}))

    @method_decorator(require_POST)
    def export_view(self, request):
        """What the list of the same look-ups shows, on all its pages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            shown = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect(self.url("changelist"))
        columns = self.exported()
        rows = Counted(self.for_export(shown).iterator(AT_ONCE))
        cells = ([cell(row) for cell in columns.values()] for row in rows)
        response = spreadsheet(f"{self.export_name}.csv", columns, cells)
        about, name = self.model(tenant=request.user.tenant), _("%s as CSV file") % self.export_name
        AuditEvent.objects.record(
            AuditEvent.Deed.CREATED, about, by=request.user, label=name, new={"rows": rows.number}
        )
        return response
