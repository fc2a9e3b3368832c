"""What Dovecot notes by names is led to mailboxes by their key, and goes with them."""

import django.db.models.deletion
from django.db import migrations, models

STAMP = """
CREATE OR REPLACE FUNCTION mailboxes_usage_stamp() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    NEW.changed_at := now();
    {}
    RETURN NEW;
END
$$;
"""
BY_NAME = "NEW.tenant_id := (SELECT tenant_id FROM mailboxes_address WHERE address = NEW.username);"
BY_KEY = """
    SELECT m.tenant_id, m.id INTO NEW.tenant_id, NEW.mailbox_id
    FROM mailboxes_address a JOIN mailboxes_mailbox m ON m.tenant_id = a.tenant_id AND m.address_id = a.id
    WHERE a.address = NEW.username;
"""
AS_OWNER = f"""
GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;
{STAMP}
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;
"""
# The times of what was noted stay as they are.
LED = """
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE mailboxes_usage DISABLE TRIGGER mailboxes_usage_stamp;
UPDATE mailboxes_usage SET tenant_id = m.tenant_id, mailbox_id = m.id
FROM mailboxes_address a JOIN mailboxes_mailbox m ON m.tenant_id = a.tenant_id AND m.address_id = a.id
WHERE a.address = mailboxes_usage.username;
ALTER TABLE mailboxes_usage ENABLE TRIGGER mailboxes_usage_stamp;
COMMENT ON COLUMN mailboxes_usage.mailbox_id IS 'The mailbox of that name, by trigger.';
"""
KEY = """
ALTER TABLE mailboxes_usage ADD CONSTRAINT mailboxes_usage_mailbox_id_same_tenant
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes_mailbox (tenant_id, id) ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED;
DROP TRIGGER mailboxes_usage_goes ON mailboxes_mailbox;
DROP FUNCTION mailboxes_usage_goes();
"""
NO_KEY = """
ALTER TABLE mailboxes_usage DROP CONSTRAINT mailboxes_usage_mailbox_id_same_tenant;
CREATE FUNCTION mailboxes_usage_goes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    DELETE FROM mailboxes_usage WHERE username = (SELECT address FROM mailboxes_address WHERE id = OLD.address_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER mailboxes_usage_goes AFTER DELETE ON mailboxes_mailbox
    FOR EACH ROW EXECUTE FUNCTION mailboxes_usage_goes();
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
        migrations.RunSQL(LED, migrations.RunSQL.noop),
        migrations.RunSQL(AS_OWNER.format(BY_KEY), AS_OWNER.format(BY_NAME)),
        migrations.RunSQL(KEY, NO_KEY),
    ]
