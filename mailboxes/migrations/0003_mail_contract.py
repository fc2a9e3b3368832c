"""What Postfix and Dovecot read, and the one table that Dovecot writes."""

from pathlib import Path

from django.db import migrations

from mailboxes.contract import remade_contract

SQL = Path(__file__).resolve().parents[1] / "sql"

USAGE = """
GRANT USAGE ON SCHEMA public TO mail_usage;
GRANT SELECT, INSERT, UPDATE, DELETE ON mailboxes_usage TO mail_usage;
REVOKE INSERT, UPDATE, DELETE ON mailboxes_usage FROM ksc_app;
CREATE FUNCTION mailboxes_usage_stamp() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    NEW.changed_at := now();
    NEW.tenant_id := (SELECT tenant_id FROM mailboxes_address WHERE address = NEW.username);
    RETURN NEW;
END
$$;
CREATE TRIGGER mailboxes_usage_stamp BEFORE INSERT OR UPDATE ON mailboxes_usage
    FOR EACH ROW EXECUTE FUNCTION mailboxes_usage_stamp();
COMMENT ON TABLE mailboxes_usage IS 'Storage used per mailbox, written by Dovecot''s quota_clone plugin (role mail_usage).';
COMMENT ON COLUMN mailboxes_usage.username IS 'Login name of the mailbox.';
COMMENT ON COLUMN mailboxes_usage.bytes IS 'Size of all messages, in bytes.';
COMMENT ON COLUMN mailboxes_usage.messages IS 'Number of messages.';
COMMENT ON COLUMN mailboxes_usage.changed_at IS 'Time of the last change, by trigger.';
COMMENT ON COLUMN mailboxes_usage.tenant_id IS 'Tenant of the mailbox, by trigger.';
"""

NO_USAGE = """
DROP TRIGGER mailboxes_usage_stamp ON mailboxes_usage;
DROP FUNCTION mailboxes_usage_stamp();
REVOKE ALL ON mailboxes_usage FROM mail_usage;
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0002_tenant_keys"), ("accounts", "0002_roles_and_sign_in")]

    operations = [*remade_contract(SQL, new="0001"), migrations.RunSQL(USAGE, NO_USAGE)]
