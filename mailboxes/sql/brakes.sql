-- What Dovecot asks about a password and tells of a login, with the tries counted before any hashing. `handle` and `guess`
-- are peppered digests of login and password, made by Dovecot: the tables of brakes and places name nobody.

GRANT SELECT, INSERT, UPDATE, DELETE ON accounts_brake TO mail_owner;
GRANT SELECT (key), INSERT (key, user_id, seen_at), UPDATE (seen_at) ON accounts_knownplace TO mail_owner;
GRANT SELECT (seen_at) ON accounts_knownplace TO mail_owner;
DROP FUNCTION mail.password_of(text);
DROP FUNCTION mail.note_login(text, text);

SET LOCAL ROLE mail_owner;

CREATE FUNCTION mail.network_of(ip text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    client inet;
BEGIN
    client := coalesce(nullif(ip, ''), '::')::inet;
    IF client <<= inet '::ffff:0.0.0.0/96' THEN
        client := inet '0.0.0.0' + (host(client)::inet - inet '::ffff:0.0.0.0');
    END IF;
    RETURN network(set_masklen(client, CASE family(client) WHEN 4 THEN 32 ELSE 64 END))::text;
EXCEPTION WHEN OTHERS THEN
    RETURN '::/64';
END
$$;
COMMENT ON FUNCTION mail.network_of IS 'What one line usually has: an IPv4 address itself, the /64 of an IPv6 address; ::/64 for what is no address.';

CREATE FUNCTION mail.key_of(purpose text, handle text, network text DEFAULT '') RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(concat_ws(' ', purpose, handle, nullif(network, '')), 'UTF8')), 'hex')
$$;
COMMENT ON FUNCTION mail.key_of IS 'Key of a brake or a known place: the same digest as the portal makes.';

CREATE FUNCTION mail.password_of(asked text, handle text, guess text, from_ip text)
RETURNS TABLE (username text, password text)
LANGUAGE plpgsql VOLATILE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    network text := mail.network_of(from_ip);
    known text := mail.key_of('known network', handle, network);
BEGIN
    SELECT v.username, v.password INTO username, password FROM mail.dovecot_passwords v WHERE v.username = asked;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF NOT pg_is_in_recovery() THEN
        -- A crash may forget the last counts; no login waits for the disk.
        PERFORM set_config('synchronous_commit', 'off', true);
        IF NOT accounts_count_try(mail.key_of('mail pair', handle, network), guess, 10, interval '30 seconds')
            OR NOT EXISTS (SELECT FROM accounts_knownplace place WHERE place.key = known)
            AND NOT accounts_count_try(mail.key_of('account', handle), guess, 50, interval '15 minutes')
        THEN
            RETURN;
        END IF;
    END IF;
    RETURN NEXT;
EXCEPTION WHEN lock_not_available THEN
    -- Dovecot's pool loses logins that wait while a query of another one fails: rather one refused.
    RETURN;
END
$$;
COMMENT ON FUNCTION mail.password_of IS
    'The row of dovecot_passwords for a login, none while its brakes are on. Counts the try before Dovecot hashes it: per mailbox and network, and from networks where nobody has logged in to it before also on the account''s counter, which the portal shares. The same password again is no new guess.';

CREATE FUNCTION mail.note_login(login text, by_service text, handle text, from_ip text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    box record;
    network text := mail.network_of(from_ip);
    known text := mail.key_of('known network', handle, network);
BEGIN
    SELECT m.id, m.tenant_id, u.id AS user_id, greatest(now() - interval '1 minute', u.password_changed_at) AS fresh
    INTO box
    FROM mailboxes_address a
    JOIN mailboxes_mailbox m ON m.address_id = a.id
    JOIN accounts_user u ON u.id = m.user_id
    WHERE a.address = login AND a.retired_at IS NULL;
    IF NOT FOUND OR pg_is_in_recovery() THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    IF NOT EXISTS (
        SELECT FROM mailboxes_maillogin WHERE mailbox_id = box.id AND service = by_service AND at >= box.fresh
    ) THEN
        INSERT INTO mailboxes_maillogin (tenant_id, mailbox_id, service, at)
        VALUES (box.tenant_id, box.id, by_service, now())
        ON CONFLICT (mailbox_id, service) DO UPDATE SET at = EXCLUDED.at;
    END IF;
    DELETE FROM accounts_brake brake WHERE brake.key = mail.key_of('mail pair', handle, network);
    IF NOT EXISTS (SELECT FROM accounts_knownplace place WHERE place.key = known) THEN
        DELETE FROM accounts_brake brake WHERE brake.key = mail.key_of('account', handle);
    END IF;
    IF NOT EXISTS (
        SELECT FROM accounts_knownplace place WHERE place.key = known AND place.seen_at >= now() - interval '1 day'
    ) THEN
        INSERT INTO accounts_knownplace (key, user_id, seen_at) VALUES (known, box.user_id, now())
        ON CONFLICT (key) DO UPDATE SET seen_at = EXCLUDED.seen_at;
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    -- Dovecot's pool loses logins that wait while a query of another one fails: rather a note too few.
    RAISE WARNING 'login of mailbox % by % was not noted: %', box.id, by_service, SQLERRM;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION mail.note_login IS
    'Dovecot, after the password was found right: notes when a mailbox was last opened by a service (imap, pop3, smtp, sieve), at most once a minute and once after each change of the password; remembers the network for 90 days and forgives the tries counted there. Returns NULL: it gives no password.';

REVOKE EXECUTE ON FUNCTION mail.network_of, mail.key_of, mail.password_of, mail.note_login FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail.password_of, mail.note_login TO mail_auth;

RESET ROLE;
