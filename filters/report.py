"""What Rspamd tells of one message, read with suspicion: names and texts are those of whoever sent the message."""

import json
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from math import isfinite

from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.addresses import normalise_domain
from mailboxes.suffixes import registered

MAX_BODY = 256 * 1024  # bytes; a message to the thousand recipients that Postfix takes fits in
MAX_RECIPIENTS = 1_000
# As long as the columns.
ADDRESS, SUBJECT, SYMBOL = 254, 200, 60
HIGHEST_SCORE = 9_999
MOST_SYMBOLS = 3
# What says by itself that the sender in the header is who it says.
PROOF = frozenset({"DMARC_POLICY_ALLOW", "DMARC_POLICY_ALLOW_WITH_FAILURES"})


class Unreadable(ValueError):
    """Not what the exporter sends."""


def read(body: bytes) -> dict:
    """One message's verdict as `Verdict.objects.keep` takes it; raises Unreadable."""
    try:
        told = json.loads(body.decode("utf-8", "replace"), parse_constant=float)
        symbols = [
            (plain(each["name"], SYMBOL), number(each["score"]), each.get("options")) for each in told["symbols"]
        ]
        sender, envelope_sender = lower(told["sender"]), lower(told["envelope_sender"])
        return {
            "at": timezone.now().isoformat(),
            "recipients": [lower(each) for each in told["recipients"]][:MAX_RECIPIENTS],
            "sender": sender,
            "envelope_sender": envelope_sender,
            "subject": plain(told["subject"], SUBJECT),
            "score": number(told["score"]),
            "symbols": weightiest(symbols),
            "authenticated": authenticated(sender, envelope_sender, symbols),
            "rejected": told["action"] == "reject",
        }
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise Unreadable from error


def plain(text: str, longest: int) -> str:
    """The text without control characters and what is no character at all, cut to a length."""
    if not isinstance(text, str):
        raise Unreadable
    kept = "".join(sign for sign in text[: 4 * longest] if sign.isspace() or unicodedata.category(sign)[0] != "C")
    return " ".join(kept.split())[:longest]


def lower(address: str) -> str:
    """An address as lists name it: lower case, with the domain as A-label where it can be."""
    local_part, at, domain = "".join(plain(address, ADDRESS).lower().split()).rpartition("@")
    with suppress(ValidationError):
        domain = normalise_domain(domain)
    return f"{local_part}{at}{domain}"[:ADDRESS]


def number(value: float) -> float:
    if not isfinite(value):
        raise Unreadable
    return round(max(-HIGHEST_SCORE, min(HIGHEST_SCORE, value)), 2)


def weightiest(symbols: Iterable[tuple]) -> list[str]:
    """The names of what moved the score most, in either direction."""
    heavy = sorted((each for each in symbols if each[1] and each[0]), key=lambda each: (-abs(each[1]), each[0]))
    return [name for name, _score, _options in heavy[:MOST_SYMBOLS]]


def authenticated(sender: str, envelope_sender: str, symbols: Iterable[tuple]) -> bool:
    """Whether the header's sender is proved: by DMARC, or by DKIM or SPF of the same organisation."""
    by_name = {name: options for name, _score, options in symbols}
    if PROOF & by_name.keys():
        return True
    organisation = registered(sender.rpartition("@")[2])
    if not organisation:
        return False
    proved = {signer_of(option) for option in by_name.get("R_DKIM_ALLOW") or []}
    if "R_SPF_ALLOW" in by_name:
        proved.add(envelope_sender.rpartition("@")[2])
    return organisation in {registered(domain) for domain in proved}


def signer_of(option: str) -> str:
    """The domain of Rspamd's `domain:s=selector`."""
    return str(option).partition(":")[0].lower()
