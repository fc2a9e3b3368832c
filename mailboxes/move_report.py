"""What is said of each row that was to move here from another portal."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.addresses import RESERVED_LOCAL_PARTS, split_address


class Verdict(models.TextChoices):
    MADE = "made", _("made")
    THERE = "there", _("already there")
    LEFT = "left", _("left out")


class Kind(models.TextChoices):
    DOMAIN = "domain", _("domain")
    MAILBOX = "mailbox", _("mailbox")
    ALIAS = "alias", _("alias address")
    FORWARD = "forward", _("forward")
    CATCH_ALL = "catch_all", _("catch-all address")
    ALIAS_DOMAIN = "alias_domain", _("alias domain")
    ABSENCE = "absence", _("absence note")


@dataclass(frozen=True)
class Line:
    """What became of one row of the other portal."""

    verdict: Verdict
    kind: Kind
    name: str
    text: str
    # Whether the row was asked for: some are looked after otherwise here.
    was_wanted: bool

    def __str__(self):
        return f"{self.verdict.label:<12}  {self.kind.label:<15}  {self.name}  {self.text}".rstrip()


class Report:
    def __init__(self):
        self.lines: list[Line] = []

    def say(self, verdict: Verdict, kind: Kind, name: str, *texts, was_wanted=True):
        self.lines.append(Line(verdict, kind, name, " ".join(filter(None, map(str, texts))), was_wanted))

    def leaves_to_support(self, address: str, kind: Kind) -> bool:
        """Whether the address is one of those that support looks after; then that is said."""
        reserved = split_address(address)[0] in RESERVED_LOCAL_PARTS
        if reserved:
            self.say(Verdict.LEFT, kind, address, _("Support looks after this address."), was_wanted=False)
        return reserved

    @property
    def misses_something(self) -> bool:
        return any(line.verdict == Verdict.LEFT and line.was_wanted for line in self.lines)

    def counted(self) -> Iterator[str]:
        """How many of each kind were made, were there, were left out."""
        counts = Counter((line.kind, line.verdict) for line in self.lines)
        for kind in Kind:
            said = [f"{counts[kind, verdict]} {verdict.label}" for verdict in Verdict if counts[kind, verdict]]
            if said:
                yield f"{kind.label}: {', '.join(said)}"
