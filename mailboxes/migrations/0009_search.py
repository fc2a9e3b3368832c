"""Parts of addresses and names are found by an index, where PostgreSQL has one for that."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"

NO_SEARCH = """
DROP FUNCTION mailboxes_found(text, text, int), mailboxes_aliases_found(text, int), mailboxes_infix(text);
DROP INDEX IF EXISTS mailboxes_address_infix, accounts_user_infix;
REVOKE SELECT (sort_key) ON accounts_user FROM mail_owner;
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0008_second_wall"), ("accounts", "0011_second_wall")]

    operations = [migrations.RunSQL((SQL / "search.sql").read_text(), NO_SEARCH)]
