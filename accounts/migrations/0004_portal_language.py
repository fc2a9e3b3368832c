from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_brand_and_pages"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="portal_language",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=8),
        ),
    ]
