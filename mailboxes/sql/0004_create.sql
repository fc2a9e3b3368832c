-- The contract of mailboxes with Postfix and Dovecot. Addresses are lower case, domains A-labels.
-- Views run with the rights of mail_owner; the mail servers' roles see nothing but them.

CREATE SCHEMA IF NOT EXISTS mail;
ALTER SCHEMA mail OWNER TO mail_owner;
GRANT USAGE ON SCHEMA public TO mail_owner;
GRANT SELECT (id, status) ON accounts_tenant TO mail_owner;
GRANT SELECT (id, tenant_id, area, address, password, initial_password, initial_expires_at, locked_at, valid_until,
    mail_password_enabled, password_changed_at, sort_key) ON accounts_user TO mail_owner;
GRANT SELECT (id, postmaster_address) ON accounts_installation TO mail_owner;
GRANT SELECT ON mailboxes_domain, mailboxes_address, mailboxes_mailbox, mailboxes_alias, mailboxes_aliastarget
    TO mail_owner;

SET LOCAL ROLE mail_owner;

CREATE VIEW mail.virtual_domains AS
SELECT name::text AS domain FROM mailboxes_domain;
COMMENT ON VIEW mail.virtual_domains IS 'Postfix virtual_mailbox_domains: domains that are hosted here.';
COMMENT ON COLUMN mail.virtual_domains.domain IS 'Domain as A-label, lower case.';

-- All text columns are cast to text: with one type on both sides of a UNION ALL, conditions reach the indexes below it.
-- Whoever asks by `address`, `own` and `by_domain` is answered by an index and reads one side only; what is reached by an
-- alias domain is asked for by `localpart` and `domain`, for its address is stored nowhere.

CREATE FUNCTION mail.has_left(leaves_on date) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(leaves_on <= (now() AT TIME ZONE 'Europe/Berlin')::date, false)
$$;
COMMENT ON FUNCTION mail.has_left IS 'Whether a mailbox''s person has left: the day of leaving has come.';

CREATE FUNCTION mail.refusal(delivery text, leaves_on date, write_to text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN mail.has_left(leaves_on) THEN
            '550 5.1.6 Diese Adresse ist seit dem ' || to_char(leaves_on, 'DD.MM.YYYY')
            || ' geschlossen. / This address is closed since ' || to_char(leaves_on, 'YYYY-MM-DD') || '.'
            || CASE WHEN write_to <> '' THEN ' Bitte schreiben Sie an / Please write to ' || write_to ELSE '' END
        WHEN delivery = 'refuse' THEN '550 5.2.1 Mailbox does not accept mail'
    END
$$;
COMMENT ON FUNCTION mail.refusal IS
    'Postfix access(5) action for a mailbox that takes no mail: whose person has left, with the day and whom to write to, or that refuses; NULL for all others.';

-- Granted to nobody: the ground on which the views for Postfix stand.
CREATE VIEW mail.addresses AS
SELECT a.address::text AS address, a.local_part::text AS localpart, substr(a.address, length(a.local_part) + 2) AS domain,
    true AS own, false AS by_domain, a.address::text AS target, true AS receives,
    NOT mail.has_left(m.leaves_on) AS may_send,
    m.user_id, m.tenant_id, m.delivery::text AS delivery,
    mail.refusal(m.delivery, m.leaves_on, m.write_to) AS refusal
FROM mailboxes_address a
JOIN mailboxes_mailbox m ON m.address_id = a.id
WHERE a.retired_at IS NULL
UNION ALL
SELECT a.address::text, a.local_part::text, substr(a.address, length(a.local_part) + 2),
    false, false, target.address::text, lead.receives,
    lead.may_send AND NOT mail.has_left(m.leaves_on), m.user_id, m.tenant_id, m.delivery::text,
    mail.refusal(m.delivery, m.leaves_on, m.write_to)
FROM mailboxes_address a
JOIN mailboxes_alias alias ON alias.address_id = a.id
JOIN mailboxes_aliastarget lead ON lead.alias_id = alias.id
JOIN mailboxes_mailbox m ON m.id = lead.mailbox_id
JOIN mailboxes_address target ON target.id = m.address_id
WHERE a.retired_at IS NULL AND target.retired_at IS NULL
  AND (alias.valid_until IS NULL OR alias.valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)
-- Alias domains: what is or was opened below them goes before.
UNION ALL
SELECT a.local_part || '@' || d.name, a.local_part::text, d.name::text,
    false, true, a.address::text, true,
    NOT mail.has_left(m.leaves_on), m.user_id, m.tenant_id, m.delivery::text,
    mail.refusal(m.delivery, m.leaves_on, m.write_to)
FROM mailboxes_domain d
JOIN mailboxes_address a ON a.domain_id = d.alias_of_id
JOIN mailboxes_mailbox m ON m.address_id = a.id
WHERE a.retired_at IS NULL
  AND NOT EXISTS (SELECT FROM mailboxes_address o WHERE o.domain_id = d.id AND o.local_part = a.local_part)
UNION ALL
SELECT a.local_part || '@' || d.name, a.local_part::text, d.name::text,
    false, true, target.address::text, lead.receives,
    lead.may_send AND NOT mail.has_left(m.leaves_on), m.user_id, m.tenant_id, m.delivery::text,
    mail.refusal(m.delivery, m.leaves_on, m.write_to)
FROM mailboxes_domain d
JOIN mailboxes_address a ON a.domain_id = d.alias_of_id
JOIN mailboxes_alias alias ON alias.address_id = a.id
JOIN mailboxes_aliastarget lead ON lead.alias_id = alias.id
JOIN mailboxes_mailbox m ON m.id = lead.mailbox_id
JOIN mailboxes_address target ON target.id = m.address_id
WHERE a.retired_at IS NULL AND target.retired_at IS NULL
  AND (alias.valid_until IS NULL OR alias.valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)
  AND NOT EXISTS (SELECT FROM mailboxes_address o WHERE o.domain_id = d.id AND o.local_part = a.local_part);
COMMENT ON VIEW mail.addresses IS 'Every address in force and the mailboxes that it leads to, one a row; but for catch-all addresses.';
COMMENT ON COLUMN mail.addresses.address IS 'The address.';
COMMENT ON COLUMN mail.addresses.localpart IS 'Part before the @.';
COMMENT ON COLUMN mail.addresses.domain IS 'Part after the @.';
COMMENT ON COLUMN mail.addresses.own IS 'Whether it is a mailbox''s own address, not an alias and not by an alias domain.';
COMMENT ON COLUMN mail.addresses.by_domain IS 'Whether it is in an alias domain, and stored in the domain that this one stands for.';
COMMENT ON COLUMN mail.addresses.target IS 'Own address of a mailbox that it leads to.';
COMMENT ON COLUMN mail.addresses.receives IS 'Whether mail to the address goes to that mailbox.';
COMMENT ON COLUMN mail.addresses.may_send IS 'Whether that mailbox may send with the address; not whose person has left.';
COMMENT ON COLUMN mail.addresses.user_id IS 'Person of that mailbox.';
COMMENT ON COLUMN mail.addresses.tenant_id IS 'Tenant of that mailbox.';
COMMENT ON COLUMN mail.addresses.delivery IS 'What becomes of mail to that mailbox: accept, defer, refuse.';
COMMENT ON COLUMN mail.addresses.refusal IS 'Postfix access(5) action where that mailbox takes no mail; NULL elsewhere.';

CREATE VIEW mail.virtual_mailboxes AS
SELECT localpart, domain, address FROM mail.addresses WHERE own;
COMMENT ON VIEW mail.virtual_mailboxes IS
    'Postfix virtual_mailbox_maps: one row a mailbox, locked and suspended ones too, since they exist.';
COMMENT ON COLUMN mail.virtual_mailboxes.localpart IS 'Part before the @.';
COMMENT ON COLUMN mail.virtual_mailboxes.domain IS 'Part after the @.';
COMMENT ON COLUMN mail.virtual_mailboxes.address IS 'Both parts, as stored.';

CREATE VIEW mail.virtual_aliases AS
SELECT localpart, domain, target, address, own, by_domain FROM mail.addresses
WHERE own OR receives AND refusal IS NULL
UNION ALL
SELECT role.localpart, d.name::text, installation.postmaster_address::text, role.localpart || '@' || d.name, false, false
FROM mailboxes_domain d
CROSS JOIN (VALUES ('postmaster'), ('abuse')) AS role (localpart)
JOIN accounts_installation installation ON installation.postmaster_address <> '';
COMMENT ON VIEW mail.virtual_aliases IS
    'Postfix virtual_alias_maps: each mailbox to itself, each alias to those of its mailboxes that receive and do not refuse, both by alias domains too; postmaster and abuse of every domain to the address that staff set.';
COMMENT ON COLUMN mail.virtual_aliases.localpart IS 'Part before the @.';
COMMENT ON COLUMN mail.virtual_aliases.domain IS 'Part after the @.';
COMMENT ON COLUMN mail.virtual_aliases.target IS 'Where the mail goes: one address a row.';
COMMENT ON COLUMN mail.virtual_aliases.address IS 'Both parts.';
COMMENT ON COLUMN mail.virtual_aliases.own IS 'Whether it is a mailbox''s own address.';
COMMENT ON COLUMN mail.virtual_aliases.by_domain IS 'Whether it is in an alias domain.';

CREATE VIEW mail.sender_logins AS
SELECT given.localpart, given.domain, given.target AS login, given.address, given.own, given.by_domain
FROM mail.addresses given
JOIN accounts_user u ON u.id = given.user_id
JOIN accounts_tenant t ON t.id = given.tenant_id
WHERE given.may_send
  AND accounts_may_sign_in(u.locked_at, u.valid_until, u.initial_password, u.initial_expires_at, t.status);
COMMENT ON VIEW mail.sender_logins IS
    'Postfix smtpd_sender_login_maps: which logins may send as an address. No row for people who may not sign in, so an open session cannot send on, and none for a catch-all address.';
COMMENT ON COLUMN mail.sender_logins.localpart IS 'Part before the @ of the sender.';
COMMENT ON COLUMN mail.sender_logins.domain IS 'Part after the @ of the sender.';
COMMENT ON COLUMN mail.sender_logins.login IS 'Login that may use it: the mailbox''s own address.';
COMMENT ON COLUMN mail.sender_logins.address IS 'Both parts.';
COMMENT ON COLUMN mail.sender_logins.own IS 'Whether it is the mailbox''s own address.';
COMMENT ON COLUMN mail.sender_logins.by_domain IS 'Whether it is in an alias domain.';

CREATE VIEW mail.deliveries AS
SELECT given.localpart, given.domain,
    CASE
        WHEN given.refusal IS NOT NULL THEN given.refusal
        WHEN given.delivery <> 'accept' OR t.status = 'suspended' THEN '450 4.2.1 Mailbox temporarily not available'
    END AS action,
    given.address, given.own, given.by_domain
FROM mail.addresses given
JOIN accounts_tenant t ON t.id = given.tenant_id
WHERE given.own
UNION ALL
SELECT given.localpart, given.domain,
    CASE
        WHEN bool_and(given.refusal IS NOT NULL) THEN max(given.refusal)
        WHEN bool_or(given.refusal IS NULL AND (given.delivery = 'defer' OR t.status = 'suspended'))
            THEN '450 4.2.1 Mailbox temporarily not available'
    END,
    given.address, given.own, given.by_domain
FROM mail.addresses given
JOIN accounts_tenant t ON t.id = given.tenant_id
WHERE NOT given.own AND given.receives
GROUP BY given.localpart, given.domain, given.address, given.own, given.by_domain;
COMMENT ON VIEW mail.deliveries IS
    'Every address in force, and what becomes of mail to it. An alias waits for each of its mailboxes, and does without those that refuse as long as another does not.';
COMMENT ON COLUMN mail.deliveries.localpart IS 'Part before the @ of the recipient.';
COMMENT ON COLUMN mail.deliveries.domain IS 'Part after the @ of the recipient.';
COMMENT ON COLUMN mail.deliveries.action IS 'Postfix access(5) action: reply code, enhanced code, text; NULL where mail is accepted.';
COMMENT ON COLUMN mail.deliveries.address IS 'Both parts.';
COMMENT ON COLUMN mail.deliveries.own IS 'Whether it is a mailbox''s own address.';
COMMENT ON COLUMN mail.deliveries.by_domain IS 'Whether it is in an alias domain.';

CREATE VIEW mail.recipient_access AS
SELECT localpart, domain, action FROM mail.deliveries WHERE action IS NOT NULL;
COMMENT ON VIEW mail.recipient_access IS
    'Postfix check_recipient_access: a row only where mail to a mailbox, by whatever address, is deferred or refused.';
COMMENT ON COLUMN mail.recipient_access.localpart IS 'Part before the @ of the recipient.';
COMMENT ON COLUMN mail.recipient_access.domain IS 'Part after the @ of the recipient.';
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

-- Postfix and Dovecot send each query as plain text, and planning a view's joins takes longer than running them. These
-- functions read the views with the caller's rights and keep the plans as long as the connection lives. Most mail is to
-- a mailbox's own address, so that is asked first.

CREATE FUNCTION mail.domain_of(asked text) RETURNS SETOF text LANGUAGE plpgsql STABLE ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT v.domain FROM mail.virtual_domains v WHERE v.domain = asked;
END
$$;
COMMENT ON FUNCTION mail.domain_of IS 'virtual_domains.domain of a name.';

CREATE FUNCTION mail.mailbox_of(asked text) RETURNS SETOF text LANGUAGE plpgsql STABLE ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT v.address FROM mail.virtual_mailboxes v WHERE v.address = asked;
END
$$;
COMMENT ON FUNCTION mail.mailbox_of IS 'virtual_mailboxes.address of an address.';

-- The one rule that no view can list, for it is about addresses that do not exist. Runs with the rights of mail_owner.
CREATE FUNCTION mail.catch_all_of(asked text) RETURNS TABLE (target text, action text)
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    name_asked text := split_part(split_part(asked, '@', 1), '+', 1);
BEGIN
    RETURN QUERY SELECT a.address::text, CASE
            WHEN mail.refusal(m.delivery, m.leaves_on, m.write_to) IS NOT NULL
                THEN mail.refusal(m.delivery, m.leaves_on, m.write_to)
            WHEN m.delivery <> 'accept' OR t.status = 'suspended' THEN '450 4.2.1 Mailbox temporarily not available'
        END
    FROM mailboxes_domain d
    JOIN mailboxes_mailbox m ON m.id = d.catch_all_id
    JOIN mailboxes_address a ON a.id = m.address_id
    JOIN accounts_tenant t ON t.id = m.tenant_id
    WHERE d.name = split_part(asked, '@', 2) AND a.retired_at IS NULL
      AND name_asked NOT IN ('', 'abuse', 'admin', 'administrator', 'hostmaster', 'noc', 'postmaster', 'root', 'security',
          'webmaster')
      AND NOT EXISTS (SELECT FROM mailboxes_address o WHERE o.domain_id = d.id AND o.local_part = name_asked);
END
$$;
COMMENT ON FUNCTION mail.catch_all_of IS
    'Where mail to an address goes that never existed in a domain with a catch-all address, and the access(5) action where it is deferred or refused. None for what exists or was closed, with a +tag or without, and for the names that staff look after.';

CREATE FUNCTION mail.targets_of(asked text) RETURNS SETOF text LANGUAGE plpgsql STABLE ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT v.target FROM mail.virtual_aliases v WHERE v.address = asked AND v.own AND NOT v.by_domain;
    IF NOT FOUND THEN
        RETURN QUERY SELECT v.target FROM mail.virtual_aliases v
            WHERE v.address = asked AND NOT v.own AND NOT v.by_domain
            AND v.localpart = split_part(asked, '@', 1) AND v.domain = split_part(asked, '@', 2);
    END IF;
    IF NOT FOUND THEN
        RETURN QUERY SELECT v.target FROM mail.virtual_aliases v WHERE NOT v.own AND v.by_domain
            AND v.localpart = split_part(asked, '@', 1) AND v.domain = split_part(asked, '@', 2);
    END IF;
    IF NOT FOUND THEN
        RETURN QUERY SELECT c.target FROM mail.catch_all_of(asked) c;
    END IF;
END
$$;
COMMENT ON FUNCTION mail.targets_of IS 'virtual_aliases.target of an address; else where its domain''s catch-all address leads.';

CREATE FUNCTION mail.logins_of(asked text) RETURNS SETOF text LANGUAGE plpgsql STABLE ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT v.login FROM mail.sender_logins v WHERE v.address = asked AND v.own AND NOT v.by_domain;
    IF NOT FOUND THEN
        RETURN QUERY SELECT v.login FROM mail.sender_logins v
            WHERE v.address = asked AND NOT v.own AND NOT v.by_domain;
    END IF;
    IF NOT FOUND THEN
        RETURN QUERY SELECT v.login FROM mail.sender_logins v WHERE NOT v.own AND v.by_domain
            AND v.localpart = split_part(asked, '@', 1) AND v.domain = split_part(asked, '@', 2);
    END IF;
END
$$;
COMMENT ON FUNCTION mail.logins_of IS 'sender_logins.login of an address.';

CREATE FUNCTION mail.access_of(asked text) RETURNS SETOF text LANGUAGE plpgsql STABLE ROWS 1 AS $$
DECLARE
    answer text;
BEGIN
    SELECT v.action INTO answer FROM mail.deliveries v WHERE v.address = asked AND v.own AND NOT v.by_domain;
    IF NOT FOUND THEN
        SELECT v.action INTO answer FROM mail.deliveries v WHERE v.address = asked AND NOT v.own AND NOT v.by_domain;
    END IF;
    IF NOT FOUND THEN
        SELECT v.action INTO answer FROM mail.deliveries v WHERE NOT v.own AND v.by_domain
            AND v.localpart = split_part(asked, '@', 1) AND v.domain = split_part(asked, '@', 2);
    END IF;
    IF NOT FOUND THEN
        SELECT c.action INTO answer FROM mail.catch_all_of(asked) c;
    END IF;
    IF answer IS NOT NULL THEN
        RETURN NEXT answer;
    END IF;
END
$$;
COMMENT ON FUNCTION mail.access_of IS 'recipient_access.action of an address; else that of its domain''s catch-all address.';

CREATE FUNCTION mail.user_of(asked text) RETURNS TABLE (username text, home text, quota_rule text)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT v.username, v.home, v.quota_rule FROM mail.dovecot_users v WHERE v.username = asked;
END
$$;
COMMENT ON FUNCTION mail.user_of IS 'The row of dovecot_users for a login.';

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

GRANT USAGE ON SCHEMA mail TO mail_ro, mail_auth;
GRANT SELECT ON mail.virtual_domains, mail.virtual_mailboxes, mail.virtual_aliases, mail.sender_logins, mail.deliveries,
    mail.recipient_access, mail.dovecot_users TO mail_ro;
GRANT SELECT ON mail.dovecot_passwords TO mail_auth;
REVOKE EXECUTE ON FUNCTION mail.has_left, mail.refusal, mail.domain_of, mail.mailbox_of, mail.targets_of, mail.logins_of,
    mail.access_of, mail.catch_all_of, mail.user_of, mail.password_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail.has_left, mail.refusal, mail.domain_of, mail.mailbox_of, mail.targets_of, mail.logins_of,
    mail.access_of, mail.catch_all_of, mail.user_of TO mail_ro;
GRANT EXECUTE ON FUNCTION mail.password_of TO mail_auth;

RESET ROLE;
