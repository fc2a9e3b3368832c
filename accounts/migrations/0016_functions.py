"""Mailboxes for a purpose, which nobody logs in as: the database refuses them a password."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0015_deputies"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="is_function",
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name="for a purpose"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_function", False),
                    models.Q(
                        ("initial_password", False),
                        ("mail_password_enabled", False),
                        ("password__startswith", "!"),
                        ("role", "user"),
                    ),
                    _connector="OR",
                ),
                name="accounts_user_function_has_no_password",
                violation_error_message="Nobody logs in as a mailbox for a purpose: its members have passwords.",
            ),
        ),
    ]
