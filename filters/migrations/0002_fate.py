"""One rule, in the database, for what becomes of a message in a mailbox."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"
NO_FATE = """
DROP FUNCTION filters_fate_of(bigint, text, text, numeric, boolean, integer);
DROP FUNCTION filters_rules_of(bigint);
DROP FUNCTION filters_sender_keys(text);
DROP FUNCTION filters_settings_of(bigint);
REVOKE ALL ON filters_spamsettings, filters_spampolicy, filters_senderrule, filters_absence FROM mail_owner;
"""


class Migration(migrations.Migration):
    dependencies = [("filters", "0001_initial")]

    operations = [migrations.RunSQL((SQL / "fate.sql").read_text(), NO_FATE)]
