"""The second wall: PostgreSQL shows a connection the rows of one tenant, whatever the query."""

from django.db import migrations, models

from accounts.walled import MY_PERSON, walled

# The setting of a connection (accounts.wall). After a transaction that set it, it is empty, not absent.
FUNCTIONS = """
CREATE FUNCTION accounts_shown_tenant() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(nullif(current_setting('app.tenant', true), ''), '*')::bigint
$$;
COMMENT ON FUNCTION accounts_shown_tenant IS
    'Id of the tenant whose rows this connection sees, from its setting app.tenant; NULL for nobody''s and everybody''s.';
CREATE FUNCTION accounts_shows_all() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('app.tenant', true) = '*', false)
$$;
COMMENT ON FUNCTION accounts_shows_all IS 'Whether this connection sees everybody''s rows: app.tenant is *.';
"""
NO_FUNCTIONS = "DROP FUNCTION accounts_shown_tenant(), accounts_shows_all();"
MY_EVENT = "EXISTS (SELECT FROM accounts_auditevent event WHERE event.id = event_id)"
# Of those that are logged in now; the others end with their browser.
REACH = """
UPDATE accounts_portalsession session SET reach = coalesce(person.tenant_id::text, '*')
FROM accounts_user person WHERE person.id = session.user_id;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_app_passwords_from")]

    operations = [
        migrations.AddField("portalsession", "reach", models.CharField(db_default="", default="", max_length=20)),
        migrations.RunSQL(REACH, migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS),
        walled("accounts_tenant", "id = (SELECT accounts_shown_tenant())", mail="mail_owner"),
        walled("accounts_user", mail="mail_owner"),
        walled("accounts_logo"),
        walled("accounts_auditevent"),
        walled("accounts_auditnetwork", MY_EVENT),
        walled("accounts_factor", MY_PERSON),
        walled("accounts_backupcode", "EXISTS (SELECT FROM accounts_factor factor WHERE factor.id = factor_id)"),
        walled("accounts_recoveryaddress", MY_PERSON),
        walled("accounts_passwordreset", MY_PERSON),
        walled("accounts_recoveryrequest"),
    ]
