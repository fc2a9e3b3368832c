"""Where people stand on the way from a new mailbox to a password of their own, and the rows that stand there."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# An initial password that runs out this soon is worth a reminder.
ENDING_WITHIN = timedelta(days=3)


class CredentialState(models.TextChoices):
    """What `User.credential_state` says of one person, `rows_in` says of many."""

    CREATED = "created", _("created")
    ISSUED = "issued", _("given out")
    REISSUED = "reissued", _("given out again")
    LOGGED_IN = "logged_in", _("has logged in")
    IMPORTED = "imported", _("imported")
    CHANGED = "changed", _("changed")
    EXPIRED = "expired", _("expired")


def rows_in(state: CredentialState, person="") -> Q:
    """The rows whose person is in this state; `person` leads to them, for example `user__`."""
    initial = {f"{person}initial_password": True}
    lasts = Q(**initial, **{f"{person}initial_expires_at__gt": timezone.now()})
    used = Q(**{f"{person}initial_used_at__isnull": False})
    again = Q(**{f"{person}initial_issues__gt": 1})
    own = {f"{person}initial_password": False, f"{person}is_function": False}
    never_changed = {**own, f"{person}password_changed_at": None}
    return {
        CredentialState.CREATED: Q(**never_changed, **{f"{person}password_imported_at": None}),
        CredentialState.ISSUED: lasts & ~used & ~again,
        CredentialState.REISSUED: lasts & ~used & again,
        CredentialState.LOGGED_IN: lasts & used,
        CredentialState.IMPORTED: Q(**never_changed, **{f"{person}password_imported_at__isnull": False}),
        CredentialState.CHANGED: Q(**own, **{f"{person}password_changed_at__isnull": False}),
        CredentialState.EXPIRED: Q(**initial) & ~Q(**{f"{person}initial_expires_at__gt": timezone.now()}),
    }[state]


def has_own_password() -> Q:
    """People who chose a password here, or brought one along; they may hold an initial one again by now."""
    return Q(password_changed_at__isnull=False) | Q(password_imported_at__isnull=False)


def unchanged(person="") -> Q:
    """The rows whose person holds an initial password that still opens the portal."""
    return Q(**{f"{person}initial_password": True, f"{person}initial_expires_at__gt": timezone.now()})


def ending(person="") -> Q:
    """Those of `unchanged` that have three days left or less."""
    return unchanged(person) & Q(**{f"{person}initial_expires_at__lte": timezone.now() + ENDING_WITHIN})
