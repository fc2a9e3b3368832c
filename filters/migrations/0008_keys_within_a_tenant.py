"""Keys within a tenant are held once, over both columns: see accounts.tenant_keys."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("filters", "0007_scripts"),
        ("mailboxes", "0020_keys_within_a_tenant"),
    ]

    operations = [
        migrations.AlterField(
            model_name="absence",
            name="mailbox",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="absence",
                serialize=False,
                to="mailboxes.mailbox",
            ),
        ),
        migrations.AlterField(
            model_name="senderrule",
            name="domain",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sender_rules",
                to="mailboxes.domain",
            ),
        ),
        migrations.AlterField(
            model_name="senderrule",
            name="mailbox",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="sender_rules",
                to="mailboxes.mailbox",
            ),
        ),
        migrations.AlterField(
            model_name="spamsettings",
            name="mailbox",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="spam_settings",
                serialize=False,
                to="mailboxes.mailbox",
            ),
        ),
        migrations.AlterField(
            model_name="verdict",
            name="mailbox",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="verdicts",
                to="mailboxes.mailbox",
            ),
        ),
    ]
