"""Storage in numbers that people read: bytes and megabytes as Dovecot counts them, 1 GB = 1024 MB."""

from django.utils import formats
from django.utils.html import format_html
from django.utils.translation import gettext

from .models.mailboxes import MEGABYTE, NEARLY_FULL


def used_of(used_bytes: int, allowed_mb: int) -> str:
    """For example “1,2 of 4,0 GB”: both in the unit in which the allowed reads best."""
    unit, size, digits = ("GB", 1024, 1) if allowed_mb >= 1024 else ("MB", 1, 0)
    used = used_bytes / MEGABYTE / size
    return gettext("%(used)s of %(allowed)s %(unit)s") % {
        "used": rounded(used, 1 if 0 < used < 10 else digits),
        "allowed": rounded(allowed_mb / size, digits),
        "unit": unit,
    }


def rounded(number: float, digits: int) -> str:
    """In the reader's language; Django by itself would cut off what is left over."""
    return formats.number_format(round(number, digits), digits, force_grouping=True)


def usage_shown(used_bytes: int, allowed_mb: int) -> str:
    """The words, and a bar for the eye that turns where a mailbox is nearly full."""
    return format_html(
        '<span class="usage">{} '
        '<meter aria-hidden="true" min="0" max="{}" high="{}" optimum="0" value="{}"></meter></span>',
        used_of(used_bytes, allowed_mb),
        allowed_mb,
        allowed_mb * NEARLY_FULL // 100,
        min(used_bytes // MEGABYTE, allowed_mb),
    )
