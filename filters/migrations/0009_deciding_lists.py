"""A verdict says whose list decided, and whether its owner's whitelist did not count."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"


def created(name: str, function: str) -> str:
    """What makes this function as an earlier migration made it."""
    _before, create, rest = (SQL / name).read_text().partition(f"CREATE FUNCTION {function}(")
    return create.replace("CREATE", "CREATE OR REPLACE", 1) + rest.partition("\n$$;")[0] + "\n$$;\n"


BEFORE = created("fate.sql", "filters_fate_of") + created("verdicts.sql", "filters_keep_verdicts")
NO_LISTS = f"""
{BEFORE}
DROP FUNCTION filters_fate_by(bigint, text, numeric, integer);
DROP FUNCTION filters_list_of(bigint, text, text, boolean);
"""
COMMENTS = """
COMMENT ON COLUMN filters_verdict.decided_by IS
    'Whose list decided: 1 the mailbox''s own, 2 its domain''s, 3 its tenant''s, 4 the installation''s; NULL: none.';
COMMENT ON COLUMN filters_verdict.unproved IS
    'Whether the mailbox''s own whitelist names the sender, but did not count, as nothing proved the sender.';
"""


class Migration(migrations.Migration):
    dependencies = [("filters", "0008_keys_within_a_tenant")]

    operations = [
        migrations.AddField(
            model_name="verdict",
            name="decided_by",
            field=models.PositiveSmallIntegerField(
                choices=[
                    (1, "Your own list decided."),
                    (2, "The list of your domain decided."),
                    (3, "The list of your organisation decided."),
                    (4, "The list for all customers decided."),
                ],
                editable=False,
                null=True,
                verbose_name="list that decided",
            ),
        ),
        migrations.AddField(
            model_name="verdict",
            name="unproved",
            field=models.BooleanField(db_default=False, default=False, verbose_name="whitelist did not count"),
        ),
        migrations.RunSQL(COMMENTS, migrations.RunSQL.noop),
        migrations.RunSQL((SQL / "deciding_lists.sql").read_text(), NO_LISTS),
    ]
