"""Passwords for single mail programs, and the function by which Dovecot asks about them."""

import uuid
from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import accounts.names
import mailboxes.networks

SQL = Path(__file__).resolve().parents[1] / "sql"

SAME_TENANT = """
ALTER TABLE mailboxes_apppassword ADD CONSTRAINT mailboxes_apppassword_mailbox_id_same_tenant
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes_mailbox (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE mailboxes_apppassword IS 'Passwords for single mail programs of a mailbox; opened by mail.app_login.';
COMMENT ON COLUMN mailboxes_apppassword.protocols IS 'Dovecot''s names of the services that it opens: imap, pop3, smtp (submission), sieve.';
COMMENT ON COLUMN mailboxes_apppassword.valid_until IS 'Last day on which it opens anything, in Europe/Berlin; NULL: no end.';
COMMENT ON COLUMN mailboxes_apppassword.networks IS 'From where it opens anything; empty: from everywhere.';
COMMENT ON COLUMN mailboxes_apppassword.token_hash IS 'SHA-256 in hex of pepper and password.';
COMMENT ON COLUMN mailboxes_apppassword.last_used_at IS 'Time of the last login, at most a minute old while in use; by mail.app_login alone.';
COMMENT ON COLUMN mailboxes_apppassword.last_used_by IS 'Service of the last login.';
COMMENT ON COLUMN mailboxes_apppassword.last_used_ip IS 'Address of the last login; forgotten after a week.';
"""
NO_FUNCTION = """
DROP FUNCTION mail.app_login(text, text, text, text);
REVOKE ALL ON mailboxes_apppassword FROM mail_owner;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_portal_language"),
        ("mailboxes", "0005_kept_plans"),
    ]

    operations = [
        migrations.CreateModel(
            name="AppPassword",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "name",
                    models.CharField(max_length=60, validators=[accounts.names.validate_name], verbose_name="name"),
                ),
                (
                    "protocols",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("imap", "IMAP (receiving)"),
                                ("pop3", "POP3 (receiving)"),
                                ("smtp", "SMTP (sending)"),
                                ("sieve", "ManageSieve (filter rules)"),
                            ],
                            max_length=8,
                        ),
                        size=None,
                        verbose_name="allowed for",
                    ),
                ),
                ("valid_until", models.DateField(blank=True, null=True, verbose_name="last day")),
                (
                    "networks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=mailboxes.networks.NetworkField(),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="allowed networks",
                    ),
                ),
                ("token_hash", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created"),
                ),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked")),
                ("last_used_at", models.DateTimeField(editable=False, null=True, verbose_name="last use")),
                (
                    "last_used_by",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("imap", "IMAP (receiving)"),
                            ("pop3", "POP3 (receiving)"),
                            ("smtp", "SMTP (sending)"),
                            ("sieve", "ManageSieve (filter rules)"),
                        ],
                        editable=False,
                        max_length=8,
                        verbose_name="last used for",
                    ),
                ),
                (
                    "last_used_ip",
                    models.GenericIPAddressField(editable=False, null=True, verbose_name="last used from"),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="app_passwords",
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
                "verbose_name": "app password",
                "verbose_name_plural": "app passwords",
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="mailboxes_app_password_tenant_id"),
                    models.CheckConstraint(
                        condition=models.Q(("protocols__len__gte", 1)),
                        name="mailboxes_app_password_some_protocol",
                        violation_error_message="Choose at least one thing that the app password is for.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("protocols__contained_by", ["imap", "pop3", "smtp", "sieve"])),
                        name="mailboxes_app_password_known_protocols",
                        violation_error_message="An app password is for IMAP, POP3, SMTP or ManageSieve.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("networks__len__lte", 10)),
                        name="mailboxes_app_password_few_networks",
                        violation_error_message="At most 10 networks. Leave some out, or write a larger range.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("token_hash__regex", "^[0-9a-f]{64}$")),
                        name="mailboxes_app_password_hash_in_hex",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SAME_TENANT, migrations.RunSQL.noop),
        migrations.RunSQL((SQL / "app_login.sql").read_text(), NO_FUNCTION),
    ]
