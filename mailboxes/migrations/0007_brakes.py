"""Passwords tried by mail programs are counted before any hashing, as those at the portal are."""

import re
from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"

NO_BRAKES = """
DROP FUNCTION mail.password_of(text, text, text, text), mail.note_login(text, text, text, text),
    mail.key_of(text, text, text), mail.network_of(text);
REVOKE ALL ON accounts_brake, accounts_knownplace FROM mail_owner;
"""
# On the way back: the function as the contract's second version made it.
PASSWORD_OF = re.search(
    r"CREATE FUNCTION mail\.password_of.*?\$\$;\n", (SQL / "0002_create.sql").read_text(), re.DOTALL
)
WITHOUT = f"""
{NO_BRAKES}
SET LOCAL ROLE mail_owner;
{PASSWORD_OF[0] if PASSWORD_OF else ""}
REVOKE EXECUTE ON FUNCTION mail.password_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail.password_of TO mail_auth;
RESET ROLE;
{(SQL / "note_login.sql").read_text()}
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0006_app_passwords"), ("accounts", "0009_count_try")]

    operations = [migrations.RunSQL((SQL / "brakes.sql").read_text(), WITHOUT)]
