"""What the desk's start page counts, of one tenant, in a statement for its people and one for its contract."""

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from accounts.models import CredentialState, Factor, Tenant, ending, rows_in

from .models import Alias, Domain, Forward, Mailbox, Usage

# Of those whose initial password still opens the portal.
UNCHANGED = (CredentialState.ISSUED, CredentialState.REISSUED, CredentialState.LOGGED_IN)


def people_figures(viewer) -> dict[str, int]:
    """Mailboxes by state of their credentials, and with a second factor; `todo_…` leaves the locked out."""
    # Each row is looked at once, however many figures there are: the database gives some dozens of groups.
    groups = (
        Mailbox.objects.visible_to(viewer)
        .values(
            state=Case(*(When(rows_in(state, "user__"), then=Value(state.value)) for state in CredentialState)),
            is_ending=ending("user__"),
            is_locked=Q(user__locked_at__isnull=False),
            has_factor=Exists(Factor.objects.devices().filter(user=OuterRef("user"))),
        )
        .annotate(mailboxes=Count("pk"), megabytes=Sum("storage_mb"))
        .order_by()
    )

    def of(figure="mailboxes", **like) -> int:
        return sum(row[figure] for row in groups if all(row[name] == value for name, value in like.items()))

    work = {
        "created": of(state="created", is_locked=False),
        "expired": of(state="expired", is_locked=False),
        "ending": of(is_ending=True, is_locked=False),
        "unchanged": sum(of(state=state, is_locked=False) for state in UNCHANGED),
        "without_factor": of(has_factor=False, is_locked=False),
    }
    return {
        "mailboxes": of(),
        "assigned_mb": of("megabytes"),
        "with_factor": of(has_factor=True),
        **{state.value: of(state=state.value) for state in CredentialState},
        **{f"todo_{name}": number for name, number in work.items()},
    }


def contract_figures(viewer) -> dict[str, int]:
    """What there is besides mailboxes, beside what the contract allows."""
    held = Usage.objects.visible_to(viewer)
    limits = ("max_mailboxes", "max_aliases", "max_domains", "max_storage_mb")
    return (
        Tenant.objects.visible_to(viewer)
        .values(*limits)
        .annotate(
            aliases=number(Alias.objects.visible_to(viewer)),
            domains=number(Domain.objects.visible_to(viewer)),
            waiting_forwards=number(Forward.objects.visible_to(viewer).waiting_for_approval()),
            outside_forwards=number(Forward.objects.visible_to(viewer).leaving_the_house()),
            nearly_full=number(held.filter(nearly_full=True)),
            used_bytes=number(held, Sum("bytes")),
        )
        .order_by()
        .get()
    )


def number(rows: QuerySet, of=None) -> Coalesce:
    """How many rows there are, or a sum over them, as part of another statement; 0 of none."""
    one = rows.order_by().values("tenant").annotate(number=of or Count(F("pk")))
    return Coalesce(Subquery(one.values("number")), 0)
