"""Builds the .mo catalogues from the .po files; they are not committed."""

from pathlib import Path

import polib

from local.folders import CHECKOUT


def build(locale: Path = CHECKOUT / "locale") -> None:
    """Write each catalogue that is older than its source."""
    for source in locale.glob("*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        new = target.with_suffix(".mo.new")
        polib.pofile(str(source)).save_as_mofile(str(new))
        new.replace(target)
