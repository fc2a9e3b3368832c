"""The certificate that a mailbox and its mail were deleted, as tagged PDF."""

import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from accounts.models import Installation, Logo

from .models import DeletedMailbox
from .models.mailboxes import MEGABYTE
from .sheet import Sheet

TOP = 45  # millimetres


def certificate(record: DeletedMailbox) -> bytes:
    """One page in the reader's language."""
    tenant, now = record.tenant, timezone.localtime()
    logo = Logo.objects.filter(tenant=tenant).first()
    sheet = Sheet(_("Certificate of deletion"), get_language() or "de", now.date())
    sheet.add_page()
    sheet._frame(bytes(logo.png) if logo else b"", tenant.accent)
    sheet.set_y(TOP)
    sheet._text(_("Certificate of deletion"), size=16, bold=True, tag="/H1")
    sheet.ln(3)
    text = _(
        "%(hoster)s certifies to %(customer)s that the following mailbox was deleted with all its messages, folders, "
        "filter rules, settings and credentials."
    )
    sheet._text(text % {"hoster": Installation.objects.current(), "customer": tenant})
    sheet.ln(3)
    for label, value in rows(record):
        sheet._row(label, [value])
    sheet.ln(4)
    sheet._text(
        _("Copies in backups of the mail servers end with these. The trail of who did what is kept apart from this.")
    )
    sheet._text(_("Made by the portal on %(day)s.") % {"day": moment(now)}, size=9.5)
    return bytes(sheet.output())


def rows(record: DeletedMailbox) -> list[tuple[str, str]]:
    size = -(-record.bytes // MEGABYTE)
    count = ngettext("%(count)d message", "%(count)d messages", record.messages) % {"count": record.messages}
    found = [
        (_("E-mail address"), str(record)),
        (_("Name"), record.name),
        (_("Closed since"), date_format(record.left_on)),
        (_("Readable until"), date_format(record.read_until)),
        (_("Deleted on"), moment(timezone.localtime(record.deleted_at))),
        (_("Deleted"), _("%(count)s, %(size)d MB") % {"count": count, "size": size}),
        (_("Blocked until"), date_format(record.free_on)),
    ]
    return [(label, value) for label, value in found if value]


def moment(when: datetime.datetime) -> str:
    return _("%(day)s, %(time)s") % {"day": date_format(when), "time": date_format(when, "TIME_FORMAT")}
