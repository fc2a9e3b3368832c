"""E-mails about how mail is treated."""

from accounts.emails import tell


def absence_set(absence, *, by):
    """To whose mailbox a DVB has set a notice of absence."""
    tell(absence.mailbox.user, "absence_set", absence=absence, by=by)


def absence_ended(absence, *, by):
    """To whose notice somebody else has switched off."""
    tell(absence.mailbox.user, "absence_ended", by=by)
