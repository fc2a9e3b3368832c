from django.db import migrations, models

# What held for a tenant at once has held since its first day.
KEEP = "UPDATE accounts_tenant SET app_passwords_from = created_at::date WHERE app_passwords_only"
BACK = "UPDATE accounts_tenant SET app_passwords_only = true WHERE app_passwords_from <= current_date"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_count_try"),
    ]

    operations = [
        migrations.CreateModel(
            name="Policy",
            fields=[],
            options={
                "verbose_name": "rules for logins",
                "verbose_name_plural": "rules for logins",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("accounts.tenant",),
        ),
        migrations.AddField(
            model_name="tenant",
            name="app_passwords_from",
            field=models.DateField(
                blank=True,
                help_text="From this day on the password opens the portal alone, with or without a second factor. "
                "The people concerned are told by e-mail now.",
                null=True,
                verbose_name="mail programs with app passwords only, from",
            ),
        ),
        migrations.RunSQL(KEEP, BACK),
        migrations.RemoveField(
            model_name="tenant",
            name="app_passwords_only",
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
                    ("settle_mail_passwords", "end passwords for mail programs"),
                ],
                max_length=32,
            ),
        ),
    ]
