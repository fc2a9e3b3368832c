"""Forms about forwards, for the owner of a mailbox and for the DVB."""

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.addresses import MAX_ADDRESS, normalise_outside_address, split_address
from accounts.models import Tenant

from .alias_forms import AddressField, mailboxes_at
from .forms import ViewerForm
from .models import Domain, Forward


def day_field(label, help_text=""):
    return forms.DateField(
        label=label, help_text=help_text, required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )


class TargetField(forms.CharField):
    """One plain address on any server, in its stored form."""

    widget = forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "inputmode": "email"})

    def __init__(self, **kwargs):
        super().__init__(label=_("Target address"), max_length=MAX_ADDRESS, **kwargs)

    def clean(self, value):
        value = super().clean(value)
        return normalise_outside_address(value) if value else value


class DaysForm(forms.Form):
    """When a forward is in force; the deed is the last check and done in `clean`, as in ViewerForm."""

    valid_from = day_field(_("First day"), _("Empty: at once."))
    valid_until = day_field(_("Last day"), _("After this day nothing is sent on any more. Empty: no end."))

    def __init__(self, *args, viewer, **kwargs):
        super().__init__(*args, **kwargs)
        self.viewer = viewer

    def clean(self):
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.perform(**self.cleaned_data)
        except ValidationError as error:
            self.add_error(None, list(dict.fromkeys(error.messages)))

    def perform(self, **data):
        raise NotImplementedError


class ForwardNewForm(DaysForm):
    """One more address for the mail of the viewer's own mailbox."""

    target = TargetField()
    knows = forms.BooleanField(
        label=_("I know that this mail then leaves the house"),
        required=False,
        help_text=_("Needed for an address that is not one of your organisation's own."),
    )

    field_order = ("target", "valid_from", "valid_until", "knows")

    def __init__(self, *args, mailbox, **kwargs):
        super().__init__(*args, **kwargs)
        self.mailbox = mailbox
        if mailbox.tenant.forwards_outside != Tenant.ForwardsOutside.WARNING:
            del self.fields["knows"]

    def perform(self, *, target, knows=True, **data):
        _name, domain = split_address(target)
        if not knows and not Domain.objects.filter(tenant=self.mailbox.tenant_id, name=domain).exists():
            self.add_error("knows", _("Confirm that you know that this mail leaves the house."))
            return
        self.forward = Forward.objects.open_forward(mailbox=self.mailbox, target=target, by=self.viewer, **data)


class ForwardDaysForm(DaysForm):
    is_on = forms.BooleanField(label=_("Switched on"), required=False)

    field_order = ("is_on", "valid_from", "valid_until")

    def __init__(self, *args, forward, **kwargs):
        self.forward = forward
        super().__init__(*args, initial={name: getattr(forward, name) for name in self.base_fields}, **kwargs)

    def perform(self, **data):
        self.forward.change(by=self.viewer, **data)


KEEPS_COPY = forms.BooleanField(
    label=_("Keep a copy in the mailbox"), required=False, initial=True, help_text=_("Holds for all its forwards.")
)


class ForwardCreateForm(ViewerForm):
    """The DVB sets a forward up for somebody."""

    mailbox_address = AddressField(label=_("Mailbox"), help_text=_("The address of one of your mailboxes."))
    target = TargetField()
    valid_from = day_field(_("First day"), _("Empty: at once."))
    valid_until = day_field(_("Last day"), _("After this day nothing is sent on any more. Empty: no end."))
    keeps_copy = KEEPS_COPY

    class Meta:
        model = Forward
        fields = ()

    field_order = ("mailbox_address", "target", "valid_from", "valid_until", "keeps_copy")

    def clean_mailbox_address(self):
        [mailbox] = mailboxes_at([self.cleaned_data["mailbox_address"]], self.viewer)
        return mailbox

    def perform(self, *, mailbox_address, keeps_copy, **data):
        forward = Forward.objects.open_forward(mailbox=mailbox_address, by=self.viewer, **data)
        mailbox_address.keep_copy(keeps_copy, by=self.viewer)
        return forward


class ForwardChangeForm(ViewerForm):
    is_on = forms.BooleanField(label=_("Switched on"), required=False)
    valid_from = day_field(_("First day"), _("Empty: at once."))
    valid_until = day_field(_("Last day"), _("After this day nothing is sent on any more. Empty: no end."))
    keeps_copy = KEEPS_COPY

    class Meta:
        model = Forward
        fields = ()

    field_order = ("is_on", "valid_from", "valid_until", "keeps_copy")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.initial |= {name: getattr(self.instance, name) for name in ("is_on", "valid_from", "valid_until")}
        self.initial["keeps_copy"] = self.instance.mailbox.keeps_copy

    def perform(self, *, keeps_copy, **data):
        self.instance.change(by=self.viewer, **data)
        self.instance.mailbox.keep_copy(keeps_copy, by=self.viewer)
        return self.instance
