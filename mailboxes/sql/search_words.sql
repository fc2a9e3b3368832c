-- The desk's search for rows that have all of several words. The longest comes first: it is asked of the index, and what
-- that finds is looked through for the others. Each call is planned for its words: short ones no index serves.

-- Where PostgreSQL has both extensions, an infix is found among the tenant's own rows alone. lower() keeps these indexes for
-- the search: what is stored is lower case, but of a bare column they would offer to find whole addresses, slowly. The index
-- of before goes once the new one is there, since from then on nobody reads the table until all of this is done.
DO $$
BEGIN
    IF (SELECT count(*) = 2 FROM pg_available_extensions WHERE name IN ('pg_trgm', 'btree_gin')) THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE EXTENSION IF NOT EXISTS btree_gin;
        CREATE INDEX new_address_infix ON mailboxes_address USING gin (tenant_id, lower(address) gin_trgm_ops);
        CREATE INDEX new_user_infix ON accounts_user USING gin (tenant_id, lower(sort_key) gin_trgm_ops);
        -- There is none where one of the extensions has come since.
        DROP INDEX IF EXISTS mailboxes_address_infix, accounts_user_infix;
        ALTER INDEX new_address_infix RENAME TO mailboxes_address_infix;
        ALTER INDEX new_user_infix RENAME TO accounts_user_infix;
    END IF;
END
$$;

GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;

DROP FUNCTION mailboxes_found(text, text, int), mailboxes_aliases_found(text, int);

CREATE FUNCTION mailboxes_infixes(words text[]) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(mailboxes_infix(word) ORDER BY place) FROM unnest(words) WITH ORDINALITY AS each (word, place)
$$;
COMMENT ON FUNCTION mailboxes_infixes IS 'Patterns for LIKE, one for each word.';

CREATE FUNCTION mailboxes_found(in_address text[], in_name text[], most int) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE ROWS 100 SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    shown CONSTANT bigint := accounts_shown_tenant();
    addresses CONSTANT text[] := mailboxes_infixes(in_address);
    names CONSTANT text[] := mailboxes_infixes(in_name);
    longest_of_address CONSTANT text := addresses[1];
    longest_of_name CONSTANT text := names[1];
BEGIN
    RETURN QUERY
    SELECT m.id FROM accounts_user u
    JOIN mailboxes_mailbox m ON m.tenant_id = u.tenant_id AND m.user_id = u.id
    JOIN mailboxes_address a ON a.tenant_id = m.tenant_id AND a.id = m.address_id
    WHERE u.tenant_id = shown AND lower(u.sort_key) LIKE longest_of_name AND NOT EXISTS (
        SELECT FROM unnest(addresses, names) AS word (of_address, of_name)
        WHERE NOT (a.address LIKE word.of_address OR u.sort_key LIKE word.of_name)
    )
    UNION ALL
    SELECT m.id FROM mailboxes_address a
    JOIN mailboxes_mailbox m ON m.tenant_id = a.tenant_id AND m.address_id = a.id
    JOIN accounts_user u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
    WHERE a.tenant_id = shown AND lower(a.address) LIKE longest_of_address AND u.sort_key NOT LIKE longest_of_name AND NOT EXISTS (
        SELECT FROM unnest(addresses, names) AS word (of_address, of_name)
        WHERE NOT (a.address LIKE word.of_address OR u.sort_key LIKE word.of_name)
    )
    LIMIT most;
END
$$;
COMMENT ON FUNCTION mailboxes_found IS
    'Ids of mailboxes of the shown tenant, at most so many, with all words in address (A-label, lower case) or name (as in sort_key); longest word first.';

CREATE FUNCTION mailboxes_aliases_found(in_address text[], most int) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE ROWS 100 SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    shown CONSTANT bigint := accounts_shown_tenant();
    words CONSTANT text[] := mailboxes_infixes(in_address);
    longest CONSTANT text := words[1];
BEGIN
    RETURN QUERY
    WITH candidate AS NOT MATERIALIZED (
        SELECT s.id, a.address FROM mailboxes_address a
        JOIN mailboxes_alias s ON s.tenant_id = a.tenant_id AND s.address_id = a.id
        WHERE a.tenant_id = shown
    ), led AS NOT MATERIALIZED (
        SELECT lead.alias_id, a.address FROM mailboxes_address a
        JOIN mailboxes_mailbox m ON m.tenant_id = a.tenant_id AND m.address_id = a.id
        JOIN mailboxes_aliastarget lead ON lead.tenant_id = m.tenant_id AND lead.mailbox_id = m.id
        WHERE a.tenant_id = shown
    ), first AS NOT MATERIALIZED (
        SELECT c.id, c.address FROM candidate c WHERE lower(c.address) LIKE longest
        UNION ALL
        SELECT c.id, c.address FROM candidate c
        WHERE c.address NOT LIKE longest AND c.id IN (SELECT led.alias_id FROM led WHERE lower(led.address) LIKE longest)
    )
    SELECT f.id FROM first f
    WHERE NOT EXISTS (
        SELECT FROM unnest(words) AS word
        WHERE f.address NOT LIKE word
            AND NOT EXISTS (SELECT FROM led WHERE led.alias_id = f.id AND led.address LIKE word)
    )
    LIMIT most;
END
$$;
COMMENT ON FUNCTION mailboxes_aliases_found IS
    'Ids of aliases of the shown tenant, at most so many, with all words in their address or in that of one of their mailboxes; longest word first.';

REVOKE EXECUTE ON FUNCTION mailboxes_found, mailboxes_aliases_found FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mailboxes_found, mailboxes_aliases_found TO ksc_app;

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;
