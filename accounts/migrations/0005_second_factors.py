import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.names


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_portal_language"),
    ]

    operations = [
        # Sessions have moved to a table that knows whose they are; who is logged in logs in once more.
        migrations.RunSQL("DROP TABLE IF EXISTS django_session", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="BackupCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64)),
            ],
            options={
                "verbose_name": "backup code",
                "verbose_name_plural": "backup codes",
            },
        ),
        migrations.CreateModel(
            name="Factor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("confirmed", models.BooleanField(default=True, help_text="Is this device ready for use?")),
                (
                    "name",
                    models.CharField(
                        blank=True, max_length=60, validators=[accounts.names.validate_name], verbose_name="name"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("totp", "authenticator app"),
                            ("yubikey", "YubiKey"),
                            ("webauthn", "security key or passkey"),
                            ("codes", "backup codes"),
                        ],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("identifier", models.CharField(blank=True, max_length=1400)),
                ("secret", models.TextField(blank=True)),
                ("position", models.BigIntegerField(default=0)),
                ("sign_count", models.BigIntegerField(default=0)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="added"),
                ),
                ("last_used_at", models.DateTimeField(editable=False, null=True, verbose_name="last used")),
            ],
            options={
                "verbose_name": "second factor",
                "verbose_name_plural": "second factors",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="PortalSession",
            fields=[
                (
                    "session_key",
                    models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="session key"),
                ),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
            },
        ),
        migrations.AddField(
            model_name="tenant",
            name="app_passwords_only",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="The password then opens the portal alone, with or without a second factor.",
                verbose_name="mail programs with app passwords only",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="second_factor",
            field=models.CharField(
                choices=[
                    ("free", "as each person likes"),
                    ("from_date", "required from a day on"),
                    ("required", "required"),
                ],
                db_default="free",
                default="free",
                help_text="DVBs, deputies and DSBs always need one.",
                max_length=9,
                verbose_name="second factor of mailbox users",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="second_factor_from",
            field=models.DateField(
                blank=True,
                help_text="Until then people are reminded at each login.",
                null=True,
                verbose_name="required from",
            ),
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
                    ("factor_added", "second factor added"),
                    ("factor_removed", "second factor removed"),
                    ("codes_drawn", "backup codes drawn"),
                    ("locked", "locked"),
                    ("unlocked", "unlocked"),
                    ("tenant_suspended", "tenant suspended"),
                    ("tenant_resumed", "tenant resumed"),
                ],
                max_length=32,
                verbose_name="deed",
            ),
        ),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("second_factor", "from_date"), _negated=True),
                    ("second_factor_from__isnull", False),
                    _connector="OR",
                ),
                name="accounts_tenant_second_factor_day",
                violation_error_message="Say from which day on a second factor is required.",
            ),
        ),
        migrations.AddField(
            model_name="factor",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="factors",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
        migrations.AddField(
            model_name="backupcode",
            name="factor",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="codes", to="accounts.factor"
            ),
        ),
        migrations.AddField(
            model_name="portalsession",
            name="user",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sessions",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="factor",
            constraint=models.UniqueConstraint(
                fields=("user", "kind", "identifier"),
                name="accounts_factor_once",
                violation_error_message="You have added this one already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="factor",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["totp", "yubikey", "webauthn", "codes"])),
                name="accounts_factor_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="backupcode",
            constraint=models.UniqueConstraint(fields=("factor", "digest"), name="accounts_backup_code_once"),
        ),
    ]
