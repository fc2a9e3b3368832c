"""What the Startseite says of how a mailbox's mail is treated, read along with the mailbox in one statement."""

from dataclasses import dataclass
from datetime import date

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, F, Func, JSONField, OuterRef, Subquery
from django.db.models.functions import JSONObject
from django.utils.dateparse import parse_date

from .forms import effective_words
from .models import Absence, SenderRule, Verdict
from .models.settings import Effective
from .month import Day, Month


class AsJson(Func):
    function = "to_jsonb"
    output_field = JSONField()


def with_overview(mailboxes):
    """Mailboxes with what `Overview.of` reads: `spam`, `listed`, `away` and `mail`."""
    rules = SenderRule.objects.filter(mailbox=OuterRef("pk")).order_by().values("kind").annotate(number=Count("pk"))
    told = {name: name for name in ("is_on", "starts_on", "ends_on", "by_dvb")}
    absence = Absence.objects.filter(mailbox=OuterRef("pk")).values(told=JSONObject(**told, setter="set_by__name"))
    days = Verdict.objects.filter(mailbox=OuterRef("pk")).by_day()
    counted = {name: name for name in ("day", *Verdict.COUNTED_AS)}
    return mailboxes.annotate(
        mail=ArraySubquery(days.values(told=JSONObject(**counted))),
        spam=AsJson(Func(F("pk"), function="filters_settings_of")),
        listed=ArraySubquery(rules.values(told=JSONObject(kind="kind", number="number"))),
        away=Subquery(absence),
    )


@dataclass(frozen=True)
class Overview:
    """What holds for the mail of one mailbox."""

    facts: list[tuple[str, str]]
    blocked: int
    allowed: int
    absence: Absence | None
    set_by: str
    month: Month

    @classmethod
    def of(cls, mailbox) -> "Overview":
        numbers = {row["kind"]: row["number"] for row in mailbox.listed}
        away = mailbox.away or {"is_on": False}
        days = {name: parse_date(away.get(name) or "") for name in ("starts_on", "ends_on")}
        absence = Absence(is_on=away["is_on"], by_dvb=away.get("by_dvb", False), **days)
        return cls(
            facts=effective_words(Effective.of_row(**mailbox.spam)),
            blocked=numbers.get(SenderRule.Kind.BLOCK, 0),
            allowed=numbers.get(SenderRule.Kind.ALLOW, 0),
            absence=absence if absence.is_coming_or_on else None,
            set_by=away.get("setter") or "",
            month=Month.of(Day(**row | {"day": date.fromisoformat(row["day"])}) for row in mailbox.mail),
        )
