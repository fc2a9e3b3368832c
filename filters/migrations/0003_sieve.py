"""Dovecot reads from the database what it does with each message."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"
NO_SIEVE = """
DROP VIEW mail.sieve_senders, mail.sieve_scripts;
DROP FUNCTION mail.named, mail.filters_of, mail.sieve_script, mail.sieve_mark, mail.sieve_policy, mail.sieve_parts,
    mail.sieve_notice, mail.sieve_test, mail.sieve_strings, mail.sieve_string;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("filters", "0002_fate"),
        ("mailboxes", "0017_forwards"),
    ]

    operations = [migrations.RunSQL((SQL / "sieve.sql").read_text(), NO_SIEVE)]
