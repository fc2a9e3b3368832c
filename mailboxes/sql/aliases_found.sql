-- The desk's search for aliases that lead to several mailboxes; the rest of it is in search.sql.

GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;

CREATE OR REPLACE FUNCTION mailboxes_aliases_found(in_address text, most int) RETURNS SETOF bigint
LANGUAGE sql STABLE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT id FROM (
        SELECT s.id FROM mailboxes_address a JOIN mailboxes_alias s ON s.address_id = a.id
        WHERE a.tenant_id = accounts_shown_tenant() AND a.address::text LIKE mailboxes_infix(in_address)
        UNION
        SELECT lead.alias_id FROM mailboxes_address a
        JOIN mailboxes_mailbox m ON m.address_id = a.id
        JOIN mailboxes_aliastarget lead ON lead.mailbox_id = m.id
        WHERE a.tenant_id = accounts_shown_tenant() AND a.address::text LIKE mailboxes_infix(in_address)
    ) AS found LIMIT most
$$;
COMMENT ON FUNCTION mailboxes_aliases_found IS
    'Ids of aliases of the shown tenant: part of their address or of that of one of their mailboxes; at most so many.';

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;
