from contextlib import contextmanager

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.addresses import (
    MAX_ADDRESS,
    display_address,
    normalise_address,
    normalise_domain,
    normalise_local_part,
)
from accounts.models import IdentityCheck, User
from accounts.names import validate_name

from .models import Alias, AppPassword, Domain, LimitReached, Mailbox, Membership
from .networks import normalise_network


class IdentityForm(forms.Form):
    """How it was made sure that new credentials reach their owner; `cleaned_data` goes into the audit trail."""

    identity_check = forms.ChoiceField(
        label=_("How did you make sure who it is?"),
        choices=[("", _("Please choose")), *IdentityCheck.choices],
        help_text=_("Never call a number or write to an address that you were only now given. This is put on record."),
    )
    identity_note = forms.CharField(
        label=_("Remark"),
        max_length=200,
        required=False,
        validators=[validate_name],
        help_text=_("For example which number you called. Needed if you choose “otherwise”."),
    )

    def clean(self):
        found = self.cleaned_data
        if found.get("identity_check") == IdentityCheck.OTHER and not found.get("identity_note", True):
            self.add_error("identity_note", _("Say in a few words how you made sure."))


class LocalPartField(forms.CharField):
    """The part before the @, in its stored form."""

    def __init__(self, **kwargs):
        super().__init__(max_length=64, widget=forms.TextInput(attrs={"autocapitalize": "none"}), **kwargs)

    def clean(self, value):
        value = super().clean(value)
        if "@" in value:
            raise ValidationError(_("Enter only what stands before the @, without the @ and the domain."), code="at")
        return normalise_local_part(value) if value else value


@contextmanager
def naming(address: str):
    """Have each fault that is found say which one of several addresses it is about; a full contract is about none."""
    try:
        yield
    except LimitReached:
        raise
    except ValidationError as error:
        raise ValidationError([f"{address}: {message}" for message in error.messages]) from error


class AliasLinesField(forms.CharField):
    """Alias addresses, one a line: a name before the @, or a whole address in one of the tenant's domains."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 40, "autocapitalize": "none"})

    def clean(self, value):
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        return [self.parse(line) for line in lines]

    def parse(self, line):
        local_part, _at, domain = line.partition("@")
        with naming(line[:MAX_ADDRESS]):
            return normalise_local_part(local_part), normalise_domain(domain) if domain else ""


class PeopleField(forms.CharField):
    """People with a mailbox of the viewer's tenant, an address a line; `viewer` is set by the form."""

    viewer: User
    widget = forms.Textarea(attrs={"rows": 4, "cols": 40, "autocapitalize": "none"})

    def clean(self, value):
        lines = dict.fromkeys(line.strip() for line in super().clean(value).splitlines() if line.strip())
        addresses = [normalise_address(line) for line in lines]
        people = User.objects.visible_to(self.viewer).filter(role=User.Role.USER, is_function=False)
        found = {person.address: person for person in people.filter(address__in=addresses)}
        for address in addresses:
            if address not in found:
                raise ValidationError(
                    _("%(address)s is no person with a mailbox here."), params={"address": display_address(address)}
                )
        return [found[address] for address in addresses]


class ViewerForm(forms.ModelForm):
    """A form of the desk that knows who fills it in; the admin class sets `viewer`.

    The deed itself is the last check: limits and uniqueness are only certain under the lock in which the rows
    are written, so `clean` writes them, inside the transaction that the admin keeps open around the whole form.
    """

    viewer: User

    def clean(self):
        super().clean()
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.perform(**self.cleaned_data)
        except ValidationError as error:
            self.add_error(None, list(dict.fromkeys(error.messages)))

    def _post_clean(self):
        """The verbs have validated and written; nothing is left to construct from the fields."""

    def perform(self, **data):
        raise NotImplementedError

    def save(self, commit=True):
        self.save_m2m = lambda: None
        return self.instance

    def own_domains(self):
        return Domain.objects.visible_to(self.viewer).standing_alone()


class MailboxCreateForm(ViewerForm):
    """A new mailbox with its person and aliases."""

    domain = forms.ModelChoiceField(Domain.objects.none(), label=_("Domain"), empty_label=None)
    local_part = LocalPartField(label=_("Address before the @"), help_text=_("For example max.mustermann."))
    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        validators=[validate_name],
        help_text=_("Stands in the letter and in the greeting."),
    )
    language = forms.ChoiceField(label=_("Language"), choices=User.Language)
    aliases = AliasLinesField(
        label=_("Alias addresses"),
        required=False,
        help_text=_("One a line: “info” for the same domain, or a whole address in one of your domains."),
    )

    class Meta:
        model = Mailbox
        fields = ("storage_mb",)

    field_order = ("domain", "local_part", "name", "aliases", "storage_mb", "language")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = self.own_domains()

    def perform(self, *, domain, aliases, **data):
        mailbox = Mailbox.objects.open_mailbox(domain=domain, by=self.viewer, **data)
        for local_part, name in aliases:
            other = Domain.objects.visible_to(self.viewer).filter(name=name).first() if name else domain
            if other is None:
                raise ValidationError(_("“%(name)s” is none of your domains."), params={"name": name})
            with naming(f"{local_part}@{other}"):
                Alias.objects.open_alias(domain=other, local_part=local_part, mailbox=mailbox, by=self.viewer)
        return mailbox


class MailboxChangeForm(ViewerForm):
    name = forms.CharField(label=_("Name"), max_length=120, validators=[validate_name])
    language = forms.ChoiceField(label=_("Language"), choices=User.Language)

    class Meta:
        model = Mailbox
        fields = ("storage_mb", "delivery")
        help_texts = {
            "delivery": _(
                "Deferred mail stays with the sender's server, which tries again for some days. Refused mail goes "
                "back to its sender at once."
            )
        }

    field_order = ("name", "storage_mb", "delivery", "language")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.initial |= {"name": self.instance.user.name, "language": self.instance.user.language}

    def perform(self, **data):
        self.instance.change(by=self.viewer, **data)
        return self.instance


class MembersForm(ViewerForm):
    """Who opens a mailbox for a purpose; mixed into the forms of a person's mailbox, which do the rest."""

    responsible = PeopleField(
        label=_("Responsible person"),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "size": 40}),
        help_text=_(
            "The address of a person with a mailbox here, who answers for this one, reads it too, and decides on its "
            "lists of senders, spam filter and notice of absence."
        ),
    )
    members = PeopleField(
        label=_("Members"),
        required=False,
        help_text=_(
            "Addresses of people with a mailbox here, one a line. Each makes app passwords of their own for it in "
            "the portal. Whoever you take out no longer gets in."
        ),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in ("responsible", "members"):
            self.fields[name].viewer = self.viewer

    def clean_responsible(self):
        people = self.cleaned_data["responsible"]
        if len(people) != 1:
            raise ValidationError(_("One person is responsible."))
        return people[0]

    def perform(self, *, responsible, members, **data):
        mailbox = super().perform(**data)
        Membership.objects.set_members(mailbox, responsible=responsible, members=members, by=self.viewer)
        return mailbox


class FunctionCreateForm(MembersForm, MailboxCreateForm):
    """A new mailbox for a purpose, which nobody logs in as."""

    field_order = ("domain", "local_part", "name", "responsible", "members", "aliases", "storage_mb", "language")

    class Meta(MailboxCreateForm.Meta):
        pass

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["local_part"].help_text = _("For example info or accounting.")
        self.fields["name"].help_text = _("What it is for; stands in front of its address in mail programs.")

    def perform(self, **data):
        return super().perform(is_function=True, **data)


class FunctionChangeForm(MembersForm, MailboxChangeForm):
    field_order = ("name", "responsible", "members", "storage_mb", "delivery", "language")

    class Meta(MailboxChangeForm.Meta):
        pass

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        rows = list(self.instance.memberships.select_related("user"))
        self.initial |= {
            "responsible": "".join(str(row.user) for row in rows if row.responsible),
            "members": "\n".join(str(row.user) for row in rows if not row.responsible),
        }


class RenameForm(forms.Form):
    """Another address for a mailbox; as in ViewerForm, the deed is the last check and done in `clean`."""

    local_part = LocalPartField(label=_("Address before the @"))
    domain = forms.ModelChoiceField(Domain.objects.none(), label=_("Domain"), empty_label=None)

    def __init__(self, *args, mailbox, viewer, **kwargs):
        address = mailbox.address
        super().__init__(*args, initial={"local_part": address.local_part, "domain": address.domain_id}, **kwargs)
        self.mailbox, self.viewer = mailbox, viewer
        self.fields["domain"].queryset = Domain.objects.visible_to(viewer).standing_alone()

    def clean(self):
        if self.errors:
            return
        if not self.has_changed():
            raise ValidationError(_("This is the address already."))
        try:
            with transaction.atomic():
                self.mailbox.rename(by=self.viewer, **self.cleaned_data)
        except ValidationError as error:
            self.add_error(None, list(dict.fromkeys(error.messages)))


class DomainCreateForm(ViewerForm):
    class Meta:
        model = Domain
        fields = ("tenant", "name")

    def perform(self, **data):
        return Domain.objects.open_domain(by=self.viewer, **data)


class NetworkLinesField(forms.CharField):
    """IP networks, one a line, in their stored form."""

    widget = forms.Textarea(attrs={"rows": 2, "autocapitalize": "none", "spellcheck": "false"})

    def clean(self, value):
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        return list(dict.fromkeys(map(normalise_network, lines)))


class AppPasswordForm(forms.Form):
    """What a new app password is for; the ticket lets the form be sent once."""

    ticket = forms.CharField(widget=forms.HiddenInput)
    mailbox = forms.ModelChoiceField(Mailbox.objects.none(), label=_("Mailbox"), empty_label=None)
    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        validators=[validate_name],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("So that you know later which device it is, for example “Phone”."),
    )
    protocols = forms.MultipleChoiceField(
        label=_("Allowed for"),
        choices=AppPassword.Protocol,
        initial=[AppPassword.Protocol.IMAP, AppPassword.Protocol.SMTP],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one thing that the app password is for.")},
    )
    valid_until = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        help_text=_("On the day after, it opens nothing any more. Leave it empty for no end."),
    )
    networks = NetworkLinesField(
        label=_("Only from these networks"),
        required=False,
        help_text=_("One a line, at most 10: an IP address or a range such as 192.0.2.0/24. Empty: from everywhere."),
    )

    def __init__(self, *args, mailboxes, **kwargs):
        """`mailboxes` are those that the person opens; who opens one is asked nothing."""
        super().__init__(*args, **kwargs)
        self.fields["mailbox"].queryset = mailboxes
        found = list(mailboxes[:2])
        if len(found) == 1:
            del self.fields["mailbox"]
            self.only = found[0]

    def clean(self):
        self.cleaned_data.setdefault("mailbox", getattr(self, "only", None))
