"""Names of people and organisations: any script, but nothing that cannot be seen."""

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Controls, direction marks, line separators, unpaired surrogates and private characters.
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# They shape letters in Persian and Indic names and join emoji.
JOINERS = "\u200c\u200d"


def validate_name(text: str):
    """Refuse characters by which a name would look like another or turn a line around."""
    if any(unicodedata.category(char) in UNSEEN and char not in JOINERS for char in text):
        raise ValidationError(_("This holds characters that cannot be seen. Please type it instead of pasting it."))
