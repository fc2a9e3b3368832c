"""How mail is treated: lists of senders, the spam filter's settings, notices of absence, and what became of mail."""

from .absences import Absence
from .senders import SenderRule
from .settings import Sensitivity, SpamPolicy, SpamSettings
from .verdicts import MailDay, Verdict, forget_verdicts

__all__ = [
    "Absence",
    "MailDay",
    "SenderRule",
    "Sensitivity",
    "SpamPolicy",
    "SpamSettings",
    "Verdict",
    "forget_verdicts",
]
