"""What the DNS says about a name: questions with a time limit, whose answers may be anything but an exception."""

import logging
import unicodedata
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import Enum

import dns.exception
import dns.flags
import dns.name
import dns.resolver
from django.conf import settings

logger = logging.getLogger(__name__)

# For one question with all its tries, and for a page that asks several at once.
EACH_SECONDS = 4.0
WHOLE_SECONDS = 4.5
# A zone may hold many records under a name; more than these nobody wants to read or to compare.
MOST_VALUES = 20
SHOWN_CHARACTERS = 300


class Trouble(Enum):
    """Why there are no values."""

    NO_NAME = "no_name"
    NO_RECORD = "no_record"
    TIMEOUT = "timeout"
    SERVFAIL = "servfail"
    BROKEN = "broken"


@dataclass(frozen=True)
class Answer:
    """The values under a name, or why there are none; of TXT the joined strings, of MX the hosts without final dot."""

    values: tuple[str, ...] = ()
    trouble: Trouble | None = None

    @property
    def is_absence(self) -> bool:
        """Whether the DNS has said that there is nothing, and not merely kept silent."""
        return self.trouble in (Trouble.NO_NAME, Trouble.NO_RECORD)

    @property
    def shown(self) -> list[str]:
        return [readable(value) for value in self.values]


def ask(name: str, kind: str, seconds: float = EACH_SECONDS) -> Answer:
    """Look up `kind` (TXT or MX) under a name without asking the cache of this process; never raises."""
    try:
        resolver = _resolver(seconds)
        found = resolver.resolve(dns.name.from_text(name), kind, lifetime=seconds, search=False)
        return Answer(tuple(_text(record, kind) for record in list(found)[:MOST_VALUES]))
    except dns.resolver.NXDOMAIN:
        return Answer(trouble=Trouble.NO_NAME)
    except dns.resolver.NoAnswer as nothing:
        # What was cut off says nothing about what it would have held.
        is_cut = nothing.kwargs["response"].flags & dns.flags.TC
        return Answer(trouble=Trouble.BROKEN if is_cut else Trouble.NO_RECORD)
    except dns.exception.Timeout:
        return Answer(trouble=Trouble.TIMEOUT)
    except dns.resolver.NoNameservers:
        return Answer(trouble=Trouble.SERVFAIL)
    except Exception as error:
        # Only the kind: its text may quote what a stranger's server said.
        logger.warning("the DNS answer about a %s record cannot be used: %s", kind, type(error).__name__)
        return Answer(trouble=Trouble.BROKEN)


def ask_all(questions: list[tuple[str, str]]) -> list[Answer]:
    """The answers to (name, kind) pairs, asked at the same time; what takes too long counts as a timeout."""
    pool = ThreadPoolExecutor(max(len(questions), 1), thread_name_prefix="dns")
    try:
        asked = [pool.submit(ask, name, kind) for name, kind in questions]
        wait(asked, WHOLE_SECONDS)
        return [each.result() if each.done() else Answer(trouble=Trouble.TIMEOUT) for each in asked]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def readable(value: str) -> str:
    """A stranger's text as it may stand on a page: no character that nobody sees, and not without end."""
    seen = value[:SHOWN_CHARACTERS]
    text = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign)[0] == "C" else sign for sign in seen)
    return text + "…" if len(value) > SHOWN_CHARACTERS else text


def _resolver(seconds: float) -> dns.resolver.Resolver:
    """The operator's resolver, or the machine's."""
    if not settings.DNS_RESOLVER:
        resolver = dns.resolver.Resolver()
    else:
        host, _colon, port = settings.DNS_RESOLVER.rpartition(":")
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [host.strip("[]")], int(port)
    # One packet may get lost; a second try is due in good time before the limit.
    resolver.timeout = seconds / 3
    return resolver


def _text(record, kind: str) -> str:
    if kind == "MX":
        return record.exchange.to_text(omit_final_dot=True).lower()
    return b"".join(record.strings).decode("utf-8", "replace")
