"""Rounds in which ours and the yardstick take turns, so that a machine that gets slower meanwhile slows both."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Measure = Callable[[], float]


@dataclass(frozen=True)
class Figures:
    """What several rounds gave."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def shown(self, form: str = ".2f") -> str:
        """Median and spread."""
        return f"{self.median:{form}} ({min(self.values):{form}}–{max(self.values):{form}})"


@dataclass(frozen=True)
class Compared:
    """One thing beside its yardstick: the ratios of the rounds, and what they were made from."""

    ratio: Figures
    ours: Figures
    yardstick: Figures


def alternate(yardstick: Measure, ours: Mapping[str, Measure], rounds: int) -> dict[str, Compared]:
    """Measure in turns; each value of ours is held against the mean of the yardsticks before and after it."""
    own: dict[str, list[float]] = {name: [] for name in ours}
    beside: dict[str, list[float]] = {name: [] for name in ours}
    for _ in range(rounds):
        before = yardstick()
        for name, measure in ours.items():
            own[name].append(measure())
            after = yardstick()
            beside[name].append((before + after) / 2)
            before = after
    return {
        name: Compared(
            Figures(tuple(a / b for a, b in zip(own[name], beside[name], strict=True))),
            Figures(tuple(own[name])),
            Figures(tuple(beside[name])),
        )
        for name in ours
    }
