"""Departures on the DVB's desk: the plan, its undoing, and what was deleted."""

from collections.abc import Callable
from datetime import timedelta

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import formats, timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.admin import ScopedAdmin, shown_time
from accounts.exports import Exported
from accounts.models import Deputy, User

from .alias_forms import AddressField
from .models import Mailbox, Plan
from .models.mailboxes import MEGABYTE

# What is proposed, in days from today: to save one's own mail, and until all is deleted.
READING, KEEPING = timedelta(days=14), timedelta(days=90)


def day_field(label, help_text):
    return forms.DateField(label=label, help_text=help_text, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))


class DepartureForm(forms.Form):
    """The days of a departure; as in ViewerForm, the deed is the last check and done in `clean`."""

    leaves_on = day_field(
        _("Day of leaving"),
        _("From this day on nothing is sent, and whoever writes to the address gets the mail back with a notice."),
    )
    reads_until = day_field(
        _("Last day of reading"),
        _("Until then the person can log in and save mail of their own; after it nobody opens the mailbox."),
    )
    deletes_on = day_field(
        _("Day of deletion"),
        _("The mailbox and all its mail are deleted. Until the day before you can take everything back."),
    )
    write_to = AddressField(
        label=_("Address in the notice"),
        required=False,
        help_text=_(
            "Whom senders may write to instead, for example info@musterdomain.de. Nothing is forwarded to it."
        ),
    )

    def __init__(self, *args, mailbox: Mailbox, viewer: User, **kwargs):
        self.mailbox, self.viewer = mailbox, viewer
        super().__init__(*args, initial=self.proposed(), **kwargs)

    def proposed(self) -> dict:
        today = timezone.localdate()
        plan = self.mailbox.plan or Plan(today, today + READING, today + KEEPING)
        return {name: getattr(plan, name) for name in self.base_fields}

    def clean(self):
        if self.errors:
            return
        try:
            with transaction.atomic():
                check_no_deputy(self.mailbox.user, self.cleaned_data["leaves_on"])
                self.mailbox.leave(Plan(**self.cleaned_data), by=self.viewer)
        except ValidationError as error:
            self.add_error(None, error)


def check_no_deputy(person: User, day):
    """Whoever leaves the organisation must not stay its deputy; raises ValidationError."""
    deputy = Deputy.objects.filter(tenant=person.tenant_id, address=person.address, valid_until__gt=day).first()
    if deputy:
        raise ValidationError(
            _("This person is a deputy until %(day)s. Let that end first, under “Deputies”."),
            code="deputy",
            params={"day": formats.date_format(deputy.valid_until)},
        )


class DepartureRooms(ScopedAdmin):
    """Mixin for the room of mailboxes: the pages of a departure."""

    own_object: Callable[..., Mailbox]

    def get_urls(self):
        own = [
            path("<int:pk>/departure/", self.room(self.departure_view), name=self.url_name("departure")),
            path("<int:pk>/stay/", self.room(self.stay_view), name=self.url_name("stay")),
        ]
        return own + super().get_urls()

    def departure_view(self, request, pk):
        """Plan a departure, or change its days."""
        mailbox = self.own_object(request, pk)
        form = DepartureForm(request.POST if request.method == "POST" else None, mailbox=mailbox, viewer=request.user)
        if form.is_valid():
            text = _("The departure of %s is planned. Until the day of deletion you can take it back.")
            self.message_user(request, text % mailbox, messages.SUCCESS)
            return redirect(self.url("change", pk))
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Departure of %s") % mailbox,
            "opts": self.opts,
            "mailbox": mailbox,
            "plan": mailbox.plan,
            "form": form,
            "back": self.url("change", pk),
        }
        status = 422 if form.is_bound else 200
        return TemplateResponse(request, "mailboxes/desk/departure.html", context, status=status)

    @method_decorator(require_POST)
    def stay_view(self, request, pk):
        mailbox = self.own_object(request, pk)
        mailbox.stay(by=request.user)
        text = _("The departure is taken back: %s can send, receive and log in as before.")
        self.message_user(request, text % mailbox, messages.SUCCESS)
        return redirect(self.url("change", pk))


class DeletedMailboxDesk(Exported, ScopedAdmin):
    """What was deleted, with its certificate, for as long as the addresses are blocked."""

    viewers = (User.Role.DVB, User.Role.DSB)
    nothing_yet = _(
        "No mailbox has been deleted. Whoever leaves has a “Departure” planned at the mailbox; when it has been "
        "deleted, it stands here with a certificate."
    )
    export_name = _("Deleted mailboxes")
    change_form_template = "admin/deleted_mailbox_change_form.html"
    list_display = ("address_shown", "name", "left_on", "deleted_at", "free_on")
    list_display_links = ("address_shown",)
    search_fields = ("address", "name")
    fields = ("address_shown", "name", "left_on", "read_until", "deleted_at", "amount", "free_on")

    def get_urls(self):
        own = [path("<int:pk>/certificate/", self.room(self.certificate_view), name=self.url_name("certificate"))]
        return own + super().get_urls()

    @method_decorator(require_safe)
    def certificate_view(self, request, pk):
        # The PDF library takes longer to import than the rest of the portal, and few processes ever print.
        from .certificate import certificate  # noqa: PLC0415

        record = self.shown_object(request, pk)
        headers = {
            "Content-Disposition": 'attachment; filename="Loeschbescheinigung.pdf"',
            "Cache-Control": "no-store",
        }
        return HttpResponse(certificate(record), content_type="application/pdf", headers=headers)

    def exported(self):
        return {
            gettext("E-mail address"): str,
            gettext("Name"): lambda row: row.name,
            gettext("Left on"): lambda row: formats.date_format(row.left_on),
            gettext("Deleted"): lambda row: shown_time(row.deleted_at),
            gettext("Messages"): lambda row: row.messages,
            gettext("Address free on"): lambda row: formats.date_format(row.free_on),
        }

    @admin.display(description=_("e-mail address"), ordering="address")
    def address_shown(self, obj):
        return str(obj)

    @admin.display(description=_("deleted with it"))
    def amount(self, obj):
        return gettext("%(count)d messages, %(size)d MB") % {"count": obj.messages, "size": -(-obj.bytes // MEGABYTE)}

    @admin.display(description=_("address free on"))
    def free_on(self, obj):
        return obj.free_on
