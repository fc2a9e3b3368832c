"""Children belong to the tenant of their parents: composite foreign keys, which Django does not write by itself."""

from django.db import migrations

KEYS = {
    # table: (column, parent table)
    "mailboxes_address": [("domain_id", "mailboxes_domain")],
    "mailboxes_mailbox": [("address_id", "mailboxes_address"), ("user_id", "accounts_user")],
    "mailboxes_alias": [("address_id", "mailboxes_address"), ("mailbox_id", "mailboxes_mailbox")],
}


def foreign_key(table, column, parent):
    name = f"{table}_{column}_same_tenant"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (tenant_id, {column}) "
        f"REFERENCES {parent} (tenant_id, id) DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0001_initial")]

    operations = [foreign_key(table, *key) for table, keys in KEYS.items() for key in keys]
