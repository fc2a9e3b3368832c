"""The tables of mailboxes behind the second wall; the mail servers' roles see what their grants let them, of every tenant."""

from django.db import migrations

from accounts.walled import MY_TENANT, walled

# It looks into the addresses of whatever mailbox Dovecot names, so it runs as who sees them all.
STAMP = """
GRANT CREATE ON SCHEMA public TO mail_owner;
ALTER FUNCTION mailboxes_usage_stamp() OWNER TO {};
REVOKE CREATE ON SCHEMA public FROM mail_owner;
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0007_brakes"), ("accounts", "0011_second_wall")]

    operations = [
        walled("mailboxes_domain", mail="mail_owner"),
        walled("mailboxes_address", mail="mail_owner"),
        walled("mailboxes_mailbox", mail="mail_owner"),
        walled("mailboxes_alias", mail="mail_owner"),
        walled("mailboxes_maillogin", mail="mail_owner"),
        walled("mailboxes_apppassword", mail="mail_owner"),
        walled("mailboxes_usage", mail="mail_usage"),
        walled("mailboxes_serveraddress", f"tenant_id IS NULL OR {MY_TENANT}"),
        migrations.RunSQL(STAMP.format("mail_owner"), STAMP.format("ksc_owner")),
    ]
