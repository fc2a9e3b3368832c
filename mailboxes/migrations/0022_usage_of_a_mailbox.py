"""What Dovecot notes by names is led to mailboxes by their key, goes with them, and says which are nearly full."""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

STAMP = """
GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;
CREATE OR REPLACE FUNCTION mailboxes_usage_stamp() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    {}
    RETURN NEW;
END
$$;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;
"""
BY_NAME = """
    NEW.changed_at := now();
    NEW.tenant_id := (SELECT tenant_id FROM mailboxes_address WHERE address = NEW.username);
"""
BY_KEY = """
    IF TG_OP = 'INSERT' OR (NEW.bytes, NEW.messages) IS DISTINCT FROM (OLD.bytes, OLD.messages) THEN
        NEW.changed_at := now();
    END IF;
    SELECT m.tenant_id, m.id, NEW.bytes > m.storage_mb * 1048576::bigint * 80 / 100
    INTO NEW.tenant_id, NEW.mailbox_id, NEW.nearly_full
    FROM mailboxes_address a JOIN mailboxes_mailbox m ON m.tenant_id = a.tenant_id AND m.address_id = a.id
    WHERE a.address = NEW.username;
    NEW.nearly_full := coalesce(NEW.nearly_full, false);
"""
# What has been noted is led as what will be noted from now on.
LED = """
UPDATE mailboxes_usage SET username = username;
SET CONSTRAINTS ALL IMMEDIATE;
COMMENT ON COLUMN mailboxes_usage.changed_at IS 'Time of the last change of what is noted, by trigger.';
COMMENT ON COLUMN mailboxes_usage.mailbox_id IS 'The mailbox of that name, by trigger.';
COMMENT ON COLUMN mailboxes_usage.nearly_full IS 'Whether it holds more than 80 percent of what it may, by trigger.';
"""
KEY = """
ALTER TABLE mailboxes_usage ADD CONSTRAINT mailboxes_usage_mailbox_id_same_tenant
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes_mailbox (tenant_id, id) ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED
"""
NO_KEY = "ALTER TABLE mailboxes_usage DROP CONSTRAINT mailboxes_usage_mailbox_id_same_tenant"
# By name, they went by a trigger.
BY_TRIGGER = import_module("mailboxes.migrations.0016_departures")
# A mailbox that may hold more or less is judged anew.
JUDGED = """
CREATE FUNCTION mailboxes_usage_judged() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE mailboxes_usage SET bytes = bytes WHERE tenant_id = NEW.tenant_id AND mailbox_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER mailboxes_usage_judged AFTER UPDATE OF storage_mb ON mailboxes_mailbox
    FOR EACH ROW WHEN (OLD.storage_mb <> NEW.storage_mb) EXECUTE FUNCTION mailboxes_usage_judged();
"""
NOT_JUDGED = """
DROP TRIGGER mailboxes_usage_judged ON mailboxes_mailbox;
DROP FUNCTION mailboxes_usage_judged();
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0021_search_words")]

    operations = [
        migrations.AddField(
            model_name="usage",
            name="mailbox",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="mailboxes.mailbox",
                verbose_name="mailbox",
            ),
        ),
        migrations.AddField(
            model_name="usage",
            name="nearly_full",
            field=models.BooleanField(db_default=False, default=False, verbose_name="nearly full"),
        ),
        migrations.RunSQL(STAMP.format(BY_KEY), STAMP.format(BY_NAME)),
        migrations.RunSQL(LED, migrations.RunSQL.noop),
        migrations.RunSQL(KEY, NO_KEY),
        migrations.RunSQL(BY_TRIGGER.STAYS, BY_TRIGGER.GOES),
        migrations.RunSQL(JUDGED, NOT_JUDGED),
        migrations.AddIndex(
            model_name="usage",
            index=models.Index(
                condition=models.Q(("nearly_full", True)),
                fields=["tenant", "mailbox"],
                name="mailboxes_usage_nearly_full",
            ),
        ),
    ]
