"""E-mails about how mail is treated."""

from accounts.emails import tell


def absence_set(absence, *, by):
    """To whom a mailbox is to which a DVB has set a notice of absence."""
    tell(absence.mailbox.responsible, "absence_set", absence=absence, by=by)


def absence_ended(absence, *, by):
    """To whose notice somebody else has switched off."""
    tell(absence.mailbox.responsible, "absence_ended", absence=absence, by=by)
