"""What a person's settings are, in words, for whoever the person lets look: seen with the person's eyes alone."""

from dataclasses import dataclass

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from accounts.admin import shown_time
from accounts.models import Factor, User
from mailboxes.models import AliasTarget, AppPassword, Forward, Mailbox
from mailboxes.storage import used_of

from .forms import effective_words
from .models import Absence, SenderRule, SpamSettings


@dataclass(frozen=True)
class Section:
    """Some settings that belong together, each with its name."""

    title: str
    rows: list[tuple[str, str]]


def own_settings(person: User) -> list[Section]:
    """All that support may see: every row is one that the person sees, no mail, no secret."""
    mailbox = Mailbox.objects.visible_to(person).with_usage().select_related("address", "user").get()
    return [
        of_mailbox(mailbox),
        of_login(person),
        Section(_("Alias addresses"), [alias_row(each) for each in AliasTarget.objects.visible_to(person).in_force()]),
        Section(_("Forwards"), [forward_row(each) for each in Forward.objects.visible_to(person).with_state()]),
        Section(_("App passwords"), [app_password_row(each) for each in own_app_passwords(person)]),
        of_spam(mailbox),
        of_lists(person, mailbox),
        of_absence(person, mailbox),
    ]


def own_app_passwords(person):
    return AppPassword.objects.visible_to(person).kept().select_related("mailbox__address")


def day(when) -> str:
    return formats.date_format(when, "SHORT_DATE_FORMAT") if when else ""


def lasting(begins, ends) -> str:
    """From when until when, in words; without days: always."""
    if begins and ends:
        return _("from %(begins)s until %(ends)s") % {"begins": day(begins), "ends": day(ends)}
    if begins:
        return _("from %s on") % day(begins)
    return _("until %s") % day(ends) if ends else ""


def joined(*parts: str) -> str:
    return ", ".join(str(part) for part in parts if part)


def of_mailbox(mailbox) -> Section:
    rows = [
        (_("E-mail address"), str(mailbox)),
        (_("Storage"), used_of(mailbox.used_bytes, mailbox.storage_mb)),
        (_("Delivery"), str(mailbox.get_delivery_display())),
        (_("Copy of forwarded mail"), _("kept") if mailbox.keeps_copy else _("not kept")),
    ]
    return Section(_("Mailbox"), rows)


def of_login(person) -> Section:
    kinds = [str(Factor.Kind(each.kind).label) for each in Factor.objects.visible_to(person).devices()]
    rows = [
        (_("Password"), str(person.credential_state.label)),
        (_("Last password change"), shown_time(person.password_changed_at)),
        (_("Second factor"), joined(*kinds) or "–"),
        (_("Password opens mail programs"), _("yes") if person.mail_password_enabled else _("no")),
    ]
    return Section(_("Login"), rows)


def alias_row(target) -> tuple[str, str]:
    deeds = (_("receives") if target.receives else "", _("sends") if target.may_send else "")
    return str(target.alias), joined(*deeds, lasting(None, target.alias.valid_until))


def forward_row(forward) -> tuple[str, str]:
    confirmed = _("confirmed on %s") % day(timezone.localdate(forward.confirmed_at)) if forward.confirmed_at else ""
    approved = _("approved on %s") % day(timezone.localdate(forward.approved_at)) if forward.approved_at else ""
    return str(forward), joined(forward.state_shown, confirmed, approved)


def app_password_row(row) -> tuple[str, str]:
    return row.name, joined(str(row.mailbox), *row.protocol_labels, lasting(None, row.valid_until))


def of_spam(mailbox) -> Section:
    return Section(_("Spam filter"), effective_words(SpamSettings.objects.effective(mailbox)))


def of_lists(person, mailbox) -> Section:
    """How many senders are on each list; who they are is nobody else's business."""
    own = SenderRule.objects.visible_to(person).on_list_of(mailbox)
    return Section(
        _("Own lists of senders"),
        [(str(kind.label), str(own.filter(kind=kind).count())) for kind in SenderRule.Kind],
    )


def of_absence(person, mailbox) -> Section:
    notice = Absence.objects.visible_to(person).of(mailbox)
    days = lasting(notice.starts_on, notice.ends_on) if notice.is_on else ""
    return Section(_("Absence"), [(_("Notice of absence"), joined(str(notice.state.label), days))])
