"""People let support see their settings for a time; the deeds of that in the trail."""

from datetime import timedelta

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

from accounts.walled import walled

SAME_TENANT = """
ALTER TABLE accounts_supportconsent ADD CONSTRAINT accounts_supportconsent_user_id_same_tenant
    FOREIGN KEY (tenant_id, user_id) REFERENCES accounts_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE accounts_supportconsent IS 'Whose settings support may look at, and until when; each look is in the audit trail.';
COMMENT ON COLUMN accounts_supportconsent.until IS 'From this moment on support sees nothing more, whether the row is still there or not.';
"""
FREE_TENANT = "ALTER TABLE accounts_supportconsent DROP CONSTRAINT accounts_supportconsent_user_id_same_tenant"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0021_contracts"),
    ]

    operations = [
        migrations.CreateModel(
            name="SupportConsent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "given_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="allowed since"
                    ),
                ),
                ("until", models.DateTimeField(editable=False, verbose_name="allowed until")),
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
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="support_consent",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "support access",
                "verbose_name_plural": "support access",
                "ordering": ["until", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(until__gt=F("given_at"), until__lte=F("given_at") + timedelta(days=7)),
                        name="accounts_support_consent_a_week_at_most",
                        violation_error_message="Support access lasts a week at most.",
                    ),
                ],
            },
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="deed",
            field=models.CharField(
                choices=[
                    ("logged_in", "logged in"),
                    ("created", "created"),
                    ("changed", "changed"),
                    ("deleted", "deleted"),
                    ("credentials_issued", "credentials given out"),
                    ("password_changed", "password changed"),
                    ("password_imported", "password brought along from another installation"),
                    ("factor_added", "second factor added"),
                    ("factor_removed", "second factor removed"),
                    ("factors_removed", "all second factors removed"),
                    ("factors_removal", "removal of second factors asked for"),
                    ("factors_kept", "removal of second factors stopped"),
                    ("codes_drawn", "backup codes drawn"),
                    ("password_reset", "password set anew by a mailed link"),
                    ("reset_link_sent", "link for a new password sent"),
                    ("recovery_requested", "new credentials asked for"),
                    ("recovery_address", "recovery address changed"),
                    ("locked", "locked"),
                    ("unlocked", "unlocked"),
                    ("leaves", "departure planned"),
                    ("stays", "departure taken back"),
                    ("support_allowed", "support access allowed"),
                    ("support_ended", "support access ended"),
                    ("support_looked", "settings looked at by support"),
                    ("tenant_suspended", "tenant suspended"),
                    ("tenant_resumed", "tenant resumed"),
                ],
                max_length=32,
                verbose_name="deed",
            ),
        ),
        migrations.RunSQL(SAME_TENANT, FREE_TENANT),
        walled("accounts_supportconsent"),
    ]
