"""Forms of the desk for what leads to mailboxes: alias addresses, catch-all addresses and alias domains."""

from django import forms
from django.contrib.admin import AdminSite
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.addresses import display_address, normalise_address

from .forms import LocalPartField, ViewerForm
from .models import Alias, AliasTarget, Domain, Mailbox

TARGET = AliasTarget._meta.get_field("mailbox")


def mailboxes_at(addresses: list[str], viewer) -> list[Mailbox]:
    """The viewer's mailboxes with these addresses, in this order; ValidationError names those that are none."""
    rows = Mailbox.objects.visible_to(viewer).select_related("address").filter(address__address__in=addresses)
    found = {row.address.address: row for row in rows}
    if unknown := [display_address(address) for address in addresses if address not in found]:
        raise ValidationError(
            _("None of your mailboxes has this address: %(list)s"), params={"list": ", ".join(unknown)}
        )
    return [found[address] for address in addresses]


class AddressField(forms.CharField):
    """One plain address, in its stored form."""

    widget = forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "inputmode": "email"})

    def clean(self, value):
        value = super().clean(value)
        return normalise_address(value) if value else value


class AddressLinesField(forms.CharField):
    """Addresses, one a line, in their stored form."""

    widget = forms.Textarea(attrs={"rows": 2, "cols": 40, "autocapitalize": "none", "spellcheck": "false"})

    def clean(self, value):
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        return list(dict.fromkeys(map(normalise_address, lines)))


class MailboxSearch(AutocompleteSelectMultiple):
    """The look-ahead search; what is no id is not looked up when a form is shown again."""

    def build_attrs(self, base_attrs, extra_attrs=None):
        # The button that clears all would be no item of the list in which it stands.
        return super().build_attrs(base_attrs, extra_attrs) | {"data-allow-clear": "false"}

    def optgroups(self, name, value, attr=None):
        return super().optgroups(name, [each for each in value if str(each).isdecimal() and len(str(each)) < 19], attr)


class AliasForm(ViewerForm):
    """Where an alias leads, and until when; the admin class sets `site`, which answers the look-ahead search."""

    site: AdminSite

    receivers = forms.ModelMultipleChoiceField(
        Mailbox.objects.none(),
        label=_("Mail goes to"),
        required=False,
        help_text=_("Type a part of an address or of a name. Mail goes to each of these mailboxes."),
    )
    typed = AddressLinesField(
        label=_("Further mailboxes"),
        required=False,
        help_text=_("Here you can paste the addresses of mailboxes, one a line."),
    )
    valid_until = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        help_text=_(
            "On the day after, mail to it is refused as for an unknown address, and nobody can send as it. "
            "It stays reserved. Leave it empty for no end."
        ),
    )

    class Meta:
        model = Alias
        fields = ("valid_until",)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.ModelMultipleChoiceField):
                field.widget = MailboxSearch(TARGET, self.site)
                field.queryset = Mailbox.objects.visible_to(self.viewer).select_related("address")

    def clean_typed(self):
        return mailboxes_at(self.cleaned_data["typed"], self.viewer)


class AliasCreateForm(AliasForm):
    """A new alias; of one mailbox it is its own, which may send as it, of several nobody may at first."""

    domain = forms.ModelChoiceField(Domain.objects.none(), label=_("Domain"), empty_label=None)
    local_part = LocalPartField(label=_("Address before the @"))

    field_order = ("domain", "local_part", "receivers", "typed", "valid_until")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = self.own_domains()

    def perform(self, *, receivers, typed, **data):
        receivers = [*dict.fromkeys([*receivers, *typed])]
        senders = receivers if len(receivers) == 1 else []
        return Alias.objects.open_shared(receivers=receivers, senders=senders, by=self.viewer, **data)


class AliasChangeForm(AliasForm):
    senders = forms.ModelMultipleChoiceField(
        Mailbox.objects.none(),
        label=_("May send as this address"),
        required=False,
        help_text=_("Who only receives answers from their own address. Who is named here need not receive."),
    )

    field_order = ("receivers", "typed", "senders", "valid_until")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        targets = self.instance.targets.all()
        self.initial["receivers"] = [row.mailbox_id for row in targets if row.receives]
        self.initial["senders"] = [row.mailbox_id for row in targets if row.may_send]

    def perform(self, *, receivers, typed, **data):
        self.instance.change(receivers=[*receivers, *typed], by=self.viewer, **data)
        return self.instance


class DomainForm(forms.Form):
    """What a domain leads to; as in ViewerForm, the deed is the last check and done in `clean`."""

    def __init__(self, *args, domain, viewer, **kwargs):
        super().__init__(*args, **kwargs)
        self.domain, self.viewer = domain, viewer

    def clean(self):
        if self.errors:
            return
        try:
            self.perform(**self.cleaned_data)
        except ValidationError as error:
            self.add_error(None, list(error.messages))

    def perform(self, **data):
        raise NotImplementedError


class CatchAllForm(DomainForm):
    mailbox = AddressField(label=_("Address of the mailbox"), help_text=_("One of your mailboxes."))
    confirmed = forms.BooleanField(
        label=_("I have read this, and whoever reads that mailbox may see what was meant for others."),
        error_messages={"required": _("Confirm that you have read what a catch-all address brings.")},
    )

    def clean_mailbox(self):
        [mailbox] = mailboxes_at([self.cleaned_data["mailbox"]], self.viewer)
        return mailbox

    def perform(self, *, mailbox, **_confirmed):
        self.domain.catch_all_to(mailbox, by=self.viewer)


class AliasDomainForm(DomainForm):
    other = forms.ModelChoiceField(Domain.objects.none(), label=_("Stands for"), empty_label=_("Please choose"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        others = Domain.objects.visible_to(self.viewer).standing_alone()
        self.fields["other"].queryset = others.exclude(pk=self.domain.pk)

    def perform(self, *, other):
        self.domain.stand_for(other, by=self.viewer)
