"""Rspamd's copy of who rejects spam is made of one function, and whatever it is made of has it written anew."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"
WATCHED = (
    *("filters_spamsettings", "filters_spampolicy", "filters_senderrule", "mailboxes_mailbox", "mailboxes_address"),
    *("mailboxes_alias", "mailboxes_aliastarget", "mailboxes_domain"),
)
NO_REJECTS = (
    "".join(f"DROP TRIGGER filters_rejects_stale ON {table};\n" for table in WATCHED)
    + """
DROP FUNCTION filters_rejects_stale;
DROP FUNCTION filters_rejects_of;
"""
)


class Migration(migrations.Migration):
    dependencies = [("filters", "0003_sieve")]

    operations = [migrations.RunSQL((SQL / "rejects.sql").read_text(), NO_REJECTS)]
