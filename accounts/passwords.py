"""The one password rule of every path, and the initial passwords that meet it."""

import enum
import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from zxcvbn import matching, scoring

from .addresses import display_domain, split_address

MAX_LENGTH = 256
MIN_PART = 4  # shorter pieces of addresses and names occur in any good password
MIN_WORD = 3  # one or two letters among digits and signs are no word
MIN_GUESSES = 10**10  # what zxcvbn calls "very unguessable" even for somebody who took the hashes
JUDGED_LENGTH = 40  # zxcvbn takes seconds for more, if it is full of leet signs
GERMAN_RANK = 1000  # the German lists are not sorted by frequency

WORDLISTS = Path(__file__).parent / "wordlists"
LEET = str.maketrans("4@3€1!|0$57+", "aaeeiilosstt")

# No 0 O o Q D, 1 I l i j, 2 Z z, 5 S s, 6 G b, 8 B, 9 g q, u v V, and of c k p w x y only one case.
ALPHABET = "AEFHJKLMNRTU" + "acdefhmnprtwxy" + "347"
GROUPS, GROUP_LENGTH = 6, 4
INITIAL = re.compile("-".join([f"[{ALPHABET}]{{{GROUP_LENGTH}}}"] * GROUPS))


class Rule(enum.StrEnum):
    """What a tenant demands of passwords."""

    CLASSES = "classes"
    PASSPHRASE = "passphrase"

    @property
    def min_length(self) -> int:
        return 15 if self is Rule.CLASSES else 25


@dataclass(frozen=True)
class PasswordContext:
    """Whose password it is: what it must not contain, and the rule of the tenant."""

    rule: Rule
    address: str = ""
    names: tuple[str, ...] = ()

    def address_parts(self) -> set[str]:
        """Local part and domain labels with their pieces, without the ending of the domain."""
        local_part, domain = split_address(self.address)
        labels = {label for name in (domain, display_domain(domain)) for label in name.split(".")[:-1]}
        return _long_parts({local_part, *labels, *re.split(r"[._-]", local_part), *re.split("-", "-".join(labels))})

    def name_words(self) -> set[str]:
        return _long_parts({word for name in self.names for word in re.findall(r"\w+", name)})


@dataclass(frozen=True)
class Fault:
    """One reason why a password is refused: a code for programs and a sentence for people."""

    code: str
    message: str | Promise

    @classmethod
    def reused(cls) -> "Fault":
        """For callers, who alone hold the hashes of the initial and the current password."""
        return cls("reused", _("This is your current or initial password. Choose a new one."))


# Letters of scripts without case count as special characters; combining marks count as nothing.
CLASSES = {
    "upper": (
        lambda c: c.isupper() or c.istitle(),
        _("at least one upper-case letter"),
        _("An upper-case letter is missing."),
    ),
    "lower": (str.islower, _("at least one lower-case letter"), _("A lower-case letter is missing.")),
    "digit": (str.isdecimal, _("at least one digit"), _("A digit is missing.")),
    "special": (
        lambda c: (
            not (c.isupper() or c.istitle() or c.islower() or c.isdecimal() or unicodedata.category(c)[0] in "MC")
        ),
        _("at least one special character, for example ! ? - or a space"),
        _("A special character is missing, for example ! ? - or a space."),
    ),
}


def faults(password: str, context: PasswordContext) -> list[Fault]:
    """All reasons why this password is refused, none if it is accepted; judged as typed, without normalisation."""
    return list(_faults(password, context))


def rule_hints(rule: Rule) -> list[tuple[str, str | Promise]]:
    """The visible part of the rule as (code, text), in the codes of the faults."""
    length: tuple[str, str | Promise] = ("length", _("at least %(limit)d characters") % {"limit": rule.min_length})
    classes = CLASSES.items() if rule is Rule.CLASSES else ()
    return [length, *((code, hint) for code, (_matches, hint, _message) in classes)]


def generate_initial_password(context: PasswordContext | None = None) -> str:
    """A random password like `Kx7p-…` that meets both rules, of 24 characters from 29: 116 bits.

    24 · log2(29) = 116.6; dropping the 7 % without a digit, upper- or lower-case letter costs 0.1 bit.
    """
    # The rule of classes, at this length, holds the other one.
    context = replace(context or PasswordContext(Rule.CLASSES), rule=Rule.CLASSES)
    while True:
        groups = ("".join(secrets.choice(ALPHABET) for _i in range(GROUP_LENGTH)) for _j in range(GROUPS))
        password = "-".join(groups)
        if not faults(password, context):
            return password


def as_given_out(typed: str) -> str:
    """An initial password without the spaces that were copied with it; anything else is as it was typed."""
    bare = typed.strip()
    return bare if INITIAL.fullmatch(bare) else typed


def _faults(password: str, context: PasswordContext) -> Iterator[Fault]:
    rule = context.rule
    if len(password) < rule.min_length:
        message = _("The password is too short. Use at least %(limit)d characters.")
        yield Fault("length", message % {"limit": rule.min_length})
    if len(password) > MAX_LENGTH:
        yield Fault(
            "too_long", _("The password is too long. Use at most %(limit)d characters.") % {"limit": MAX_LENGTH}
        )
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in password):
        yield Fault("control", _("The password contains a line break, a tab or another control character. Remove it."))
    # The login would take them away.
    if as_given_out(password) != password:
        yield Fault("spaces", _("The password begins or ends with a space. Leave it out."))
    if rule is Rule.CLASSES:
        for code, (matches, _hint, message) in CLASSES.items():
            if not any(map(matches, password)):
                yield Fault(code, message)
    folded = password.casefold()
    if any(part in folded for part in context.address_parts()):
        yield Fault("address", _("The password contains a part of your e-mail address. Leave it out."))
    if any(word in folded for word in context.name_words()):
        yield Fault(
            "name", _("The password contains your name, or that of your organisation or this portal. Leave it out.")
        )
    if _is_decorated_word(password) or _guesses(password, context) < MIN_GUESSES:
        yield Fault(
            "common",
            _(
                "The password is too easy to guess: it is made of common words, repetitions or rows of keys. "
                "Use several unrelated words or a longer one."
            ),
        )


def _long_parts(parts: set[str]) -> set[str]:
    return {part.casefold() for part in parts if len(part) >= MIN_PART}


def _is_decorated_word(password: str) -> bool:
    """Whether only one common word is left without the digits and signs around it, in leet spelling, or repeated."""
    return (
        _bare(password) in _common_words()
        or _bare(password).translate(LEET) in _common_words()
        or (len(runs := set(re.findall(r"[^\W\d_]+", password.casefold()))) == 1 and runs <= _common_words())
    )


def _bare(password: str) -> str:
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password.casefold())


def _guesses(password: str, context: PasswordContext) -> int:
    """How many tries zxcvbn thinks this takes, knowing German and the person.

    Its front door keeps the person's words in a global, where another thread would find them: hence its parts.
    """
    if not password:  # zxcvbn fails on it
        return 0
    judged = password[:JUDGED_LENGTH]
    own = dict.fromkeys(context.address_parts() | context.name_words(), 1)
    ranked = {**matching.RANKED_DICTIONARIES, "german": _german_words(), "own": own}
    return int(scoring.most_guessable_match_sequence(judged, matching.omnimatch(judged, ranked))["guesses"])


@cache
def _german_words() -> dict[str, int]:
    text = "\n".join(path.read_text() for path in sorted(WORDLISTS.glob("german-*.txt")))
    return dict.fromkeys(text.split(), GERMAN_RANK)


@cache
def _common_words() -> frozenset[str]:
    """What remains of all listed passwords, words and names, English and German, without digits and signs around."""
    listed = CommonPasswordValidator().passwords | _german_words().keys()
    for ranked in matching.RANKED_DICTIONARIES.values():
        listed |= ranked.keys()
    return frozenset(bare for word in listed if len(bare := _bare(word)) >= MIN_WORD)
