"""The mail servers ask functions, which keep the plans of the views that they read."""

from pathlib import Path

from django.db import migrations

from mailboxes.contract import remade_contract

SQL = Path(__file__).resolve().parents[1] / "sql"

# On the way back: what mail.note_login needs, which the first version knows nothing of.
NOTE_LOGIN = "GRANT SELECT (password_changed_at) ON accounts_user TO mail_owner"


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0004_mail_logins"), ("accounts", "0002_roles_and_sign_in")]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, NOTE_LOGIN),
        *remade_contract(SQL, new="0002", old="0001"),
    ]
