"""How mail is treated: lists of senders, the spam filter's settings, notices of absence, and what became of mail."""

from .absences import Absence
from .senders import SenderRule
from .settings import Sensitivity, SpamPolicy, SpamSettings
from .verdicts import Verdict

__all__ = ["Absence", "SenderRule", "Sensitivity", "SpamPolicy", "SpamSettings", "Verdict"]
