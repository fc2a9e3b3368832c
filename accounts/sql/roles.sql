-- Roles of the portal and the mail servers. Roles belong to the cluster, not to one database, so they are no migration.
-- Idempotent. Passwords are set apart from this file.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['ksc_owner', 'ksc_app', 'mail_owner', 'mail_ro', 'mail_auth', 'mail_usage'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I', role_name);
        END IF;
        EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', role_name);
    END LOOP;
END
$$;
-- Owns the tables and migrates; may make test databases.
ALTER ROLE ksc_owner LOGIN CREATEDB;
-- Serves the portal: no DDL, no TRUNCATE.
ALTER ROLE ksc_app LOGIN;
-- Owns the views of schema mail; nobody logs in as it.
ALTER ROLE mail_owner NOLOGIN;
GRANT mail_owner TO ksc_owner;
-- Postfix, and Dovecot's user database: no password hash.
ALTER ROLE mail_ro LOGIN;
-- Dovecot's password check alone.
ALTER ROLE mail_auth LOGIN;
-- Dovecot's quota figures.
ALTER ROLE mail_usage LOGIN;
-- What these ask is in memory, where an index is cheaper than PostgreSQL takes it for, who thinks of turning disks.
ALTER ROLE ksc_app SET random_page_cost = 1.1;
ALTER ROLE mail_ro SET random_page_cost = 1.1;
ALTER ROLE mail_auth SET random_page_cost = 1.1;
-- Compiling the one question that counts a whole tenant takes longer than asking it.
ALTER ROLE ksc_app SET jit = off;
