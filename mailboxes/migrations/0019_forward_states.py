"""Forwards wait after a new password, never run in a circle, and say why they are not in force."""

from pathlib import Path

import django.utils.timezone
from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"

# Without the grants that the earlier migration made and takes back.
_head, _set, BEFORE = (SQL / "forwards.sql").read_text().partition("SET LOCAL ROLE mail_owner;")
NO_STATES = f"""
DROP FUNCTION mailboxes_forward_state(bigint), mailboxes_forward_circles(bigint, text);
DROP FUNCTION mail.forwards_of(bigint);
DROP FUNCTION mail.forward_state(bigint), mail.forward_circles(bigint, text, boolean), mail.boxes_behind(text);
SET LOCAL ROLE mail_owner;
{BEFORE}
"""
COMMENTS = """
COMMENT ON COLUMN mailboxes_forward.held_at IS 'Since a new password was set by others or by a mailed link, until the owner confirms it; NULL: not held.';
COMMENT ON COLUMN mailboxes_forward.stop_told IS 'The state that keeps it from working of which its owner was told last; empty: it works.';
COMMENT ON TABLE mailboxes_forwardrefusal IS 'Addresses elsewhere whose owners want no forwarded mail: digests of their lower-case form.';
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0018_imported_passwords")]

    operations = [
        migrations.AddField(
            model_name="forward",
            name="held_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="held"),
        ),
        migrations.AddField(
            model_name="forward",
            name="stop_told",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=12),
        ),
        migrations.AddIndex(
            model_name="forward",
            index=models.Index(
                condition=models.Q(("link_hash", ""), _negated=True),
                fields=["link_hash"],
                name="mailboxes_forward_link",
            ),
        ),
        migrations.CreateModel(
            name="ForwardRefusal",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name": "refusal of forwarded mail",
                "verbose_name_plural": "refusals of forwarded mail",
            },
        ),
        migrations.CreateModel(
            name="OutsideForward",
            fields=[],
            options={
                "verbose_name": "forward out of the house",
                "verbose_name_plural": "what leaves our house",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("mailboxes.forward",),
        ),
        migrations.RunSQL(COMMENTS, migrations.RunSQL.noop),
        migrations.RunSQL((SQL / "forward_states.sql").read_text(), NO_STATES),
    ]
