-- Called by Dovecot once the password was found right; runs with the rights of mail_owner.

GRANT SELECT (password_changed_at) ON accounts_user TO mail_owner;
GRANT SELECT, INSERT, UPDATE ON mailboxes_maillogin TO mail_owner;
REVOKE INSERT, UPDATE ON mailboxes_maillogin FROM ksc_app;

SET LOCAL ROLE mail_owner;

CREATE FUNCTION mail.note_login(login text, by_service text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    box record;
BEGIN
    SELECT m.id, m.tenant_id, greatest(now() - interval '1 minute', u.password_changed_at) AS fresh INTO box
    FROM mailboxes_address a
    JOIN mailboxes_mailbox m ON m.address_id = a.id
    JOIN accounts_user u ON u.id = m.user_id
    WHERE a.address = login AND a.retired_at IS NULL;
    IF FOUND AND NOT pg_is_in_recovery() AND NOT EXISTS (
        SELECT FROM mailboxes_maillogin WHERE mailbox_id = box.id AND service = by_service AND at >= box.fresh
    ) THEN
        BEGIN
            INSERT INTO mailboxes_maillogin (tenant_id, mailbox_id, service, at)
            VALUES (box.tenant_id, box.id, by_service, now())
            ON CONFLICT (mailbox_id, service) DO UPDATE SET at = EXCLUDED.at;
        EXCEPTION WHEN OTHERS THEN
            -- Dovecot's pool loses logins that wait while a query of another one fails: rather a note too few.
            RAISE WARNING 'login of mailbox % by % was not noted: %', box.id, by_service, SQLERRM;
        END;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION mail.note_login IS
    'Dovecot, after the password was found right: notes when a mailbox was last opened by a service (imap, pop3, smtp, sieve); written at most once a minute and once after each change of the password. Returns NULL: it gives no password.';
REVOKE EXECUTE ON FUNCTION mail.note_login FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail.note_login TO mail_auth;

RESET ROLE;
