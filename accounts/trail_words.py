"""The audit trail in words: who somebody was, and what a deed changed."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField
from django.utils import formats
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .models import AuditEvent, Factor, IdentityCheck, User

# What the trail keeps beside columns of tables.
LABELS = {
    "reason": _("reason"),
    "support_until": _("until"),
    "target": _("leads to"),
    "may_send": _("may send as it"),
    "forward": _("sent on to"),
    "switched_on": _("switched on"),
    "first_day": _("first day"),
    "last_day": _("last day"),
    "members": _("members"),
    "responsible": _("responsible person"),
    "identity_check": _("identity checked"),
    "identity_note": _("remark"),
    "checked_by": _("checked by"),
    "issue": _("times given out"),
    "state": _("state"),
    "outcome": _("outcome"),
    "rows": _("rows"),
    "reads_until": _("mail can be read until"),
    "messages": _("messages"),
    "bytes": _("bytes"),
    "kind": _("kind"),
    "allow": _("allowed senders"),
    "block": _("blocked senders"),
    "absence": _("notice of absence"),
    "by_dvb": _("set by the DVB"),
    "starts_on": _("first day"),
    "ends_on": _("last day"),
    "area": _("login area"),
}
# Of values for which the table that a deed is about has no names.
CHOICES: dict[str, dict] = {
    "identity_check": dict(IdentityCheck.choices),
    "area": dict(User.Area.choices),
    "kind": dict(Factor.Kind.choices),
    "state": {
        "waiting": _("waits for approval or confirmation"),
        "approved": _("approved"),
        "confirmed": _("confirmed"),
        "removed": _("removed"),
        "held": _("stopped since the new password"),
    },
    "outcome": {"declined": _("declined by the address's owner"), "refused": _("refused by the DVB")},
}
ROLES = dict(User.Role.choices) | {"deputy": _("deputy"), "system": _("automatically")}
ISO = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?")


@dataclass(frozen=True)
class Detail:
    """One value before and after a deed, as people read it; empty where there was none."""

    label: str
    old: str
    new: str

    def __str__(self):
        change = " → ".join(filter(None, (self.old, self.new)))
        return f"{self.label}: {change}"


def role_of(event: AuditEvent) -> str:
    return str(ROLES.get(event.actor_role, event.actor_role))


def details(event: AuditEvent) -> list[Detail]:
    """What a deed has changed; values that stayed are left out."""
    found = []
    for key in dict.fromkeys([*event.old, *event.new]):
        label, choices = named(event.object_type, key)
        old, new = (shown(values.get(key), choices) for values in (event.old, event.new))
        if label and old != new:
            found.append(Detail(label, old, new))
    return found


def named(object_type: str, key: str) -> tuple[str, dict]:
    """What people call a value, and the names of its choices; a mailbox's trail names its person's values too."""
    field = field_of(apps.get_model(object_type), key) or field_of(User, key)
    if key not in LABELS and field is None:
        return "", {}
    label = LABELS[key] if key in LABELS else getattr(field, "verbose_name", key)
    return str(label), CHOICES.get(key, {}) | choices_of(field)


def field_of(model, key: str):
    try:
        return model._meta.get_field(key)
    except FieldDoesNotExist:
        return None


def choices_of(field) -> dict:
    """By the value's text, as some deeds keep it; of a list, the choices of each."""
    each = getattr(field, "base_field", field)
    if isinstance(each, BooleanField):
        return {"True": _("yes"), "False": _("no")}
    return {str(value): name for value, name in getattr(each, "flatchoices", ())}


def shown(value, choices) -> str:
    if isinstance(value, list):
        return ", ".join(shown(each, choices) for each in value)
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    # Nothing was kept as text by some deeds.
    if value in (None, "None"):
        return ""
    return str(choices.get(str(value)) or in_figures(str(value)))


def in_figures(text: str) -> str:
    """A day or moment, kept as ISO 8601 has it, as readers write it; other text as it is."""
    if not ISO.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return formats.date_format(moment, "SHORT_DATETIME_FORMAT" if " " in text else "SHORT_DATE_FORMAT")
