"""Recovery addresses, mailed links for a new password, and requests to those who can help."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.models.recovery

SAME_TENANT = """
ALTER TABLE accounts_recoveryrequest ADD CONSTRAINT accounts_recovery_request_same_tenant
    FOREIGN KEY (tenant_id, user_id) REFERENCES accounts_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
"""
FREE_TENANT = "ALTER TABLE accounts_recoveryrequest DROP CONSTRAINT accounts_recovery_request_same_tenant"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_known_places"),
    ]

    operations = [
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
                    ("password_reset", "password set anew by a mailed link"),
                    ("reset_link_sent", "link for a new password sent"),
                    ("recovery_requested", "new credentials asked for"),
                    ("recovery_address", "recovery address changed"),
                    ("locked", "locked"),
                    ("unlocked", "unlocked"),
                    ("tenant_suspended", "tenant suspended"),
                    ("tenant_resumed", "tenant resumed"),
                ],
                max_length=32,
                verbose_name="deed",
            ),
        ),
        migrations.AlterField(
            model_name="outboxmessage",
            name="kind",
            field=models.CharField(
                choices=[
                    ("email", "e-mail"),
                    ("end_mail_sessions", "end mail sessions"),
                    ("password_reset", "answer to a forgotten password"),
                    ("recovery_address", "confirmation of a recovery address"),
                ],
                max_length=32,
            ),
        ),
        migrations.CreateModel(
            name="PasswordReset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(default=accounts.models.recovery.reset_deadline)),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="password_resets",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "link for a new password",
                "verbose_name_plural": "links for a new password",
            },
        ),
        migrations.CreateModel(
            name="RecoveryAddress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("address", models.CharField(max_length=254, verbose_name="recovery address")),
                ("proposed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(default=accounts.models.recovery.confirm_deadline)),
                ("verified_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recovery_addresses",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "recovery address",
                "verbose_name_plural": "recovery addresses",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("verified_at__isnull", False)),
                        fields=("user",),
                        name="accounts_recovery_address_one_in_force",
                        violation_error_message="A person has one recovery address.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("verified_at", None)),
                        fields=("user",),
                        name="accounts_recovery_address_one_waiting",
                        violation_error_message="One recovery address waits to be confirmed at a time.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RecoveryRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="asked on")),
                (
                    "outcome",
                    models.CharField(
                        choices=[("open", "open"), ("done", "credentials given out"), ("dismissed", "dismissed")],
                        default="open",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed on")),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="closed by",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recovery_requests",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "request for new credentials",
                "verbose_name_plural": "requests for new credentials",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="accounts_recovery_request_tenant_id"),
                    models.UniqueConstraint(
                        condition=models.Q(("outcome", "open")),
                        fields=("user",),
                        name="accounts_recovery_request_one_open",
                        violation_error_message="This person's request is open already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("outcome", "open")),
                            models.Q(("closed_at__isnull", False), ("outcome__in", ["done", "dismissed"])),
                            _connector="OR",
                        ),
                        name="accounts_recovery_request_closed_once",
                        violation_error_message="A request is open, or closed at a moment.",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SAME_TENANT, FREE_TENANT),
    ]
