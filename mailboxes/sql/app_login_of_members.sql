-- Called by Dovecot first at each login; runs with the rights of mail_owner. Who holds the app password must be allowed to
-- sign in and be the mailbox's own person or a member; the mailbox itself must not be locked.

GRANT SELECT ON mailboxes_membership TO mail_owner;

SET LOCAL ROLE mail_owner;

CREATE OR REPLACE FUNCTION mail.app_login(login text, hash text, by_service text, from_ip text)
RETURNS TABLE (username text)
LANGUAGE plpgsql VOLATILE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    client inet;
    given record;
BEGIN
    client := mail.client_of(from_ip);
    SELECT p.id, a.address, p.last_used_at, p.last_used_by, p.last_used_ip INTO given
    FROM mailboxes_apppassword p
    JOIN mailboxes_mailbox m ON m.id = p.mailbox_id
    JOIN mailboxes_address a ON a.id = m.address_id
    JOIN accounts_user u ON u.id = p.holder_id
    JOIN accounts_user own ON own.id = m.user_id
    JOIN accounts_tenant t ON t.id = m.tenant_id
    WHERE p.token_hash = hash
      AND a.address = login
      AND a.retired_at IS NULL
      AND by_service = ANY (p.protocols)
      AND p.revoked_at IS NULL
      AND (p.valid_until IS NULL OR p.valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)
      AND (p.networks = '{}' OR client <<= ANY (p.networks))
      AND NOT u.initial_password
      AND own.locked_at IS NULL
      AND (u.id = own.id OR EXISTS (
          SELECT FROM mailboxes_membership member WHERE member.mailbox_id = m.id AND member.user_id = u.id
      ))
      AND accounts_may_sign_in(u.locked_at, u.valid_until, u.initial_password, u.initial_expires_at, t.status);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF NOT pg_is_in_recovery() AND (
        given.last_used_at IS NULL
        OR given.last_used_at < now() - interval '1 minute'
        OR given.last_used_by <> by_service
        OR given.last_used_ip IS DISTINCT FROM client
    ) THEN
        BEGIN
            -- A login does not wait for another one, or for the portal, to be done with this row.
            UPDATE mailboxes_apppassword SET last_used_at = now(), last_used_by = by_service, last_used_ip = client
            WHERE id = (SELECT id FROM mailboxes_apppassword WHERE id = given.id FOR NO KEY UPDATE SKIP LOCKED);
        EXCEPTION WHEN OTHERS THEN
            -- Dovecot's pool loses logins that wait while a query of another one fails: rather a note too few.
            RAISE WARNING 'use of app password % by % was not noted: %', given.id, by_service, SQLERRM;
        END;
    END IF;
    username := given.address;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION mail.app_login IS
    'Dovecot''s first passdb: one row where this hash is that of an app password of this login, for this service and from this address, and its holder may sign in, has a password of their own and still opens the mailbox; otherwise none. Notes the last use, at most once a minute unless service or address change.';

RESET ROLE;
