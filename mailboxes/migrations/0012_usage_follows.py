"""What a mailbox holds goes with it when its address changes, until Dovecot writes it anew."""

from django.db import migrations

FOLLOWS = """
CREATE FUNCTION mailboxes_usage_follows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    before text := (SELECT address FROM mailboxes_address WHERE id = OLD.address_id);
    after text := (SELECT address FROM mailboxes_address WHERE id = NEW.address_id);
BEGIN
    DELETE FROM mailboxes_usage WHERE username = after;
    UPDATE mailboxes_usage SET username = after WHERE username = before;
    RETURN NULL;
END
$$;
CREATE TRIGGER mailboxes_usage_follows AFTER UPDATE OF address_id ON mailboxes_mailbox
    FOR EACH ROW WHEN (OLD.address_id <> NEW.address_id) EXECUTE FUNCTION mailboxes_usage_follows();
"""
STAYS = """
DROP TRIGGER mailboxes_usage_follows ON mailboxes_mailbox;
DROP FUNCTION mailboxes_usage_follows();
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0011_domain_requests")]

    operations = [migrations.RunSQL(FOLLOWS, STAYS)]
