"""The audit trail in words: who somebody was, and what a deed changed."""

from dataclasses import dataclass

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .models import AuditEvent, IdentityCheck, User

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
CHOICES: dict[str, dict] = {"identity_check": dict(IdentityCheck.choices), "area": dict(User.Area.choices)}
ROLES = dict(User.Role.choices) | {"deputy": _("deputy"), "system": _("automatically")}


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
    if key in LABELS:
        return str(LABELS[key]), CHOICES.get(key, {})
    for model in (apps.get_model(object_type), User):
        try:
            field = model._meta.get_field(key)
        except FieldDoesNotExist:
            continue
        return str(getattr(field, "verbose_name", key)), dict(getattr(field, "flatchoices", ()))
    return "", {}


def shown(value, choices) -> str:
    if isinstance(value, list):
        return ", ".join(shown(each, choices) for each in value)
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return "" if value is None else str(choices.get(value, value))
