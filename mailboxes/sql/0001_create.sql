-- The contract of mailboxes with Postfix and Dovecot. Addresses are lower case, domains A-labels.
-- Views run with the rights of mail_owner; the mail servers' roles see nothing but them.

CREATE SCHEMA IF NOT EXISTS mail;
ALTER SCHEMA mail OWNER TO mail_owner;
GRANT USAGE ON SCHEMA public TO mail_owner;
GRANT SELECT (id, status) ON accounts_tenant TO mail_owner;
GRANT SELECT (id, tenant_id, area, address, password, initial_password, initial_expires_at, locked_at, valid_until,
    mail_password_enabled) ON accounts_user TO mail_owner;
GRANT SELECT (id, postmaster_address) ON accounts_installation TO mail_owner;
GRANT SELECT ON mailboxes_domain, mailboxes_address, mailboxes_mailbox, mailboxes_alias TO mail_owner;

SET LOCAL ROLE mail_owner;

CREATE VIEW mail.virtual_domains AS
SELECT name::text AS domain FROM mailboxes_domain;
COMMENT ON VIEW mail.virtual_domains IS 'Postfix virtual_mailbox_domains: domains that are hosted here.';
COMMENT ON COLUMN mail.virtual_domains.domain IS 'Domain as A-label, lower case.';

-- All text columns are cast to text: with one type on both sides of a UNION ALL, conditions reach the indexes below it.

-- Granted to nobody: the ground on which the views for Postfix stand.
CREATE VIEW mail.addresses AS
SELECT a.local_part::text AS localpart, d.name::text AS domain, m.id AS mailbox_id
FROM mailboxes_address a
JOIN mailboxes_domain d ON d.id = a.domain_id
JOIN mailboxes_mailbox m ON m.address_id = a.id
WHERE a.retired_at IS NULL
UNION ALL
SELECT a.local_part::text, d.name::text, alias.mailbox_id
FROM mailboxes_address a
JOIN mailboxes_domain d ON d.id = a.domain_id
JOIN mailboxes_alias alias ON alias.address_id = a.id
WHERE a.retired_at IS NULL;
COMMENT ON VIEW mail.addresses IS 'Every address in use and the mailbox that it reaches.';
COMMENT ON COLUMN mail.addresses.localpart IS 'Part before the @.';
COMMENT ON COLUMN mail.addresses.domain IS 'Part after the @.';
COMMENT ON COLUMN mail.addresses.mailbox_id IS 'Id of the mailbox.';

CREATE VIEW mail.virtual_mailboxes AS
SELECT a.local_part::text AS localpart, d.name::text AS domain, a.address::text
FROM mailboxes_address a
JOIN mailboxes_domain d ON d.id = a.domain_id
JOIN mailboxes_mailbox m ON m.address_id = a.id
WHERE a.retired_at IS NULL;
COMMENT ON VIEW mail.virtual_mailboxes IS
    'Postfix virtual_mailbox_maps: one row a mailbox, locked and suspended ones too, since they exist.';
COMMENT ON COLUMN mail.virtual_mailboxes.localpart IS 'Part before the @ (Postfix %u).';
COMMENT ON COLUMN mail.virtual_mailboxes.domain IS 'Part after the @ (Postfix %d).';
COMMENT ON COLUMN mail.virtual_mailboxes.address IS 'Both parts, as stored.';

CREATE VIEW mail.virtual_aliases AS
SELECT given.localpart, given.domain, target.address::text AS target
FROM mail.addresses given
JOIN mailboxes_mailbox m ON m.id = given.mailbox_id
JOIN mailboxes_address target ON target.id = m.address_id
WHERE target.retired_at IS NULL
UNION ALL
SELECT role.localpart, d.name::text, installation.postmaster_address::text
FROM mailboxes_domain d
CROSS JOIN (VALUES ('postmaster'), ('abuse')) AS role (localpart)
JOIN accounts_installation installation ON installation.postmaster_address <> '';
COMMENT ON VIEW mail.virtual_aliases IS
    'Postfix virtual_alias_maps: each mailbox to itself, each alias to its mailbox, postmaster and abuse of every domain to the address that staff set.';
COMMENT ON COLUMN mail.virtual_aliases.localpart IS 'Part before the @ (Postfix %u).';
COMMENT ON COLUMN mail.virtual_aliases.domain IS 'Part after the @ (Postfix %d).';
COMMENT ON COLUMN mail.virtual_aliases.target IS 'Where the mail goes: one address a row.';

CREATE VIEW mail.sender_logins AS
SELECT given.localpart, given.domain, own.address::text AS login
FROM mail.addresses given
JOIN mailboxes_mailbox m ON m.id = given.mailbox_id
JOIN mailboxes_address own ON own.id = m.address_id
JOIN accounts_user u ON u.id = m.user_id
JOIN accounts_tenant t ON t.id = m.tenant_id
WHERE own.retired_at IS NULL
  AND accounts_may_sign_in(u.locked_at, u.valid_until, u.initial_password, u.initial_expires_at, t.status);
COMMENT ON VIEW mail.sender_logins IS
    'Postfix smtpd_sender_login_maps: which login may send as an address. No row for people who may not sign in, so an open session cannot send on.';
COMMENT ON COLUMN mail.sender_logins.localpart IS 'Part before the @ of the sender (Postfix %u).';
COMMENT ON COLUMN mail.sender_logins.domain IS 'Part after the @ of the sender (Postfix %d).';
COMMENT ON COLUMN mail.sender_logins.login IS 'Login that may use it: the mailbox''s own address.';

CREATE VIEW mail.recipient_access AS
SELECT given.localpart, given.domain,
    CASE
        WHEN m.delivery = 'refuse' THEN '550 5.2.1 Mailbox does not accept mail'
        ELSE '450 4.2.1 Mailbox temporarily not available'
    END AS action
FROM mail.addresses given
JOIN mailboxes_mailbox m ON m.id = given.mailbox_id
JOIN accounts_tenant t ON t.id = m.tenant_id
WHERE t.status = 'suspended' OR m.delivery <> 'accept';
COMMENT ON VIEW mail.recipient_access IS
    'Postfix check_recipient_access: a row only where mail to a mailbox, by whatever address, is deferred or refused.';
COMMENT ON COLUMN mail.recipient_access.localpart IS 'Part before the @ of the recipient (Postfix %u).';
COMMENT ON COLUMN mail.recipient_access.domain IS 'Part after the @ of the recipient (Postfix %d).';
COMMENT ON COLUMN mail.recipient_access.action IS 'Postfix access(5) action: reply code, enhanced code, text.';

CREATE VIEW mail.dovecot_users AS
SELECT a.address::text AS username,
    't' || m.tenant_id || '/' || m.public_id AS home,
    '*:storage=' || m.storage_mb || 'M' AS quota_rule
FROM mailboxes_mailbox m
JOIN mailboxes_address a ON a.id = m.address_id
WHERE a.retired_at IS NULL;
COMMENT ON VIEW mail.dovecot_users IS 'Dovecot userdb and iterate query: every mailbox, locked ones too, since they receive.';
COMMENT ON COLUMN mail.dovecot_users.username IS 'Login name: the mailbox''s address.';
COMMENT ON COLUMN mail.dovecot_users.home IS 'Folder below the mail root; it does not change when the address does.';
COMMENT ON COLUMN mail.dovecot_users.quota_rule IS 'Dovecot quota rule, storage in megabytes; never 0, which means unlimited.';

CREATE VIEW mail.dovecot_passwords AS
SELECT a.address::text AS username, '{ARGON2ID}' || substr(u.password, 7) AS password
FROM mailboxes_mailbox m
JOIN mailboxes_address a ON a.id = m.address_id
JOIN accounts_user u ON u.id = m.user_id
JOIN accounts_tenant t ON t.id = m.tenant_id
WHERE a.retired_at IS NULL
  AND u.mail_password_enabled
  AND u.password LIKE 'argon2$argon2id$%'
  AND accounts_may_sign_in(u.locked_at, u.valid_until, u.initial_password, u.initial_expires_at, t.status);
COMMENT ON VIEW mail.dovecot_passwords IS
    'Dovecot passdb: a row only for people who may sign in and whose password opens mail programs (not an initial one).';
COMMENT ON COLUMN mail.dovecot_passwords.username IS 'Login name: the mailbox''s address.';
COMMENT ON COLUMN mail.dovecot_passwords.password IS 'Hash with Dovecot''s scheme prefix: the portal''s own Argon2id hash.';

GRANT USAGE ON SCHEMA mail TO mail_ro, mail_auth;
GRANT SELECT ON mail.virtual_domains, mail.virtual_mailboxes, mail.virtual_aliases, mail.sender_logins,
    mail.recipient_access, mail.dovecot_users TO mail_ro;
GRANT SELECT ON mail.dovecot_passwords TO mail_auth;

RESET ROLE;
