"""Small charts of the desk's start page: bars whose lengths the server has worked out, in a table of their numbers."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext

from accounts.models import CredentialState

from .models.mailboxes import MEGABYTE
from .storage import used_of
from .todo import factor_needed_soon, mailboxes_where

# A bar is drawn this wide, whatever it becomes on the page; what is not nothing stays visible.
WIDTH, LEAST = 1000, 12
HIGH = 0.9


@dataclass(frozen=True)
class Bar:
    label: str
    text: str
    length: int
    tone: str = ""
    url: str = ""


@dataclass(frozen=True)
class Chart:
    title: str
    bars: list[Bar]
    note: str = ""


def charts_of(people, contract, tenant) -> list[Chart]:
    return [by_state(people), by_factor(people, tenant), of_storage(people, contract), of_contract(people, contract)]


def length(part: float, whole: float) -> int:
    """How far a bar reaches of `WIDTH`, in whole numbers, which no language writes with a comma."""
    if not part:
        return 0
    return max(LEAST, min(WIDTH, round(WIDTH * part / whole))) if whole else WIDTH


def shown(number: int) -> str:
    return formats.number_format(number, force_grouping=True)


def by_state(people) -> Chart:
    tones = {CredentialState.EXPIRED: "bad", CredentialState.CHANGED: "good"}
    bars = [
        Bar(
            str(state.label),
            shown(people[state.value]),
            length(people[state.value], people["mailboxes"]),
            tones.get(state, ""),
            mailboxes_where(credentials=state.value),
        )
        for state in CredentialState
        # Only a customer who moved here has such people.
        if state != CredentialState.IMPORTED or people[state.value]
    ]
    return Chart(gettext("Initial passwords"), bars)


def by_factor(people, tenant) -> Chart:
    having, all_people = people["with_factor"], people["mailboxes"]
    lacking = all_people - having
    tone = "bad" if factor_needed_soon(tenant) else ""
    bars = [
        Bar(
            gettext("with a second factor"),
            shown(having),
            length(having, all_people),
            "good",
            mailboxes_where(factor="yes"),
        ),
        Bar(
            gettext("without a second factor"),
            shown(lacking),
            length(lacking, all_people),
            tone,
            mailboxes_where(factor="no"),
        ),
    ]
    free = tenant.second_factor == tenant.SecondFactor.FREE
    note = gettext("Each person decides whether to have one; the rules for logins can require it.") if free else ""
    return Chart(gettext("Second factors"), bars, note)


def of_storage(people, contract) -> Chart:
    allowed = contract["max_storage_mb"]
    used, assigned = contract["used_bytes"], people["assigned_mb"] * MEGABYTE
    bars = [
        Bar(label, used_of(part, allowed), length(part, allowed * MEGABYTE), high(part, allowed * MEGABYTE))
        for label, part in ((gettext("held by mail"), used), (gettext("shared out to mailboxes"), assigned))
    ]
    return Chart(gettext("Storage"), bars)


def of_contract(people, contract) -> Chart:
    rows = (
        (gettext("Mailboxes"), people["mailboxes"], contract["max_mailboxes"], "mailbox"),
        (gettext("Alias addresses"), contract["aliases"], contract["max_aliases"], "alias"),
        (gettext("Domains"), contract["domains"], contract["max_domains"], "domain"),
    )
    bars = [
        Bar(
            label,
            gettext("%(part)s of %(whole)s") % {"part": shown(part), "whole": shown(whole)},
            length(part, whole),
            high(part, whole),
            reverse(f"desk:mailboxes_{model}_changelist"),
        )
        for label, part, whole, model in rows
    ]
    return Chart(gettext("Your contract"), bars)


def high(part, whole) -> str:
    return "bad" if part and part >= whole * HIGH else ""
