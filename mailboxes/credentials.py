"""Giving out Zugangsdaten: drawn, printed, stored and answered in one request, and never kept anywhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.core import signing
from django.core.exceptions import BadRequest
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import StaleCredentials, User

from .models import AliasTarget

# One request hashes this many passwords at most; the page asks for more in further requests.
CHUNK = 100


@dataclass(frozen=True)
class Ticket:
    """The right to give one person credentials once: who, and how often it was done when the form was drawn."""

    user_id: int
    issue: int

    def sign(self, viewer) -> str:
        return signing.dumps([self.user_id, self.issue], salt=f"credentials:{viewer.pk}")

    @classmethod
    def read(cls, text: str, viewer) -> "Ticket":
        try:
            return cls(*signing.loads(text, salt=f"credentials:{viewer.pk}"))
        except signing.BadSignature as error:
            raise BadRequest("forged ticket") from error


@dataclass(frozen=True)
class Credentials:
    """What a person is handed: shown once, on the screen or in a letter."""

    user: User
    password: str
    encoded: str
    aliases: tuple[str, ...]
    ticket: Ticket
    issued_at: datetime

    @property
    def expires_at(self) -> datetime:
        return self.user.initial_expiry(self.issued_at)


def read_tickets(texts: list[str], viewer) -> list[Ticket]:
    """The form's tickets; raises BadRequest for none, too many, or any that was not made for this viewer."""
    if not 0 < len(texts) <= CHUNK:
        raise BadRequest("between 1 and 100 people at once")
    return [Ticket.read(text, viewer) for text in dict.fromkeys(texts)]


def draw(tickets: Iterable[Ticket], allowed: QuerySet) -> list[Credentials]:
    """Draw a password for everybody with a ticket, out of those who are `allowed`; stores nothing.

    Raises StaleCredentials when somebody was given credentials since the form was drawn, or may not get them.
    """
    people, now = recipients(tickets, allowed), timezone.now()
    aliases = _aliases_of(people)
    return [_drawn(person, tuple(aliases.get(person.pk, ())), ticket, now) for person, ticket in people.items()]


def recipients(tickets: Iterable[Ticket], allowed: QuerySet) -> dict[User, Ticket]:
    """Whom the tickets are for, while each is as it was seen; raises StaleCredentials as `draw` does."""
    wanted = {ticket.user_id: ticket for ticket in tickets}
    people = allowed.select_related("tenant").in_bulk(wanted)
    if any(pk not in people or people[pk].initial_issues != wanted[pk].issue for pk in wanted):
        raise StaleCredentials
    return {people[pk]: ticket for pk, ticket in wanted.items()}


def _drawn(user: User, aliases: tuple[str, ...], ticket: Ticket, now: datetime) -> Credentials:
    password, encoded = user.draw_initial_password()
    return Credentials(user, password, encoded, aliases, ticket, now)


def store(credentials: list[Credentials], by, check: dict | None = None):
    """Make all drawn passwords valid at once, or none; raises StaleCredentials where somebody was faster.

    `check` says, for the trail of those who need it, how it was made sure who they are.
    """
    with transaction.atomic():
        needing = needing_check(given.user for given in credentials)
        if needing and check is None:
            raise StaleCredentials
        for given in sorted(credentials, key=lambda given: given.user.pk):
            known = check if given.user.pk in needing else None
            given.user.issue_initial_password(
                given.encoded, by=by, issue=given.ticket.issue, at=given.issued_at, check=known
            )


def needing_check(people: Iterable[User]) -> set[int]:
    """Ids of those to whom credentials go only after it was made sure who they are."""
    return User.objects.filter(pk__in=[person.pk for person in people]).needing_identity_check()


def _aliases_of(people) -> dict[int, list[str]]:
    """By person the aliases that they receive mail of today."""
    rows = AliasTarget.objects.in_force().filter(mailbox__user__in=people, receives=True)
    found: dict[int, list[str]] = {}
    for user_id, address in rows.values_list("mailbox__user_id", "alias__address__address"):
        found.setdefault(user_id, []).append(address)
    return found
