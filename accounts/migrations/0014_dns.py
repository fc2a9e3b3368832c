"""What the records of hosted domains should say, and the outbox's look for the proof of a domain."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_same_guess"),
    ]

    operations = [
        migrations.AddField(
            model_name="installation",
            name="mta_sts_host",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Host that serves the MTA-STS policies of all domains. Empty: MTA-STS is not offered.",
                max_length=253,
                verbose_name="MTA-STS host",
            ),
        ),
        migrations.AddField(
            model_name="installation",
            name="mx_hosts",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Servers that receive mail for all domains, the preferred one first, separated by spaces.",
                max_length=500,
                verbose_name="MX hosts",
            ),
        ),
        migrations.AddField(
            model_name="installation",
            name="spf_include",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Name whose SPF record lists your sending servers, for example _spf.hoster.example.",
                max_length=253,
                verbose_name="SPF include",
            ),
        ),
        migrations.AddField(
            model_name="installation",
            name="tls_reports",
            field=models.EmailField(
                blank=True,
                db_default="",
                default="",
                help_text="Address for reports on encrypted delivery (TLS-RPT). Empty: they are not offered.",
                max_length=254,
                verbose_name="TLS reports go to",
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
                    ("settle_mail_passwords", "end passwords for mail programs"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddConstraint(
            model_name="installation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("mx_hosts__regex", "^([a-z0-9-]+(\\.[a-z0-9-]+)+( [a-z0-9-]+(\\.[a-z0-9-]+)+)*)?$")
                ),
                name="accounts_installation_mx_hosts",
                violation_error_message="MX hosts are names such as mx.hoster.example, separated by spaces.",
            ),
        ),
        migrations.AddConstraint(
            model_name="installation",
            constraint=models.CheckConstraint(
                condition=models.Q(("spf_include__regex", "^([a-z0-9_-]+(\\.[a-z0-9_-]+)+)?$")),
                name="accounts_installation_spf_include",
                violation_error_message="The SPF include is a name such as _spf.hoster.example.",
            ),
        ),
    ]
