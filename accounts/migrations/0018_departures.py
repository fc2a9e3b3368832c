"""People with a mailbox may have a last day, too: they leave."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0017_trail_chain"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="user",
            name="accounts_user_only_deputies_end",
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
                    ("leaves", "departure planned"),
                    ("stays", "departure taken back"),
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
                    ("announce_app_passwords", "tell people that they need app passwords"),
                    ("prove_domain", "look for the proof of a domain"),
                    ("delete_mailbox", "delete a mailbox"),
                    ("settle_mail_passwords", "end passwords for mail programs"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_until", None), ("role__in", ["dvb", "user"]), _connector="OR"),
                name="accounts_user_only_deputies_end",
                violation_error_message="Only a deputy of the DVB has an end date.",
            ),
        ),
    ]
