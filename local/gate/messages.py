"""Keeps the German catalogue complete: every text in the code is in it, translated, and nothing else is."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import polib

from local.folders import CHECKOUT
from local.gate.sources import files, finish

CATALOGUE = Path("locale/de/LC_MESSAGES/django.po")
SOURCES = ("*.py", "*.html", "*.txt", "manage.py")
APPS = ("kscsite", "filters", "mailboxes", "accounts", "templates")
# Whose texts people see. What they lack in German is in our catalogue, or in the list of what is never shown.
LIBRARIES = (
    *("django.conf", "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
    *("django_otp", "django_otp.plugins.otp_static", "django_otp.plugins.otp_totp", "formtools", "two_factor"),
)
NOT_SHOWN = Path(__file__).with_name("not_shown.txt")
Key = tuple[str | None, str, str]


def keys(catalogue: polib.POFile) -> set[Key]:
    """What identifies the texts that are in use."""
    return {(entry.msgctxt, entry.msgid, entry.msgid_plural) for entry in catalogue if not entry.obsolete}


def extracted() -> set[Key]:
    """The texts that makemessages finds, worked out in a copy so that the checkout stays as it is."""
    with tempfile.TemporaryDirectory(prefix="ksc-messages-") as name:
        copy = Path(name)
        for path in files(*SOURCES):
            if path.parts[0] in APPS or path.name == "manage.py":
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(CHECKOUT / path, copy / path)
        (copy / CATALOGUE.parent).mkdir(parents=True)
        command = [sys.executable, "manage.py", "makemessages", "--locale", "de", "--verbosity", "0"]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
        if done.returncode:
            finish([done.stdout + done.stderr])
        made = copy / CATALOGUE
        return keys(polib.pofile(str(made))) if made.exists() else set()


def findings() -> list[str]:
    """What is missing, left over, untranslated or only guessed."""
    path = CHECKOUT / CATALOGUE
    catalogue = polib.pofile(str(path)) if path.exists() else polib.POFile()
    have, want = keys(catalogue), extracted()
    found = [f"not in {CATALOGUE}: {msgid!r}" for _, msgid, _ in sorted(want - have, key=str)]
    found += [f"no longer used: {msgid!r}" for _, msgid, _ in sorted(have - want, key=str)]
    found += [f"not translated: {entry.msgid!r}" for entry in catalogue.untranslated_entries()]
    found += [f"fuzzy: {entry.msgid!r}" for entry in catalogue.fuzzy_entries()]
    found += [f"obsolete: {entry.msgid!r}" for entry in catalogue.obsolete_entries()]
    ours = {msgid for _, msgid, _ in have} | set(NOT_SHOWN.read_text().splitlines())
    found += [f"{library} lacks in German: {text!r}" for library, text in lacking() if text not in ours]
    return found


def lacking() -> Iterator[tuple[str, str]]:
    """The texts that a library has no certain German for."""
    for library in LIBRARIES:
        spec = find_spec(library)
        folder = Path(spec.origin).parent / CATALOGUE.parent if spec and spec.origin else Path()
        for path in sorted(folder.glob("*.po")):
            catalogue = polib.pofile(str(path))
            for entry in (*catalogue.untranslated_entries(), *catalogue.fuzzy_entries()):
                yield library, entry.msgid


if __name__ == "__main__":
    finish(findings())
