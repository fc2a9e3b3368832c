import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0018_departures"),
    ]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="forwards_outside",
            field=models.CharField(
                choices=[
                    ("forbidden", "not allowed"),
                    ("approval", "after approval by the DVB"),
                    ("warning", "with a warning"),
                ],
                db_default="approval",
                default="approval",
                help_text="Elsewhere is every domain that is not this customer's own.",
                max_length=9,
                verbose_name="forwards to addresses elsewhere",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="max_forwards",
            field=models.PositiveSmallIntegerField(
                db_default=5,
                default=5,
                validators=[django.core.validators.MaxValueValidator(10)],
                verbose_name="forwards of a mailbox at most",
            ),
        ),
    ]
