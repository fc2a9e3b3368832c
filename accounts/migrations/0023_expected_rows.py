"""PostgreSQL expects as many rows behind the second wall as there are; keys within a tenant are held once."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from accounts.walled import passing

# Tables made since say so from the start: see accounts.walled.
WALLS = "SELECT tablename, qual FROM pg_policies WHERE policyname = 'wall' AND qual NOT LIKE '%NULLIF(%'"


def expect_more(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(WALLS)
        for table, shown in cursor.fetchall():
            cursor.execute(f"ALTER POLICY wall ON {table} USING ({passing(shown)})")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0022_support_consent"),
    ]

    operations = [
        migrations.RunPython(expect_more, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="recoveryrequest",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="recovery_requests",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
        migrations.AlterField(
            model_name="supportconsent",
            name="user",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="support_consent",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
    ]
