"""Abwesenheit durch DVB: a fixed notice for somebody who cannot set one, without a look at their mail."""

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from mailboxes.alias_forms import AddressField
from mailboxes.mailbox_admin import MailboxDesk
from mailboxes.models import Mailbox

from .forms import day_field
from .models import Absence
from .notices import fixed_notice


class StandInForm(forms.Form):
    """The days of a notice; as in ViewerForm, the deed is the last check and done in `clean`."""

    starts_on = day_field(_("First day"))
    ends_on = day_field(_("Last day"), help_text=_("The notice ends by itself after this day."))
    write_to = AddressField(
        label=_("Address in the notice"),
        required=False,
        help_text=_(
            "Whom senders may write to instead, for example info@musterdomain.de. Nothing is forwarded to it."
        ),
    )

    def __init__(self, *args, mailbox: Mailbox, viewer, **kwargs):
        self.mailbox, self.viewer = mailbox, viewer
        super().__init__(*args, initial={"starts_on": timezone.localdate()}, **kwargs)

    @property
    def is_preview(self) -> bool:
        return "preview" in self.data

    def clean(self):
        if self.errors:
            return
        days = {name: self.cleaned_data[name] for name in ("starts_on", "ends_on")}
        write_to = self.cleaned_data["write_to"]
        self.subject, self.text = fixed_notice(self.mailbox, **days, write_to=write_to)
        try:
            if self.is_preview:
                Absence(**days, subject=self.subject, text=self.text).check_terms()
                return
            with transaction.atomic():
                Absence.objects.stand_in(self.mailbox, **days, write_to=write_to, by=self.viewer)
        except ValidationError as error:
            self.add_error(None, error)


class AwayMailboxDesk(MailboxDesk):
    """The room of mailboxes, with the pages of an absence."""

    change_form_template = "filters/desk/mailbox.html"

    def get_urls(self):
        own = [
            path("<int:pk>/absence/", self.room(self.absence_view), name=self.url_name("absence")),
            path("<int:pk>/absence/end/", self.room(self.absence_end_view), name=self.url_name("absence_end")),
        ]
        return own + super().get_urls()

    def absence_view(self, request, pk):
        """Set the fixed notice, or look at it first."""
        mailbox = self.own_object(request, pk)
        form = StandInForm(request.POST if request.method == "POST" else None, mailbox=mailbox, viewer=request.user)
        done = form.is_bound and form.is_valid()
        if done and not form.is_preview:
            self.message_user(request, _("The notice of %s is set. The person is told.") % mailbox, messages.SUCCESS)
            return redirect(self.url("absence", pk))
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Absence of %s") % mailbox,
            "opts": self.opts,
            "mailbox": mailbox,
            "absence": Absence.objects.of(mailbox),
            "form": form,
            "preview": done,
            "back": self.url("change", pk),
        }
        status = 422 if form.is_bound and not done else 200
        return TemplateResponse(request, "filters/desk/absence.html", context, status=status)

    @method_decorator(require_POST)
    def absence_end_view(self, request, pk):
        """End what a DVB has set; a person's own notice is theirs."""
        mailbox = self.own_object(request, pk)
        Absence.objects.switch_off(mailbox, by=request.user)
        if not Absence.objects.of(mailbox).is_on:
            self.message_user(request, _("The notice of %s is switched off.") % mailbox, messages.SUCCESS)
        return redirect(self.url("absence", pk))
