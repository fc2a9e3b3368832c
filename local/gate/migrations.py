"""Finds model changes without a migration; asks no database."""

import django
from django.core.management import call_command
from django.db import connections

if __name__ == "__main__":
    django.setup()
    for alias in connections:
        # The command would compare the files with a database's history; there is none here.
        connections[alias].settings_dict["ENGINE"] = "django.db.backends.dummy"
    call_command("makemigrations", check_changes=True, dry_run=True)
