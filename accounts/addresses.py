"""Mail addresses: the one canonical form that is stored (lower case, A-labels) and the form that people read."""

import re
import unicodedata
from functools import lru_cache

import idna
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

RESERVED_LOCAL_PARTS = frozenset(
    ("abuse", "admin", "administrator", "hostmaster", "noc", "postmaster", "root", "security", "webmaster")
)

MAX_LOCAL_PART = 64
MAX_DOMAIN = 253
MAX_ADDRESS = 254
MAX_TYPED = 1000

LOCAL_PART = re.compile(r"[a-z0-9](?:[._-]?[a-z0-9])*")
# What servers elsewhere take, but for the signs that some of them read as a route, a program or a file.
OUTSIDE_LOCAL_PART = re.compile(r"[A-Za-z0-9#$&'*+=?^_`{}~-]+(?:\.[A-Za-z0-9#$&'*+=?^_`{}~-]+)*")
DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")

# Not str.strip(): it would also drop line breaks and tabs, which must be refused wherever they stand.
SPACES = " \u00a0"
GERMAN_SPELLING = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "œ": "oe"}
)


def normalise_address(text: str) -> str:
    """The canonical form of one plain address; ValidationError says what is wrong and what to do."""
    text = _trimmed(text)
    _check_one_plain_address(text)
    local_part, domain = text.split("@")
    address = f"{normalise_local_part(local_part)}@{normalise_domain(domain)}"
    if len(address) > MAX_ADDRESS:
        raise _too_long(MAX_ADDRESS)
    return address


def normalise_outside_address(text: str) -> str:
    """The stored form of an address on any server: only its domain is canonical, since case may count before the @."""
    text = _trimmed(text)
    _check_one_plain_address(text)
    local_part, domain = text.split("@")
    if not OUTSIDE_LOCAL_PART.fullmatch(local_part) or len(local_part) > MAX_LOCAL_PART:
        raise ValidationError(
            _("The part before the @ cannot be used. Check it for typing errors."), code="local_part_invalid"
        )
    address = f"{local_part}@{normalise_domain(domain)}"
    if len(address) > MAX_ADDRESS:
        raise _too_long(MAX_ADDRESS)
    return address


def normalise_local_part(text: str) -> str:
    """The canonical form of what stands before the @: a-z and digits, singly joined by dot, hyphen or underscore."""
    text = _trimmed(text)
    if not text:
        raise ValidationError(
            _("The part before the @ is missing. Enter, for example, max.mustermann."), code="local_part_missing"
        )
    # Before lower(): the Kelvin sign and other letters outside ASCII have lower-case forms inside it.
    if not text.isascii():
        raise _outside_ascii(text)
    text = text.lower()
    if len(text) > MAX_LOCAL_PART:
        raise ValidationError(
            _("The part before the @ is too long. Use at most %(limit)d characters."),
            code="local_part_too_long",
            params={"limit": MAX_LOCAL_PART},
        )
    if not LOCAL_PART.fullmatch(text):
        raise ValidationError(
            _(
                "The part before the @ cannot be used. Use the letters a to z and digits, joined by single dots, "
                "hyphens or underscores; begin and end with a letter or digit."
            ),
            code="local_part_invalid",
        )
    return text


# A file of addresses names the same few domains over and over.
@lru_cache(maxsize=1024)
def normalise_domain(text: str) -> str:
    """The canonical form of a domain name: lower-case A-labels, at least two, without a trailing dot."""
    text = _trimmed(text)
    if not text:
        raise ValidationError(_("The domain is missing. Enter, for example, musterdomain.de."), code="domain_missing")
    if text.startswith("[") or re.fullmatch(r"[\d.]+|.*:.*", text):
        raise ValidationError(
            _("An IP address cannot be used here. Enter the name of the domain, for example musterdomain.de."),
            code="domain_literal",
        )
    invalid = ValidationError(
        _("“%(domain)s” is not a domain name. Check it for typing errors; it looks like musterdomain.de."),
        code="domain_invalid",
        params={"domain": text},
    )
    try:
        domain = idna.encode(text, uts46=True, std3_rules=True).decode("ascii").removesuffix(".")
    except UnicodeError as error:
        raise (_too_long(MAX_DOMAIN) if len(text) > MAX_DOMAIN else invalid) from error
    if len(domain) > MAX_DOMAIN:
        raise _too_long(MAX_DOMAIN)
    if "." not in domain:
        raise ValidationError(
            _("The domain “%(domain)s” is incomplete. Enter it with its ending, for example musterdomain.de."),
            code="domain_incomplete",
            params={"domain": text},
        )
    if not DOMAIN.fullmatch(domain):
        raise invalid
    return domain


def canonical(text: str) -> str | None:
    """The form under which to look an address up, None when it cannot be one; never raises."""
    try:
        return normalise_address((text or "").strip())
    except ValidationError:
        return None


def split_address(address: str) -> tuple[str, str]:
    """Local part and domain of a canonical address."""
    local_part, _at, domain = address.rpartition("@")
    return local_part, domain


def without_tag(address: str) -> str:
    """The address that mail to `name+tag@domain` ends at, in lower case, for comparing."""
    local_part, domain = split_address(address)
    return f"{local_part.partition('+')[0]}@{domain}".lower()


def masked_address(address: str) -> str:
    """Enough of an address for its owner to know it again: the first character, and the domain."""
    local_part, domain = split_address(address)
    return f"{local_part[:1]}…@{display_domain(domain)}"


def display_address(address: str) -> str:
    """A canonical address as people read it, its domain in their script."""
    local_part, domain = split_address(address)
    return f"{local_part}@{display_domain(domain)}"


# A list of one customer's addresses asks for the same domain over and over.
@lru_cache(maxsize=1024)
def display_domain(a_label: str) -> str:
    """A canonical domain in U-labels; unchanged where these would not lead back to it or could pass for another name.

    Letters of two scripts in one name, its ending included, are what look-alikes are made of (аррlе.com).
    """
    try:
        name = idna.decode(a_label)
        if len(_scripts(name)) <= 1 and normalise_domain(name) == a_label:
            return name
    except (UnicodeError, ValidationError):
        pass
    return a_label


def _trimmed(text: str) -> str:
    """The text without spaces around it, refused if it hides characters that nobody sees."""
    if len(text) > MAX_TYPED:
        raise _too_long(MAX_ADDRESS)
    if any(unicodedata.category(character).startswith("C") for character in text):
        raise ValidationError(
            _("This contains a line break, a tab or an invisible character. Type it in by hand, without it."),
            code="control_character",
        )
    return text.strip(SPACES)


def _check_one_plain_address(text: str) -> None:
    """Refuse what other programs take for an address, each form with the way out of it."""
    if not text:
        raise ValidationError(
            _("Enter an e-mail address, for example max.mustermann@musterdomain.de."), code="address_missing"
        )
    if "<" in text or ">" in text:
        raise ValidationError(
            _("Enter only the address, without the name and without the brackets < and >."), code="display_name"
        )
    if '"' in text:
        raise ValidationError(_("Addresses in quotation marks are not supported. Leave them out."), code="quoted")
    if "(" in text or ")" in text:
        raise ValidationError(_("Leave out the remark in brackets and enter only the address."), code="comment")
    if "," in text or ";" in text or text.count("@") > 1:
        raise ValidationError(_("Enter exactly one address, with a single @."), code="several")
    if "@" not in text:
        raise ValidationError(
            _("The @ is missing. Enter the complete address, for example max.mustermann@musterdomain.de."),
            code="at_missing",
        )
    if re.search(r"\s", text):
        raise ValidationError(_("There is a space inside the address. Remove it."), code="space")


def _outside_ascii(text: str) -> ValidationError:
    """The refusal of a local part in another script, with the usual German spelling where there is one."""
    spelled = unicodedata.normalize("NFC", text).lower().translate(GERMAN_SPELLING)
    spelled = "".join(c for c in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(c))
    if LOCAL_PART.fullmatch(spelled) and len(spelled) <= MAX_LOCAL_PART:
        return ValidationError(
            _("Umlauts and accents are not possible before the @. Write “%(spelled)s” instead."),
            code="local_part_not_ascii",
            params={"spelled": spelled},
        )
    return ValidationError(
        _("Before the @ only the letters a to z are possible, no umlauts and no other script. Write ae for ä."),
        code="local_part_not_ascii",
    )


def _too_long(limit: int) -> ValidationError:
    return ValidationError(
        _("This is too long. Use at most %(limit)d characters."), code="too_long", params={"limit": limit}
    )


def _scripts(text: str) -> set[str]:
    """The scripts of the letters, told by the first word of their Unicode names."""
    return {unicodedata.name(character, "?").split()[0] for character in text if character.isalpha()}
