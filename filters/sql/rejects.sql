-- What Rspamd must know to reject spam before it is accepted. It reads a copy, which the worker writes; here stands what
-- belongs in it, and what makes it old.

GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;

CREATE FUNCTION filters_rejects_of(customer bigint) RETURNS TABLE (address text, threshold smallint, lists text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT accounts_shows_all() THEN
        RETURN;
    END IF;
    RETURN QUERY
        WITH reached AS (
            SELECT given.address, min(given.target) AS target
            FROM mail.addresses given WHERE given.tenant_id = customer AND given.receives
            GROUP BY given.address HAVING count(*) = 1
        )
        SELECT reached.address, s.threshold, ARRAY[
            'mailbox:' || m.id, 'domain:' || own.domain_id, 'tenant:' || m.tenant_id, 'all'
        ]
        FROM reached
        JOIN mailboxes_address own ON own.address = reached.target
        JOIN mailboxes_mailbox m ON m.address_id = own.id
        CROSS JOIN LATERAL filters_settings_of(m.id) s
        WHERE s.action = 'reject';
END
$$;
COMMENT ON FUNCTION filters_rejects_of IS
    'Addresses of a tenant that lead to one mailbox alone, whose owner wants spam rejected. threshold: score from which on; lists: whose senders are left to the script at the mailbox. Nothing for whoever is not shown everybody''s rows.';
REVOKE EXECUTE ON FUNCTION filters_rejects_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION filters_rejects_of TO ksc_app;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;

-- By a trigger, for what an address leads to and who stands on a list changes in many ways, and none may forget the copy.
CREATE FUNCTION filters_rejects_stale() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    row_of jsonb := to_jsonb(coalesce(NEW, OLD));
    customer bigint := row_of ->> 'tenant_id';
    told text := coalesce(nullif(current_setting('filters.told', true), ''), ',');
    mark text := coalesce(customer::text, 'all') || ',';
BEGIN
    IF told LIKE '%,' || mark || '%' THEN
        RETURN NULL;
    END IF;
    IF to_jsonb(OLD) ->> 'action' = 'reject' OR to_jsonb(NEW) ->> 'action' = 'reject'
        OR EXISTS (SELECT FROM filters_spamsettings s WHERE s.action = 'reject' AND (s.tenant_id = customer OR customer IS NULL))
        OR EXISTS (SELECT FROM filters_spampolicy p WHERE p.action = 'reject' AND (p.tenant_id = customer OR customer IS NULL))
    THEN
        INSERT INTO accounts_outboxmessage (kind, payload, due, tries, last_error)
        VALUES ('renew_rejects', jsonb_build_object('tenant', customer), now(), 0, '');
        -- Once a transaction.
        PERFORM set_config('filters.told', told || mark, true);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION filters_rejects_stale IS
    'Has the worker write a tenant''s part of Rspamd''s copy anew, where somebody in it rejects spam; of NULL, the installation''s list.';

CREATE TRIGGER filters_rejects_stale AFTER INSERT OR UPDATE OR DELETE ON filters_spamsettings
    FOR EACH ROW EXECUTE FUNCTION filters_rejects_stale();
CREATE TRIGGER filters_rejects_stale AFTER INSERT OR UPDATE OR DELETE ON filters_spampolicy
    FOR EACH ROW EXECUTE FUNCTION filters_rejects_stale();
CREATE TRIGGER filters_rejects_stale AFTER INSERT OR UPDATE OR DELETE ON filters_senderrule
    FOR EACH ROW EXECUTE FUNCTION filters_rejects_stale();
CREATE TRIGGER filters_rejects_stale AFTER INSERT OR UPDATE OF address_id OR DELETE ON mailboxes_mailbox
    FOR EACH ROW EXECUTE FUNCTION filters_rejects_stale();
CREATE TRIGGER filters_rejects_stale AFTER UPDATE OF retired_at, address ON mailboxes_address
    FOR EACH ROW EXECUTE FUNCTION filters_rejects_stale();
CREATE TRIGGER filters_rejects_stale AFTER UPDATE OF valid_until OR DELETE ON mailboxes_alias
    FOR EACH ROW EXECUTE FUNCTION filters_rejects_stale();
CREATE TRIGGER filters_rejects_stale AFTER INSERT OR UPDATE OR DELETE ON mailboxes_aliastarget
    FOR EACH ROW EXECUTE FUNCTION filters_rejects_stale();
CREATE TRIGGER filters_rejects_stale AFTER UPDATE OF alias_of_id ON mailboxes_domain
    FOR EACH ROW EXECUTE FUNCTION filters_rejects_stale();
