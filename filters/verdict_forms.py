"""The search of what became of mail."""

from datetime import date, datetime, time, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .models import Verdict


class VerdictSearchForm(forms.Form):
    """What became of whose mail: by mailbox, sender, outcome and day. What makes no sense narrows nothing."""

    box = forms.ChoiceField(label=_("Mailbox"), required=False)
    sender = forms.CharField(
        label=_("Sender"), max_length=100, required=False, widget=forms.TextInput({"autocapitalize": "none"})
    )
    outcome = forms.ChoiceField(label=_("Outcome"), required=False, choices=[("", _("all")), *Verdict.Outcome.choices])
    first = forms.DateField(label=_("From"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    last = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))

    def __init__(self, *args, boxes, **kwargs):
        super().__init__(*args, **kwargs)
        self.boxes = {str(box.public_id): box for box in boxes}
        self.fields["box"].choices = [(key, str(box)) for key, box in self.boxes.items()]
        if len(self.boxes) < 2:
            del self.fields["box"]
        self.full_clean()

    @property
    def mailbox(self):
        """The one that was chosen; the person's own at first."""
        return self.boxes.get(self.cleaned_data.get("box", "")) or next(iter(self.boxes.values()))

    @property
    def narrows(self) -> bool:
        return any(value for name, value in self.cleaned_data.items() if name != "box")

    def found(self, verdicts):
        wanted = self.cleaned_data
        rows = verdicts.filter(mailbox=self.mailbox)
        if wanted.get("sender"):
            rows = rows.from_sender(wanted["sender"])
        if wanted.get("outcome"):
            rows = rows.filter(outcome=wanted["outcome"])
        if wanted.get("first"):
            rows = rows.filter(at__gte=midnight(wanted["first"]))
        if wanted.get("last"):
            rows = rows.filter(at__lt=midnight(min(wanted["last"], LAST_DAY) + timedelta(days=1)))
        return rows


# One less than there is, so that the day after it exists in every time zone.
LAST_DAY = date.max - timedelta(days=3)
FIRST_DAY = date.min + timedelta(days=3)


def midnight(day) -> datetime:
    """When the day begins here."""
    return timezone.make_aware(datetime.combine(max(day, FIRST_DAY), time.min))
