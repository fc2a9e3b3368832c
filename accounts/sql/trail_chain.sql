-- The trail's hash chain. An event gets its place with it and is linked later, so that no transaction waits for another:
-- a chain computed at each INSERT would have all of them wait for the last one's COMMIT.

CREATE FUNCTION accounts_trail_line(event accounts_auditevent) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_array(
        event.id, to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), event.tenant_id,
        event.actor_id, event.actor_label, event.actor_role, event.deed,
        event.object_type, event.object_id, event.object_label, event.old, event.new, event.request_id
    )::text
$$;
COMMENT ON FUNCTION accounts_trail_line IS
    'What the chain says of an event: all its columns as a JSON array, the time in UTC. Its network is no part of it.';

CREATE FUNCTION accounts_link_hash(previous text, line text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(previous || line, 'UTF8')), 'hex')
$$;
COMMENT ON FUNCTION accounts_link_hash IS 'SHA-256 in hex of the hash before (empty at the first) and the event''s line.';

CREATE FUNCTION accounts_await_link() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO accounts_auditlink (event_id, hash) VALUES (NEW.id, '');
    RETURN NULL;
END
$$;
CREATE TRIGGER accounts_await_link AFTER INSERT ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION accounts_await_link();

CREATE FUNCTION accounts_link_trail(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    last_number bigint;
    last_hash text;
    waiting record;
    done integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7122) THEN
        RETURN 0;
    END IF;
    SELECT number, hash INTO last_number, last_hash FROM accounts_auditlink WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1;
    IF NOT FOUND THEN
        last_number := 0;
        last_hash := '';
    END IF;
    FOR waiting IN
        SELECT event.id, accounts_trail_line(event) AS line
        FROM accounts_auditlink link JOIN accounts_auditevent event ON event.id = link.event_id
        WHERE link.number IS NULL ORDER BY link.event_id LIMIT most
    LOOP
        last_number := last_number + 1;
        last_hash := accounts_link_hash(last_hash, waiting.line);
        UPDATE accounts_auditlink SET number = last_number, hash = last_hash, linked_at = now()
        WHERE event_id = waiting.id;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;
COMMENT ON FUNCTION accounts_link_trail IS
    'Links committed events that have no place in the chain yet, at most so many; returns how many. One caller at a time: for others it does nothing and returns 0.';

REVOKE INSERT, UPDATE, DELETE ON accounts_auditlink FROM ksc_app;
REVOKE EXECUTE ON FUNCTION accounts_link_trail, accounts_await_link FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accounts_link_trail TO ksc_app;
COMMENT ON TABLE accounts_auditlink IS 'Hash chain over the audit trail; verified by manage verify_trail.';
COMMENT ON COLUMN accounts_auditlink.number IS 'Place in the chain, from 1 without a gap; NULL: not linked yet.';
COMMENT ON COLUMN accounts_auditlink.hash IS 'SHA-256 in hex over the hash before and the event; empty: not linked yet.';
INSERT INTO accounts_auditlink (event_id, hash) SELECT id, '' FROM accounts_auditevent;
