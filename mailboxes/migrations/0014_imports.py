"""Files of mailboxes that wait for a decision or for the worker, and their rows."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from accounts.walled import walled

SAME_TENANT = """
ALTER TABLE mailboxes_import ADD CONSTRAINT mailboxes_import_uploaded_by_same_tenant
    FOREIGN KEY (tenant_id, uploaded_by_id) REFERENCES accounts_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE mailboxes_import ADD CONSTRAINT mailboxes_import_started_by_same_tenant
    FOREIGN KEY (tenant_id, started_by_id) REFERENCES accounts_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE mailboxes_importrow ADD CONSTRAINT mailboxes_import_row_batch_id_same_tenant
    FOREIGN KEY (tenant_id, batch_id) REFERENCES mailboxes_import (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE mailboxes_importrow IS 'Rows of uploaded files, judged; gone a day after the upload or the import.';
"""
FREE_TENANT = """
ALTER TABLE mailboxes_importrow DROP CONSTRAINT mailboxes_import_row_batch_id_same_tenant;
ALTER TABLE mailboxes_import DROP CONSTRAINT mailboxes_import_started_by_same_tenant;
ALTER TABLE mailboxes_import DROP CONSTRAINT mailboxes_import_uploaded_by_same_tenant;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0015_deputies"),
        ("mailboxes", "0013_members"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, verbose_name="file")),
                (
                    "uploaded_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="uploaded"),
                ),
                ("finished_at", models.DateTimeField(editable=False, null=True, verbose_name="finished")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("checked", "waits for your decision"),
                            ("running", "is being imported"),
                            ("done", "imported"),
                            ("stopped", "stopped, nothing was imported"),
                        ],
                        default="checked",
                        editable=False,
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "choice",
                    models.CharField(
                        blank=True,
                        choices=[("all", "all or nothing"), ("valid", "leave out faulty rows")],
                        editable=False,
                        max_length=8,
                        verbose_name="choice",
                    ),
                ),
                ("reason", models.CharField(blank=True, editable=False, max_length=254)),
                ("rows_new", models.PositiveIntegerField(default=0, editable=False)),
                ("rows_same", models.PositiveIntegerField(default=0, editable=False)),
                ("rows_different", models.PositiveIntegerField(default=0, editable=False)),
                ("rows_bad", models.PositiveIntegerField(default=0, editable=False)),
                ("rows_made", models.PositiveIntegerField(default=0, editable=False)),
                ("aliases_made", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "started_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "import of mailboxes",
                "verbose_name_plural": "imports of mailboxes",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="ImportRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.PositiveIntegerField(verbose_name="line")),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("new", "new"),
                            ("same", "already there"),
                            ("different", "already there, but different"),
                            ("bad", "faulty"),
                            ("made", "imported"),
                        ],
                        max_length=9,
                        verbose_name="verdict",
                    ),
                ),
                ("wish", models.JSONField(null=True)),
                ("aliases", models.PositiveSmallIntegerField(default=0)),
                ("faults", models.JSONField(default=list)),
                ("cells", models.JSONField(default=list)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="rows", to="mailboxes.import"
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
                "verbose_name": "row of an import",
                "verbose_name_plural": "rows of imports",
                "ordering": ["line"],
            },
        ),
        migrations.AddConstraint(
            model_name="import",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="mailboxes_import_tenant_id"),
        ),
        migrations.AddConstraint(
            model_name="import",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("choice", ""), ("state", "checked")),
                    models.Q(("choice__in", ["all", "valid"]), ("state__in", ["running", "done", "stopped"])),
                    _connector="OR",
                ),
                name="mailboxes_import_decided",
                violation_error_message="An import runs only after somebody has decided how.",
            ),
        ),
        migrations.AddIndex(
            model_name="importrow",
            index=models.Index(fields=["tenant", "batch", "verdict", "line"], name="mailboxes_import_row_next"),
        ),
        migrations.AddConstraint(
            model_name="importrow",
            constraint=models.UniqueConstraint(fields=("batch", "line"), name="mailboxes_import_row_line"),
        ),
        migrations.AddConstraint(
            model_name="importrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("wish__isnull", False), ("verdict", "bad"), _connector="OR"),
                name="mailboxes_import_row_says_something",
            ),
        ),
        migrations.RunSQL(SAME_TENANT, FREE_TENANT),
        walled("mailboxes_import"),
        walled("mailboxes_importrow"),
    ]
