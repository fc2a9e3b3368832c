"""A month of mail as columns: whole numbers that the server has worked out, for a chart and for the table below it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Self

from django.utils import timezone

LENGTH = 30  # days, today among them
# In the picture's own units. What is not nothing stays visible.
HEIGHT, COLUMN, GAP, LEAST = 120, 20, 6, 3


@dataclass(frozen=True)
class Day:
    """What became of the messages of one day: delivered, treated as spam, or not let into the mailbox at all."""

    day: date
    delivered: int = 0
    spam: int = 0
    stopped: int = 0

    @property
    def messages(self) -> int:
        return self.delivered + self.spam + self.stopped


@dataclass(frozen=True)
class Part:
    """One kind of mail on one day, as a rectangle."""

    tone: str
    x: int
    y: int
    height: int


@dataclass(frozen=True)
class Month:
    """The last days in order, the empty ones too, and their sums."""

    days: list[Day]
    delivered: int
    spam: int
    stopped: int
    width: int = LENGTH * COLUMN
    height: int = HEIGHT
    column: int = COLUMN - GAP
    parts: list[Part] = field(default_factory=list)

    @classmethod
    def of(cls, counted: Iterable[Day]) -> Self:
        known = {each.day: each for each in counted}
        first = first_day().date()
        dates = [first + timedelta(days=number) for number in range(LENGTH)]
        days = [known.get(day, Day(day)) for day in dates]
        sums = {name: sum(getattr(day, name) for day in days) for name in ("delivered", "spam", "stopped")}
        return cls(days, **sums, parts=list(drawn(days)))

    @property
    def messages(self) -> int:
        return self.delivered + self.spam + self.stopped

    @property
    def busy(self) -> list[Day]:
        """The days on which there was any mail, the last one first."""
        return [day for day in reversed(self.days) if day.messages]


def first_day() -> datetime:
    """When the first of the last days began."""
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return timezone.make_aware(today.replace(tzinfo=None) - timedelta(days=LENGTH - 1))


def drawn(days: list[Day]) -> Iterable[Part]:
    """The rectangles, stacked from below; the busiest day is as high as the picture."""
    most = max(day.messages for day in days)
    for number, day in enumerate(days):
        y = HEIGHT
        for tone in ("delivered", "spam", "stopped"):
            if messages := getattr(day, tone):
                height = max(LEAST, messages * (HEIGHT - 2 * LEAST) // most)
                y -= height
                yield Part(tone, number * COLUMN + GAP // 2, y, height)
