"""Mail is sent on to other addresses; which are in force is said by one function."""

import uuid
from pathlib import Path

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from accounts.walled import walled

SQL = Path(__file__).resolve().parents[1] / "sql"

SAME_TENANT = """
ALTER TABLE mailboxes_forward ADD CONSTRAINT mailboxes_forward_mailbox_id_same_tenant
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes_mailbox (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE mailboxes_forward IS 'Addresses that a mailbox''s mail is sent on to; mail.forwards_of says which are in force.';
COMMENT ON COLUMN mailboxes_forward.domain IS 'The target''s domain as A-label.';
COMMENT ON COLUMN mailboxes_forward.valid_from IS 'First day in force, in Europe/Berlin; NULL: at once.';
COMMENT ON COLUMN mailboxes_forward.valid_until IS 'Last day in force, in Europe/Berlin; NULL: no end.';
COMMENT ON COLUMN mailboxes_forward.confirmed_at IS 'When the owner of a target outside followed the mailed link; nothing is sent before.';
COMMENT ON COLUMN mailboxes_forward.link_hash IS 'SHA-256 in hex of the token in that link; empty: none waits.';
COMMENT ON COLUMN mailboxes_mailbox.keeps_copy IS 'Whether mail that is sent on stays in the mailbox, too.';
"""
FREE_TENANT = "ALTER TABLE mailboxes_forward DROP CONSTRAINT mailboxes_forward_mailbox_id_same_tenant"
NO_FUNCTION = """
DROP FUNCTION mail.forwards_of(bigint);
REVOKE ALL ON mailboxes_forward FROM mail_owner;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0019_forwards"),
        ("mailboxes", "0016_departures"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="mailbox",
            name="keeps_copy",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Of mail that is sent on.",
                verbose_name="keep a copy in the mailbox",
            ),
        ),
        migrations.CreateModel(
            name="Forward",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("target", models.CharField(max_length=254, verbose_name="target address")),
                (
                    "domain",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(
                            models.F("target"), models.Value("@"), models.Value(2), function="split_part"
                        ),
                        output_field=models.CharField(max_length=253),
                    ),
                ),
                ("is_on", models.BooleanField(db_default=True, default=True, verbose_name="switched on")),
                ("valid_from", models.DateField(blank=True, null=True, verbose_name="from")),
                ("valid_until", models.DateField(blank=True, null=True, verbose_name="until")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created"),
                ),
                ("confirmed_at", models.DateTimeField(editable=False, null=True, verbose_name="confirmed")),
                ("link_hash", models.CharField(blank=True, db_default="", default="", editable=False, max_length=64)),
                ("link_expires_at", models.DateTimeField(editable=False, null=True)),
                ("approved_at", models.DateTimeField(editable=False, null=True, verbose_name="approved")),
                (
                    "approved_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="forwards",
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
                "verbose_name": "forward",
                "verbose_name_plural": "forwards",
                "ordering": ["target", "pk"],
                "indexes": [models.Index(fields=["tenant", "target"], name="mailboxes_forward_tenant")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="mailboxes_forward_tenant_id"),
                    models.UniqueConstraint(
                        fields=("mailbox", "target"),
                        name="mailboxes_forward_once",
                        violation_error_message="Your mail is sent on to this address already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("target__regex", "^[A-Za-z0-9#$&'*+=?^_`{}~.-]+@[a-z0-9-]+(\\.[a-z0-9-]+)+$")
                        ),
                        name="mailboxes_forward_target_plain",
                        violation_error_message="Enter one plain address.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from", None),
                            ("valid_until", None),
                            ("valid_until__gte", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="mailboxes_forward_days_in_order",
                        violation_error_message="The last day is before the first one.",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SAME_TENANT, FREE_TENANT),
        walled("mailboxes_forward", mail="mail_owner"),
        migrations.RunSQL((SQL / "forwards.sql").read_text(), NO_FUNCTION),
    ]
