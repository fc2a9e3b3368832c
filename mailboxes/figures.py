"""What the desk's start page counts, of one tenant, in a statement for its people and one for its contract."""

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.models import CredentialState, Factor, Tenant, ending, rows_in, unchanged

from .list_filters import NEARLY_FULL
from .models import Alias, Domain, Forward, Mailbox, Usage


def people_figures(viewer) -> dict[str, int]:
    """Mailboxes by state of their credentials, and with a second factor; `todo_…` leaves the locked out."""
    states = {state.value: rows_in(state, "user__") for state in CredentialState}
    has_factor = Q(Exists(Factor.objects.devices().filter(user=OuterRef("user"))))
    work = {
        "created": states["created"],
        "expired": states["expired"],
        "ending": ending("user__"),
        "unchanged": unchanged("user__"),
        "without_factor": ~has_factor,
    }
    unlocked = Q(user__locked_at=None)
    return Mailbox.objects.visible_to(viewer).aggregate(
        mailboxes=Count("pk"),
        assigned_mb=Coalesce(Sum("storage_mb"), 0),
        with_factor=Count("pk", filter=has_factor),
        **{name: Count("pk", filter=rows) for name, rows in states.items()},
        **{f"todo_{name}": Count("pk", filter=rows & unlocked) for name, rows in work.items()},
    )


def contract_figures(viewer) -> dict[str, int]:
    """What there is besides mailboxes, beside what the contract allows."""
    mailboxes, held = Mailbox.objects.visible_to(viewer), Usage.objects.visible_to(viewer)
    limits = ("max_mailboxes", "max_aliases", "max_domains", "max_storage_mb")
    return (
        Tenant.objects.visible_to(viewer)
        .values(*limits)
        .annotate(
            aliases=number(Alias.objects.visible_to(viewer)),
            domains=number(Domain.objects.visible_to(viewer)),
            waiting_forwards=number(Forward.objects.visible_to(viewer).waiting_for_approval()),
            outside_forwards=number(Forward.objects.visible_to(viewer).leaving_the_house()),
            nearly_full=number(mailboxes.fuller_than(NEARLY_FULL)),
            used_bytes=number(held, Sum("bytes")),
        )
        .order_by()
        .get()
    )


def number(rows: QuerySet, of=None) -> Coalesce:
    """How many rows there are, or a sum over them, as part of another statement; 0 of none."""
    one = rows.order_by().values("tenant").annotate(number=of or Count(F("pk")))
    return Coalesce(Subquery(one.values("number")), 0)
