"""People may bring along the password that they had elsewhere."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0019_forwards"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="password_imported_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="password brought along"),
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
                    ("tenant_suspended", "tenant suspended"),
                    ("tenant_resumed", "tenant resumed"),
                ],
                max_length=32,
                verbose_name="deed",
            ),
        ),
    ]
