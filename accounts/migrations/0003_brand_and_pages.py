import django.db.models.deletion
from django.db import migrations, models

import accounts.colours


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_roles_and_sign_in"),
    ]

    operations = [
        migrations.CreateModel(
            name="Logo",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="logo",
                        serialize=False,
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
                ("png", models.BinaryField()),
            ],
            options={
                "verbose_name": "logo",
                "verbose_name_plural": "logos",
            },
        ),
        migrations.AddField(
            model_name="installation",
            name="imprint",
            field=models.TextField(
                blank=True,
                default="",
                db_default="",
                help_text="Plain text; an empty line begins a new paragraph, addresses become links.",
                verbose_name="imprint",
            ),
        ),
        migrations.AddField(
            model_name="installation",
            name="privacy",
            field=models.TextField(
                blank=True,
                default="",
                db_default="",
                help_text="What you do with people's data, beside what the page says by itself.",
                verbose_name="privacy notice",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="accent",
            field=models.CharField(
                blank=True,
                default="",
                db_default="",
                help_text="For example #0b5f9e; empty: the product's own blue.",
                max_length=7,
                validators=[accounts.colours.validate_accent],
                verbose_name="accent colour",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="logo_digest",
            field=models.CharField(blank=True, default="", db_default="", editable=False, max_length=16),
        ),
        migrations.AddField(
            model_name="tenant",
            name="support_email",
            field=models.EmailField(
                blank=True,
                default="",
                db_default="",
                help_text="Whom this customer's people ask; empty: the installation's support.",
                max_length=254,
                verbose_name="support e-mail",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="support_phone",
            field=models.CharField(blank=True, default="", db_default="", max_length=40, verbose_name="support phone"),
        ),
    ]
