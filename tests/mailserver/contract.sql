-- The SQL contract of the mail servers over the plainest of tables: what the portal's migrations give in its place.
CREATE ROLE mail_owner NOLOGIN;
CREATE ROLE mail_ro LOGIN PASSWORD 'mail_ro-secret';
CREATE ROLE mail_auth LOGIN PASSWORD 'mail_auth-secret';
CREATE ROLE mail_usage LOGIN PASSWORD 'mail_usage-secret';

CREATE TABLE domains (domain text PRIMARY KEY);
CREATE TABLE mailboxes (
    address text PRIMARY KEY,
    localpart text NOT NULL,
    domain text NOT NULL REFERENCES domains,
    password text,
    quota_mb integer NOT NULL DEFAULT 100,
    may_sign_in boolean NOT NULL DEFAULT true,
    action text
);
CREATE TABLE aliases (localpart text, domain text REFERENCES domains, target text, PRIMARY KEY (localpart, domain));
CREATE TABLE mailboxes_usage (username text PRIMARY KEY, bytes bigint, messages bigint);

CREATE SCHEMA mail AUTHORIZATION mail_owner;
GRANT SELECT ON domains, mailboxes, aliases TO mail_owner;
CREATE VIEW mail.virtual_domains AS SELECT domain FROM domains;
CREATE VIEW mail.virtual_mailboxes AS SELECT localpart, domain, address FROM mailboxes;
CREATE VIEW mail.virtual_aliases AS
    SELECT localpart, domain, address AS target FROM mailboxes UNION ALL SELECT localpart, domain, target FROM aliases;
CREATE VIEW mail.sender_logins AS
    SELECT a.localpart, a.domain, a.target AS login
    FROM mail.virtual_aliases a JOIN mailboxes m ON m.address = a.target AND m.may_sign_in;
CREATE VIEW mail.recipient_access AS SELECT localpart, domain, action FROM mailboxes WHERE action IS NOT NULL;
CREATE VIEW mail.dovecot_users AS
    SELECT address AS username, 't1/' || md5(address) AS home, '*:storage=' || quota_mb || 'M' AS quota_rule
    FROM mailboxes;
CREATE VIEW mail.dovecot_passwords AS
    SELECT address AS username, password FROM mailboxes WHERE may_sign_in AND password IS NOT NULL;
GRANT USAGE ON SCHEMA mail TO mail_ro, mail_auth;
GRANT SELECT ON mail.virtual_domains, mail.virtual_mailboxes, mail.virtual_aliases, mail.sender_logins,
    mail.recipient_access, mail.dovecot_users TO mail_ro;
GRANT SELECT ON mail.dovecot_passwords TO mail_auth;
GRANT SELECT, INSERT, UPDATE, DELETE ON mailboxes_usage TO mail_usage;
