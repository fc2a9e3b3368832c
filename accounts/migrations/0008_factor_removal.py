import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_recovery"),
    ]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="factor_removal_hours",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="After a DVB's request the person can object for so long; 0 removes at once, 168 are a week.",
                validators=[django.core.validators.MaxValueValidator(168)],
                verbose_name="pause before second factors are removed (hours)",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="factors_end_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="second factors end"),
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
                    ("remove_factors", "remove second factors"),
                ],
                max_length=32,
            ),
        ),
    ]
