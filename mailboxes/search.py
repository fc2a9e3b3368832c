"""What the desk's search looks for: parts of addresses as they are stored, and of names as they are sorted."""

from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, Func, Value

from accounts.addresses import normalise_domain
from accounts.pages import MOST
from accounts.sorting import SortKey


class Found(Func):
    """Ids that a function of the database finds, for `pk__in`; it looks at the shown tenant alone."""

    template = "(SELECT %(function)s(%(expressions)s))"
    output_field = BigIntegerField()


def mailboxes_with(word: str) -> Found:
    """Mailboxes whose address or person's name contains the word."""
    return Found(Value(in_address(word)), SortKey(Value(word)), Value(MOST + 1), function="mailboxes_found")


def aliases_with(word: str) -> Found:
    """Aliases that contain the word, or whose mailbox's address does."""
    return Found(Value(in_address(word)), Value(MOST + 1), function="mailboxes_aliases_found")


def in_address(word: str) -> str:
    """The word as it would stand in an address: lower case, an umlaut domain as its A-label."""
    local_part, at, domain = word.lower().rpartition("@")
    if domain.isascii():
        return word.lower()
    try:
        return local_part + at + normalise_domain(domain)
    except ValidationError:
        return word.lower()
