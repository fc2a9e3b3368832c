"""Forms of the portal: senders, the spam filter, and the notice of absence."""

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.names import validate_name

from .models import Absence, SenderRule, Sensitivity, SpamSettings
from .models.senders import Owner, Wish
from .models.settings import BlockEffect, Digest, Effective, SpamAction, SpamPolicy
from .senderlines import MOST_BYTES, pasted_entries, put, table_entries
from .senders import normalise_sender

LISTS = [
    (SenderRule.Kind.BLOCK, _("Blacklist (blocked senders)")),
    (SenderRule.Kind.ALLOW, _("Whitelist (allowed senders)")),
]
SENDER_HELP = _("name@example.org, or @example.org for all of a domain, or @*.example.org for all below it.")


def day_field(label, **kwargs):
    return forms.DateField(label=label, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"), **kwargs)


class SenderField(forms.CharField):
    """One sender, in its stored form."""

    widget = forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"})

    def clean(self, value):
        value = super().clean(value)
        return normalise_sender(value) if value else value


class OnListForm(forms.Form):
    """Which list, with what remark and until when."""

    kind = forms.ChoiceField(label=_("List"), choices=LISTS, initial=SenderRule.Kind.BLOCK, widget=forms.RadioSelect)
    note = forms.CharField(
        label=_("Note"),
        max_length=120,
        required=False,
        validators=[validate_name],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    valid_until = day_field(
        _("Last day"), required=False, help_text=_("On the day after, the entry means nothing any more.")
    )

    def clean_valid_until(self):
        day = self.cleaned_data["valid_until"]
        if day and day < timezone.localdate():
            raise ValidationError(_("This day is over. Choose today or a later one."), code="over")
        return day


class SenderForm(OnListForm):
    """One sender for the lists of an owner; the deed is the last check and done in `clean`."""

    sender = SenderField(label=_("Sender"), help_text=SENDER_HELP)

    field_order = ("sender", "kind", "note", "valid_until")

    def __init__(self, *args, owner: Owner, viewer, **kwargs):
        super().__init__(*args, **kwargs)
        self.owner, self.viewer = owner, viewer

    def clean(self):
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.row = self.deed(self.owner, Wish(**self.cleaned_data), by=self.viewer)
        except ValidationError as error:
            self.add_error("sender", list(error.messages))

    deed = SenderRule.objects.add_one


class OneClickForm(SenderForm):
    """The same from another page, where nobody knows what stands on the lists."""

    deed = SenderRule.objects.have


class SendersForm(OnListForm):
    """Many senders at once, pasted or from a file; `outcomes` says what became of each line."""

    text = forms.CharField(
        label=_("Senders"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "autocapitalize": "none", "spellcheck": "false"}),
        help_text=_("One a line, or separated by commas or semicolons."),
    )
    file = forms.FileField(
        label=_("Or a CSV file"),
        required=False,
        help_text=_("As this page exports it, or simply one sender in each row."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
        error_messages={"empty": _("The file is empty.")},
    )

    field_order = ("text", "file", "kind", "note", "valid_until")

    def __init__(self, *args, owner: Owner = None, viewer, **kwargs):
        super().__init__(*args, **kwargs)
        self.owner, self.viewer = owner, viewer

    def clean(self):
        if self.errors:
            return
        text, file = self.cleaned_data.pop("text"), self.cleaned_data.pop("file")
        given = {name: self.cleaned_data[name] for name in ("kind", "note", "valid_until")}
        field = "file" if file else "text"
        try:
            entries = table_entries(file.read(MOST_BYTES + 1), given) if file else pasted_entries(text, given)
        except ValidationError as error:
            self.add_error(field, error)
        else:
            self.outcomes = put(self.owner, entries, by=self.viewer)


ACTION_HELP = {
    SpamAction.OFF: _("Everything arrives in the inbox; the rating stands in the header."),
    SpamAction.MARK: _("Spam arrives in the inbox, and its subject begins with a mark."),
    SpamAction.JUNK: _("Spam is in the folder for spam, where you can look through it."),
    SpamAction.REJECT: _(
        "The sender's server is told that the message is not taken. What goes to several recipients at once is moved "
        "to the spam folder instead."
    ),
    SpamAction.DISCARD: _("Spam is deleted without a trace. Neither you nor the sender learns of it."),
}


def scored(threshold: int) -> str:
    """A sensitivity in its word, with the score from which on a message is spam."""
    points = ngettext("from %d point on", "from %d points on", threshold) % threshold
    return f"{Sensitivity(threshold).label} – {points}"


class SpamSettingsForm(forms.Form):
    """What a mailbox's owner chooses, of what the tenant allows; the deed is the last check and done in `clean`."""

    action = forms.ChoiceField(label=_("What happens to spam"), required=False, widget=forms.RadioSelect)
    confirmed = forms.BooleanField(
        label=_("I have read this and know that nobody can bring back mail that is deleted by mistake."),
        required=False,
    )
    threshold = forms.TypedChoiceField(
        label=_("Sensitivity"), required=False, coerce=int, empty_value=None, widget=forms.RadioSelect
    )
    block_effect = forms.ChoiceField(
        label=_("Mail from senders on your blacklist"), choices=BlockEffect, widget=forms.RadioSelect
    )
    junk_days = forms.IntegerField(
        label=_("Empty the spam folder after (days)"),
        required=False,
        min_value=1,
        max_value=365,
        help_text=_("Older messages in it are deleted. Empty: nothing is deleted by itself."),
    )
    digest = forms.ChoiceField(
        label=_("Report by e-mail of what went to the spam folder"), choices=Digest, widget=forms.RadioSelect
    )

    def __init__(self, *args, mailbox, viewer, **kwargs):
        self.mailbox, self.viewer = mailbox, viewer
        self.chosen, self.policy = SpamSettings.objects.of(mailbox), SpamPolicy.objects.of(mailbox.tenant_id)
        super().__init__(*args, initial=self.values_now(), **kwargs)
        default = gettext("as your organisation has set: %s")
        actions = [(each.value, each.label) for each in SpamAction if each in self.policy.allowed_actions]
        self.fields["action"].choices = [("", default % SpamAction(self.policy.action).label), *actions]
        words = [(each.value, scored(each)) for each in self.policy.allowed_thresholds]
        self.fields["threshold"].choices = [("", default % scored(self.policy.threshold)), *words]

    def values_now(self) -> dict:
        chosen, policy = self.chosen, self.policy
        return {
            "action": chosen.action if chosen.action in policy.allowed_actions else "",
            "threshold": chosen.threshold if chosen.threshold in policy.allowed_thresholds else "",
            "block_effect": chosen.block_effect,
            "junk_days": chosen.junk_days,
            "digest": chosen.digest,
        }

    @property
    def action_options(self) -> list:
        """The choices, each with what it means."""
        return [(option, ACTION_HELP.get(option.data["value"], "")) for option in self["action"]]

    @property
    def warns(self) -> bool:
        """Whether the warning about deleting is to be read and confirmed before anything is saved."""
        return self.data.get("action") == SpamAction.DISCARD != self.initial["action"]

    def clean_confirmed(self):
        if self.warns and not self.cleaned_data["confirmed"]:
            raise ValidationError(_("Nothing was saved yet: read the warning and confirm it, or choose otherwise."))
        return self.cleaned_data["confirmed"]

    def clean(self):
        if self.errors:
            return
        values = {name: value for name, value in self.cleaned_data.items() if name != "confirmed"}
        values["action"] = values["action"] or None
        try:
            with transaction.atomic():
                SpamSettings.objects.choose(self.mailbox, by=self.viewer, **values)
        except ValidationError as error:
            self.add_error(None, error)


def effective_words(effective: Effective) -> list[tuple[str, str]]:
    """What holds for a mailbox, as a list of facts."""
    facts = [(gettext("Spam"), str(effective.action.label))]
    if effective.action != SpamAction.OFF:
        facts.append((gettext("Sensitivity"), scored(effective.threshold)))
    facts.append((gettext("Blocked senders"), str(effective.block_effect.label)))
    if effective.junk_days:
        days = ngettext("after %d day", "after %d days", effective.junk_days) % effective.junk_days
        facts.append((gettext("The spam folder is emptied"), days))
    return facts


class AbsenceForm(forms.ModelForm):
    """A person's own notice. With `preview` it is only looked at; else the deed is done in `clean`."""

    class Meta:
        model = Absence
        fields = ("starts_on", "ends_on", "subject", "text", "every_days")
        widgets = {
            "starts_on": forms.DateInput({"type": "date"}, "%Y-%m-%d"),
            "ends_on": forms.DateInput({"type": "date"}, "%Y-%m-%d"),
            "text": forms.Textarea(attrs={"rows": 8}),
        }
        help_texts = {
            "starts_on": _("Empty: at once."),
            "ends_on": _("The notice ends by itself after this day. Empty: when you switch it off."),
            "subject": _("Empty: “Auto:” and the subject of the message that is answered."),
        }

    def __init__(self, *args, mailbox, viewer, **kwargs):
        self.mailbox, self.viewer = mailbox, viewer
        self.absence = Absence.objects.of(mailbox)
        days = {} if self.absence.by_dvb else {name: getattr(self.absence, name) for name in ("starts_on", "ends_on")}
        initial = days | self.absence.own | {"every_days": self.absence.every_days}
        super().__init__(*args, initial=initial, **kwargs)

    @property
    def is_preview(self) -> bool:
        return "preview" in self.data

    def clean_subject(self):
        validate_name(self.cleaned_data["subject"])
        return self.cleaned_data["subject"]

    def clean_text(self):
        text = "\n".join(self.cleaned_data["text"].expandtabs(4).splitlines())
        validate_name(text.replace("\n", ""))
        return text

    def clean(self):
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.perform(**self.cleaned_data)
        except ValidationError as error:
            self.add_error(None, error)

    def perform(self, **data):
        if self.is_preview:
            Absence(**data).check_terms()
        else:
            Absence.objects.switch_on(self.mailbox, by=self.viewer, **data)

    def _post_clean(self):
        """The verb has validated and written; nothing is left to construct from the fields."""
