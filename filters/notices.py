"""The fixed text of a notice of absence that a DVB sets: it names no reason and nobody but the mailbox."""

from datetime import date

from django.template.loader import render_to_string
from django.utils.translation import override

from accounts.addresses import display_address


def fixed_notice(mailbox, starts_on: date, ends_on: date, write_to: str = "") -> tuple[str, str]:
    """Subject and text in the language of the mailbox's person."""
    shown = display_address(write_to) if write_to else ""
    context = {"mailbox": mailbox, "starts_on": starts_on, "ends_on": ends_on, "write_to": shown}
    with override(mailbox.user.language):
        text = render_to_string("filters/fixed_notice.txt", context)
    subject, _, text = text.strip().partition("\n")
    return subject, text.strip()
