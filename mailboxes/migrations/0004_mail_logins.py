"""When a mailbox was last opened by a mail program, noted by a function that Dovecot calls."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"

SAME_TENANT = """
ALTER TABLE mailboxes_maillogin ADD CONSTRAINT mailboxes_maillogin_mailbox_id_same_tenant
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes_mailbox (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE mailboxes_maillogin IS 'Last login per mailbox and service, written by mail.note_login alone.';
COMMENT ON COLUMN mailboxes_maillogin.service IS 'Dovecot''s name of the service: imap, pop3, smtp (submission), sieve.';
COMMENT ON COLUMN mailboxes_maillogin.at IS 'Time of the last login, at most a minute old while in use.';
"""
NO_FUNCTION = """
DROP FUNCTION mail.note_login(text, text);
REVOKE ALL ON mailboxes_maillogin FROM mail_owner;
REVOKE SELECT (password_changed_at) ON accounts_user FROM mail_owner;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_roles_and_sign_in"),
        ("mailboxes", "0003_mail_contract"),
    ]

    operations = [
        migrations.CreateModel(
            name="MailLogin",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "service",
                    models.CharField(
                        choices=[
                            ("imap", "IMAP (receiving)"),
                            ("pop3", "POP3 (receiving)"),
                            ("smtp", "SMTP (sending)"),
                            ("sieve", "ManageSieve (filter rules)"),
                        ],
                        max_length=8,
                        verbose_name="service",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="last login")),
                (
                    "mailbox",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="logins",
                        to="mailboxes.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "login by a mail program",
                "verbose_name_plural": "logins by mail programs",
                "constraints": [
                    models.UniqueConstraint(fields=("mailbox", "service"), name="mailboxes_mail_login_once"),
                    models.CheckConstraint(
                        condition=models.Q(("service__in", ["imap", "pop3", "smtp", "sieve"])),
                        name="mailboxes_mail_login_service",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SAME_TENANT, migrations.RunSQL.noop),
        migrations.RunSQL((SQL / "note_login.sql").read_text(), NO_FUNCTION),
    ]
