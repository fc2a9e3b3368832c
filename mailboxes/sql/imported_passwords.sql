-- Besides the portal's own hash, those that people brought along and that Dovecot verifies: see accounts/foreign_hashes.py.

SET LOCAL ROLE mail_owner;

CREATE FUNCTION mail.dovecot_hash(stored text) RETURNS text LANGUAGE sql IMMUTABLE AS $sql$
    SELECT CASE
        WHEN stored LIKE 'argon2$argon2id$%' THEN '{ARGON2ID}' || substr(stored, 7)
        WHEN stored LIKE 'dovecot$$argon2i$%' THEN '{ARGON2I}' || substr(stored, 9)
        WHEN stored ~ '^dovecot\$\$(1|5|6|2[aby])\$' THEN '{CRYPT}' || substr(stored, 9)
        WHEN stored ~ '^dovecot\$\{SSHA(256|512)?\}[A-Za-z0-9+/]+=*$' THEN substr(stored, 9)
    END
$sql$;
COMMENT ON FUNCTION mail.dovecot_hash IS
    'A stored password hash with Dovecot''s scheme prefix; NULL for what Dovecot cannot or shall not verify.';

CREATE OR REPLACE VIEW mail.dovecot_passwords AS
SELECT a.address::text AS username, mail.dovecot_hash(u.password) AS password
FROM mailboxes_mailbox m
JOIN mailboxes_address a ON a.id = m.address_id
JOIN accounts_user u ON u.id = m.user_id
JOIN accounts_tenant t ON t.id = m.tenant_id
WHERE a.retired_at IS NULL
  AND u.mail_password_enabled
  AND mail.dovecot_hash(u.password) IS NOT NULL
  AND accounts_may_sign_in(u.locked_at, u.valid_until, u.initial_password, u.initial_expires_at, t.status);
COMMENT ON COLUMN mail.dovecot_passwords.password IS
    'Hash with Dovecot''s scheme prefix: the portal''s own Argon2id hash, or one that the person brought along.';

REVOKE EXECUTE ON FUNCTION mail.dovecot_hash FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail.dovecot_hash TO mail_auth;

RESET ROLE;
