"""The addresses of the audit trail are written once and forgotten in time, but never changed."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_second_wall")]

    operations = [
        migrations.RunSQL(
            "REVOKE UPDATE ON accounts_auditnetwork FROM ksc_app", "GRANT UPDATE ON accounts_auditnetwork TO ksc_app"
        )
    ]
