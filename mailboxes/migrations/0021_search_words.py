"""Several words are looked for at once, among the tenant's own rows; addresses of one kind are read in their order."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"

TEXT = (SQL / "search.sql").read_text()


def part(begin: str, end: str) -> str:
    """What stands in the search of before from `begin` to `end`."""
    return begin + TEXT.partition(begin)[2].partition(end)[0] + end


BEFORE = f"""
DROP INDEX IF EXISTS mailboxes_address_infix, accounts_user_infix;
{part("DO $$", "$$;")}
GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;
DROP FUNCTION mailboxes_found(text[], text[], int), mailboxes_aliases_found(text[], int), mailboxes_infixes(text[]);
{part("CREATE FUNCTION mailboxes_found", "$$;")}
REVOKE EXECUTE ON FUNCTION mailboxes_found FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mailboxes_found TO ksc_app;
RESET ROLE;
{(SQL / "aliases_found.sql").read_text()}
SET LOCAL ROLE mail_owner;
REVOKE EXECUTE ON FUNCTION mailboxes_aliases_found FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mailboxes_aliases_found TO ksc_app;
RESET ROLE;
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0020_keys_within_a_tenant"), ("accounts", "0023_expected_rows")]

    operations = [
        # Mail servers read addresses meanwhile: nothing is taken away before all indexes are made.
        migrations.AddIndex(
            model_name="address",
            index=models.Index(fields=["tenant", "kind", "address"], name="mailboxes_address_kind"),
        ),
        migrations.RunSQL((SQL / "search_words.sql").read_text(), BEFORE),
        migrations.RemoveIndex(model_name="address", name="mailboxes_address_tenant"),
        migrations.RenameIndex(
            model_name="address", old_name="mailboxes_address_kind", new_name="mailboxes_address_tenant"
        ),
    ]
