"""Rights of the roles, and the one SQL rule of who may sign in."""

from django.db import migrations

REQUIRE_ROLES = """
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['ksc_app', 'mail_owner', 'mail_ro', 'mail_auth', 'mail_usage'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            RAISE EXCEPTION 'role % is missing: run "manage bootstrap_roles" once for this cluster', role_name;
        END IF;
    END LOOP;
END
$$
"""

GRANT = """
GRANT USAGE ON SCHEMA public TO ksc_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ksc_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ksc_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ksc_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO ksc_app;
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM ksc_app;
REVOKE UPDATE, DELETE ON accounts_auditevent FROM ksc_app;
"""

REVOKE = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM ksc_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM ksc_app;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM ksc_app;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ksc_app;
REVOKE USAGE ON SCHEMA public FROM ksc_app;
"""

# A plain expression, so that PostgreSQL folds it into the queries that call it.
MAY_SIGN_IN = """
CREATE FUNCTION accounts_may_sign_in(
    locked_at timestamptz, valid_until date, initial_password boolean, initial_expires_at timestamptz, tenant_status varchar
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT locked_at IS NULL
       AND (valid_until IS NULL OR valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)
       AND NOT (initial_password AND initial_expires_at <= now())
       AND coalesce(tenant_status, 'active') = 'active'
$$;
COMMENT ON FUNCTION accounts_may_sign_in IS
    'Who may sign in, to the portal and by mail programs alike: not locked, a deputy not past the last day, '
    'an initial password not expired, the tenant (NULL for staff) not suspended.';
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(REQUIRE_ROLES, migrations.RunSQL.noop),
        migrations.RunSQL(GRANT, REVOKE),
        migrations.RunSQL(MAY_SIGN_IN, "DROP FUNCTION accounts_may_sign_in"),
    ]
