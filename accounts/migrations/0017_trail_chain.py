"""A hash chain over the audit trail, linked by the worker."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"
UNLINKED = """
DROP TRIGGER accounts_await_link ON accounts_auditevent;
DROP FUNCTION accounts_link_trail(integer);
DROP FUNCTION accounts_await_link();
DROP FUNCTION accounts_link_hash(text, text);
DROP FUNCTION accounts_trail_line(accounts_auditevent);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0016_functions"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditLink",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="link",
                        serialize=False,
                        to="accounts.auditevent",
                    ),
                ),
                ("number", models.BigIntegerField(null=True, unique=True)),
                ("hash", models.CharField(blank=True, max_length=64)),
                ("linked_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "link of the audit trail",
                "verbose_name_plural": "links of the audit trail",
                "indexes": [
                    models.Index(
                        condition=models.Q(("number", None)), fields=["event"], name="accounts_audit_link_waiting"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("hash", ""), ("linked_at", None), ("number", None)),
                            models.Q(
                                ("hash__regex", "^[0-9a-f]{64}$"), ("linked_at__isnull", False), ("number__gte", 1)
                            ),
                            _connector="OR",
                        ),
                        name="accounts_audit_link_whole",
                    )
                ],
            },
        ),
        migrations.RunSQL((SQL / "trail_chain.sql").read_text(), UNLINKED),
    ]
