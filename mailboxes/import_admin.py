"""Imports on the desk: a file is uploaded and looked through, somebody decides, and the page follows the worker."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.admin import ScopedAdmin
from accounts.models import User
from accounts.spreadsheets import spreadsheet

from .csvfiles import MOST_BYTES, read_table
from .forms import ViewerForm
from .imports import judged
from .models import Import
from .wishes import LABELS, Fault

DVB = User.Role.DVB
ROWS_SHOWN = 50
# Nobody's domain here: whoever forgets to remove the row is told so.
EXAMPLE = ("max.mustermann@musterdomain.de", "Max Mustermann", "de", 2048, "max info@musterdomain.de")


class UploadForm(ViewerForm):
    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("At most 5 MB. Nothing is imported yet: first you see what is in the file."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
        error_messages={"empty": _("The file is empty.")},
    )

    class Meta:
        model = Import
        fields = ()

    def perform(self, file):
        table = read_table(file.read(MOST_BYTES + 1))
        self.unread = table.unread
        tenant = self.viewer.tenant
        name = "".join(sign for sign in file.name if sign.isprintable())[:120] or "CSV"
        return Import.objects.open_import(tenant=tenant, name=name, rows=judged(table.lines, tenant), by=self.viewer)


class StartForm(forms.Form):
    choice = forms.ChoiceField(
        label=_("What about faulty rows?"),
        choices=[
            (Import.Choice.ALL, _("All or nothing: import only if every row can be imported")),
            (Import.Choice.VALID, _("Leave out faulty rows and import the others")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Please choose one of the two.")},
    )


class ImportDesk(ScopedAdmin):
    viewers = adders = removers = (DVB,)
    nothing_yet = _(
        "Nothing is being imported. A CSV file makes many mailboxes at once: you upload it here and see what is in it "
        "before anything happens."
    )
    list_display = ("name", "uploaded_at", "state", "made")
    add_form_template = "admin/import_add_form.html"
    fields = ("file",)

    @admin.display(description=_("imported"), ordering="rows_made")
    def made(self, obj):
        return obj.rows_made

    def get_urls(self):
        own = [
            path("template/", self.room(self.template_view), name=self.url_name("template")),
            path("<int:pk>/start/", self.room(self.start_view), name=self.url_name("start")),
            path("<int:pk>/progress/", self.room(self.progress_view), name=self.url_name("progress")),
            path("<int:pk>/faults/", self.room(self.faults_view), name=self.url_name("faults")),
        ]
        return own + super().get_urls()

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and (obj is None or obj.is_waiting)

    def get_deleted_objects(self, objs, request):
        """Without the rows, which go too and may be thousands."""
        return [str(obj) for obj in objs], {}, set(), []

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, form=UploadForm, **kwargs)
        form.viewer = request.user
        return form

    def add_view(self, request, form_url="", extra_context=None):
        return super().add_view(
            request, form_url, {"title": _("Import mailboxes from a CSV file")} | (extra_context or {})
        )

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""
        if form.unread:
            text = gettext("These columns mean nothing here and are not read: %s") % ", ".join(form.unread)[:500]
            self.message_user(request, text, messages.WARNING)

    def delete_model(self, request, obj):
        obj.remove(by=request.user)

    def response_add(self, request, obj, post_url_continue=None):
        return redirect(self.url("change", obj.pk))

    def change_view(self, request, object_id, form_url="", extra_context=None):
        obj = self.get_object(request, object_id)
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return self.page(request, obj, StartForm())

    def page(self, request, obj, form, status=200):
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": obj,
            "opts": self.opts,
            "batch": obj,
            "form": form,
            "page": named_rows(obj, request.GET.get("p")),
        }
        return TemplateResponse(request, "mailboxes/desk/import.html", context, status=status)

    @method_decorator(require_POST)
    def start_view(self, request, pk):
        batch, form = self.shown_object(request, pk), StartForm(request.POST)
        if form.is_valid():
            try:
                batch.start(form.cleaned_data["choice"], by=request.user)
            except ValidationError as error:
                form.add_error(None, error)
        return self.page(request, batch, form, status=422) if form.errors else redirect(self.url("change", pk))

    @method_decorator(require_safe)
    def progress_view(self, request, pk):
        """The part of the page that changes while the worker works."""
        batch = self.shown_object(request, pk)
        return render(request, "mailboxes/desk/import_progress.html", {"batch": batch})

    @method_decorator(require_safe)
    def faults_view(self, request, pk):
        """The faulty rows as they stood in the file, each with its faults, for correcting."""
        rows = self.shown_object(request, pk).rows.to_be_named().iterator(1000)
        head = (gettext("Line"), gettext("What to do"), gettext("Cells of the row"))
        table = ((row.line, " ".join(map(str, told(row))), *row.cells) for row in rows)
        return spreadsheet(gettext("faulty-rows.csv"), head, table)

    @method_decorator(require_safe)
    def template_view(self, request):
        if not self.has_view_permission(request):
            raise PermissionDenied
        head = [label for column, label in LABELS.items() if column]
        return spreadsheet(gettext("mailboxes-example.csv"), head, [EXAMPLE])


def named_rows(batch: Import, number):
    """A page of the rows about which there is something to say, each with its faults."""
    page = Paginator(batch.rows.to_be_named(), ROWS_SHOWN).get_page(number)
    for row in page:
        row.told = told(row)
    return page


def told(row) -> list[Fault]:
    return [Fault(*fault) for fault in row.faults]
