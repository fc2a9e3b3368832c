"""Who set a notice and what the person had written, a default that deletes nothing, the installation's lists for all."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

COMMENTS = """
COMMENT ON COLUMN filters_absence.own_text IS 'What the person had written, while the DVB''s text stands in its place (by_dvb).';
"""

# The installation's lists hold for everybody, so whoever asks what becomes of their mail reads them; nobody's session does not.
EVERYBODYS = """
CREATE POLICY everybodys ON filters_senderrule FOR SELECT TO ksc_app
    USING (tenant_id IS NULL AND (SELECT accounts_shown_tenant()) IS NOT NULL)
"""


class Migration(migrations.Migration):
    dependencies = [("filters", "0005_verdicts"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AddField(
            model_name="absence",
            name="set_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="absence",
            name="own_subject",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name="absence",
            name="own_text",
            field=models.TextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.AddConstraint(
            model_name="spampolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("action", "discard"), _negated=True),
                name="filters_spam_policy_deletes_nothing",
                violation_error_message="Only the owner of a mailbox can have spam deleted. Choose another default.",
            ),
        ),
        migrations.RunSQL(COMMENTS, migrations.RunSQL.noop),
        migrations.RunSQL(EVERYBODYS, "DROP POLICY everybodys ON filters_senderrule"),
    ]
