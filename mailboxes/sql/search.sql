-- What the desk's search finds, for one tenant: the one whose rows the connection shows. The functions read as mail_owner,
-- since behind a policy no index serves LIKE (its operator is not leakproof), and ask for the tenant themselves.

GRANT SELECT (sort_key) ON accounts_user TO mail_owner;

-- With the extension an infix is found by an index; without it the tenant's rows are looked through.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX mailboxes_address_infix ON mailboxes_address USING gin ((address::text) gin_trgm_ops);
        CREATE INDEX accounts_user_infix ON accounts_user USING gin ((sort_key::text) gin_trgm_ops);
    END IF;
END
$$;

GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;

CREATE FUNCTION mailboxes_infix(word text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT '%' || regexp_replace(word, '([\\%_])', '\\\1', 'g') || '%'
$$;
COMMENT ON FUNCTION mailboxes_infix IS 'Pattern for LIKE that matches the word anywhere, its own wildcards taken literally.';

CREATE FUNCTION mailboxes_found(in_address text, in_name text, most int) RETURNS SETOF bigint
LANGUAGE sql STABLE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT id FROM (
        SELECT m.id FROM mailboxes_address a JOIN mailboxes_mailbox m ON m.address_id = a.id
        WHERE a.tenant_id = accounts_shown_tenant() AND a.address::text LIKE mailboxes_infix(in_address)
        UNION
        SELECT m.id FROM accounts_user u JOIN mailboxes_mailbox m ON m.user_id = u.id
        WHERE u.tenant_id = accounts_shown_tenant() AND u.sort_key::text LIKE mailboxes_infix(in_name)
    ) AS found LIMIT most
$$;
COMMENT ON FUNCTION mailboxes_found IS
    'Ids of mailboxes of the shown tenant: part of the address (A-label, lower case), or part of the name as in sort_key; at most so many.';

CREATE FUNCTION mailboxes_aliases_found(in_address text, most int) RETURNS SETOF bigint
LANGUAGE sql STABLE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT id FROM (
        SELECT s.id FROM mailboxes_address a JOIN mailboxes_alias s ON s.address_id = a.id
        WHERE a.tenant_id = accounts_shown_tenant() AND a.address::text LIKE mailboxes_infix(in_address)
        UNION
        SELECT s.id FROM mailboxes_address a
        JOIN mailboxes_mailbox m ON m.address_id = a.id
        JOIN mailboxes_alias s ON s.mailbox_id = m.id
        WHERE a.tenant_id = accounts_shown_tenant() AND a.address::text LIKE mailboxes_infix(in_address)
    ) AS found LIMIT most
$$;
COMMENT ON FUNCTION mailboxes_aliases_found IS
    'Ids of aliases of the shown tenant: part of their address or of their mailbox''s; at most so many.';

REVOKE EXECUTE ON FUNCTION mailboxes_found, mailboxes_aliases_found FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mailboxes_found, mailboxes_aliases_found TO ksc_app;

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;
