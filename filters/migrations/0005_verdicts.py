"""What Rspamd says of messages is written at once for all mailboxes that they reached, and counted by day."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from accounts.walled import walled

SQL = Path(__file__).resolve().parents[1] / "sql"
NO_VERDICTS = "DROP FUNCTION filters_keep_verdicts(jsonb); DROP FUNCTION filters_boxes_of(text);"
COMMENTS = """
COMMENT ON TABLE filters_mailday IS 'How much mail reached a tenant''s mailboxes on one day: numbers alone. A message counts once for each mailbox.';
COMMENT ON COLUMN filters_mailday.day IS 'Day in Europe/Berlin.';
COMMENT ON COLUMN filters_mailday.delivered IS 'Messages that went to the inbox and were no spam.';
COMMENT ON COLUMN filters_mailday.spam IS 'Messages that were marked or went to the spam folder.';
COMMENT ON COLUMN filters_mailday.stopped IS 'Messages that were rejected, deleted or not delivered.';
"""


class Migration(migrations.Migration):
    dependencies = [("filters", "0004_rejects")]

    operations = [
        migrations.CreateModel(
            name="MailDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("delivered", models.PositiveBigIntegerField(default=0)),
                ("spam", models.PositiveBigIntegerField(default=0)),
                ("stopped", models.PositiveBigIntegerField(default=0)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "mail of a day",
                "verbose_name_plural": "mail of days",
                "ordering": ["day"],
                "constraints": [models.UniqueConstraint(fields=("tenant", "day"), name="filters_mailday_once_a_day")],
            },
        ),
        migrations.RunSQL(COMMENTS, migrations.RunSQL.noop),
        walled("filters_mailday"),
        migrations.RunSQL((SQL / "verdicts.sql").read_text(), NO_VERDICTS),
    ]
