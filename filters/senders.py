"""Senders as they stand on a list: an address, all of a domain, or all below one; and what people type instead."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.addresses import MAX_ADDRESS, MAX_TYPED, display_domain, normalise_domain

# What the database takes before the @, but for the two signs that elsewhere stand for any others.
LOCAL_PART = re.compile(r"[a-z0-9!#$%&'+/=^_`{|}~-]+(?:\.[a-z0-9!#$%&'+/=^_`{|}~-]+)*")
BELOW = "*."
# Between entries that are pasted; a blank is none, for it stands inside “Name <address>” too.
BETWEEN = re.compile(r"[\r\n,;\t]+")
BRACKETED = re.compile(r"[^<>@]*<([^<>]*)>")


def normalise_sender(text: str) -> str:
    """The stored form `a@b`, `@b` or `@*.b`: lower case, domain as A-label; ValidationError says what to do."""
    if len(text) > MAX_TYPED:
        raise _too_long()
    # As mail programs copy an address: with the name before it.
    text = text.strip()
    bracketed = BRACKETED.fullmatch(text)
    text = bracketed[1].strip() if bracketed else text
    local_part, at, domain = text.rpartition("@")
    if not at:
        raise _without_at(text)
    if "@" in local_part:
        raise ValidationError(_("Enter exactly one sender, with a single @."), code="several")
    below = domain.startswith(BELOW)
    _check_no_other_wildcard(local_part, domain, below)
    domain = normalise_domain(domain.removeprefix(BELOW))
    sender = f"{_normalise_local_part(local_part)}@{BELOW if below else ''}{domain}"
    if len(sender) > MAX_ADDRESS:
        raise _too_long()
    return sender


def display_sender(sender: str) -> str:
    """A stored entry as people read it, its domain in their script."""
    local_part, _at, domain = sender.rpartition("@")
    below = BELOW if domain.startswith(BELOW) else ""
    return f"{local_part}@{below}{display_domain(domain.removeprefix(BELOW))}"


def pasted(text: str) -> list[str]:
    """The entries of a text that was pasted: one a line, or separated by commas, semicolons or tabs."""
    return [entry.strip() for entry in BETWEEN.split(text) if entry.strip()]


def _normalise_local_part(text: str) -> str:
    # Before lower(): the Kelvin sign and other letters outside ASCII have lower-case forms inside it.
    if text and (not text.isascii() or not LOCAL_PART.fullmatch(text.lower())):
        raise ValidationError(
            _(
                "The part before the @ is no sender's address. Check it for typing errors, blanks and quotation "
                "marks, or leave it out: @ and the domain mean all senders of the domain."
            ),
            code="local_part_invalid",
        )
    return text.lower()


def _without_at(text: str) -> ValidationError:
    """The refusal of what has no @, with the entry that was probably meant."""
    below = text.startswith((BELOW, "."))
    try:
        domain = display_domain(normalise_domain(text.removeprefix("*").removeprefix(".")))
    except ValidationError:
        return ValidationError(
            _("The @ is missing. Enter an address, or @ and a domain for all of its senders."), code="at_missing"
        )
    return _meant(f"@{BELOW if below else ''}{domain}")


def _check_no_other_wildcard(local_part: str, domain: str, below: bool):
    """Only `*.` right after the @ stands for others: for what people write elsewhere, say what to write instead."""
    if below and local_part.strip("*"):
        raise ValidationError(
            _("Before @*. nothing stands: @*.example.org means all senders below example.org."), code="below"
        )
    if "*" in local_part or "?" in local_part:
        raise _meant(f"@{domain}")
    if domain.startswith("."):
        raise _meant(f"@*{domain}")
    if "*" in domain.removeprefix(BELOW) or "?" in domain:
        raise ValidationError(
            _("A * can stand only right after the @ and before a dot: @*.example.org means all below example.org."),
            code="wildcard",
        )


def _meant(entry: str) -> ValidationError:
    return ValidationError(
        _("This form is not known. Probably you mean “%(entry)s”."),
        code="meant",
        params={"entry": entry[:MAX_ADDRESS]},
    )


def _too_long() -> ValidationError:
    return ValidationError(
        _("This is too long. Use at most %(limit)d characters."), code="too_long", params={"limit": MAX_ADDRESS}
    )
