"""What the desk's search looks for: parts of addresses as they are stored, and of names as they are sorted."""

import contextlib
from unicodedata import normalize

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, Func, Q, TextField, Value
from django.db.models.functions import Concat

from accounts.addresses import display_domain, normalise_domain
from accounts.sorting import SortKey

# What no text goes beyond in the database's order, which is by code point.
LAST = "\U0010ffff"
# Makes a whole domain of a label that was typed alone.
ENDING = ".example"


# More words are not looked for.
MOST_WORDS = 5


def words_of(text: str) -> list[str]:
    """The longest first: what has it is looked for in an index."""
    return sorted(text.split()[:MOST_WORDS], key=len, reverse=True)


class Found(Func):
    """Ids that a function of the database finds, for `pk__in`; it looks at the shown tenant alone."""

    template = "(SELECT %(function)s(%(expressions)s))"
    output_field = BigIntegerField()


def in_addresses(words: list[str]) -> Value:
    return Value([in_address(word) for word in words], ArrayField(TextField()))


def mailboxes_with(words: list[str], most: int | None = None) -> Found:
    """Mailboxes, at most so many, that have each of the words in their address or in their person's name."""
    names = Func(*(SortKey(Value(word)) for word in words), template="ARRAY[%(expressions)s]")
    return Found(in_addresses(words), names, Value(most), function="mailboxes_found")


def aliases_with(words: list[str], most: int | None = None) -> Found:
    """Aliases, at most so many, that have each of the words in their own or in one of their mailboxes' addresses."""
    return Found(in_addresses(words), Value(most), function="mailboxes_aliases_found")


def begins(column: str, text: str) -> Q:
    """Rows whose column begins with the text: as a comparison, since behind the wall no index serves LIKE."""
    return Q(**{f"{column}__gte": text, f"{column}__lt": text + LAST})


def name_begins(column: str, text: str) -> Q:
    """The same for names as they are sorted."""
    key = SortKey(Value(text))
    return Q(**{f"{column}__gte": key, f"{column}__lt": Concat(key, Value(LAST))})


def in_address(word: str) -> str:
    """The word as it would stand in an address: lower case, an umlaut domain or its first label as A-label."""
    local_part, at, domain = word.lower().rpartition("@")
    if domain.isascii():
        return word.lower()
    for ending in ("", ENDING):
        with contextlib.suppress(ValidationError):
            return local_part + at + normalise_domain(domain + ending).removesuffix(ending)
    return word.lower()


def read_with(word: str, domains) -> list[str]:
    """Those of the stored domains that show the word to who reads them."""
    typed = normalize("NFC", word).lower()
    return [domain for domain in domains if typed in display_domain(domain)]
