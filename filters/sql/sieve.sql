-- The scripts that Dovecot runs at each message, composed at each from what holds at that moment. Pigeonhole runs policy,
-- mark, the person's own script and notice, each only while the message is still to be kept.

SET LOCAL ROLE mail_owner;

CREATE FUNCTION mail.sieve_string(said text, in_lines boolean DEFAULT false) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT '"' || replace(replace(
        CASE WHEN in_lines
            THEN regexp_replace(regexp_replace(said, '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]', '', 'g'), '\r\n?|\n', E'\r\n', 'g')
            ELSE regexp_replace(said, '[\x01-\x1f\x7f]', ' ', 'g')
        END, '\', '\\'), '"', '\"') || '"'
$$;
COMMENT ON FUNCTION mail.sieve_string IS
    'The one place where a Sieve string (RFC 5228, 2.4.2) is written: it means this text and nothing else. Line breaks become spaces, with in_lines they stay; other control characters go. Not for scripts that require "variables": there ${} means more than itself, and nothing escapes it.';

CREATE FUNCTION mail.sieve_strings(said text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF said IS NULL OR said = '{}' THEN
        RETURN NULL;
    END IF;
    -- Ten thousand senders are looked at in one go: none of their signs needs care.
    IF array_to_string(said, '') !~ '[\x01-\x1f\x7f"\\]' THEN
        RETURN '["' || array_to_string(said, '", "') || '"]';
    END IF;
    RETURN '[' || (SELECT string_agg(mail.sieve_string(each), ', ') FROM unnest(said) AS each) || ']';
END
$$;
COMMENT ON FUNCTION mail.sieve_strings IS 'A Sieve list of strings; NULL where there are none, for Sieve knows no empty list.';

CREATE FUNCTION mail.sieve_test(kind text, senders text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    addresses text;
    domains text;
    below text;
BEGIN
    SELECT mail.sieve_strings(array_agg(s) FILTER (WHERE s NOT LIKE '@%')),
        mail.sieve_strings(array_agg(substr(s, 2)) FILTER (WHERE s LIKE '@%' AND s NOT LIKE '@*.%')),
        mail.sieve_strings(array_agg(substr(s, 2)) FILTER (WHERE s LIKE '@*.%'))
    INTO addresses, domains, below FROM unnest(senders) AS s;
    RETURN 'anyof (' || CASE kind
        WHEN 'allow' THEN concat_ws(', ',
            'header :is "x-ksc-auth" ' || addresses,
            'header :is "x-ksc-auth-domain" ' || domains,
            'header :matches "x-ksc-auth-domain" ' || below)
        ELSE concat_ws(', ',
            'address :is "from" ' || addresses, 'envelope :is "from" ' || addresses,
            'address :is :domain "from" ' || domains, 'envelope :is :domain "from" ' || domains,
            'address :matches :domain "from" ' || below, 'envelope :matches :domain "from" ' || below)
        END || ')';
END
$$;
COMMENT ON FUNCTION mail.sieve_test IS
    'A Sieve test for the senders of one list. allow: of the sender that Rspamd has proved, which it names in X-KSC-Auth and X-KSC-Auth-Domain; block: of every From address and of the envelope''s.';

CREATE FUNCTION mail.sieve_notice(box bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'Europe/Berlin')::date;
BEGIN
    RETURN (
        SELECT 'vacation :days ' || n.every_days
            || coalesce(' :subject ' || mail.sieve_string(nullif(trim(n.subject), '')), '')
            || ' :addresses ' || mail.sieve_strings(ARRAY(
                SELECT listed.address
                FROM (
                    SELECT given.address, sum(octet_length(given.address) + 4) OVER (
                        ORDER BY given.own DESC, given.by_domain, given.address
                    ) AS octets
                    FROM mail.addresses given WHERE given.target = a.address AND given.receives
                ) listed
                WHERE listed.octets < 40000 ORDER BY listed.octets
            ))
            || ' ' || mail.sieve_string(n.text, in_lines => true) || E';\n'
        FROM filters_absence n
        JOIN mailboxes_mailbox m ON m.id = n.mailbox_id
        JOIN mailboxes_address a ON a.id = m.address_id
        WHERE n.mailbox_id = box AND n.is_on AND trim(n.text, E' \t\r\n') <> ''
          AND (n.starts_on IS NULL OR n.starts_on <= today) AND (n.ends_on IS NULL OR n.ends_on >= today)
    );
END
$$;
COMMENT ON FUNCTION mail.sieve_notice IS
    'The Sieve command that answers with a mailbox''s notice of absence; NULL where it has none today. Without a subject of its own it answers with "Auto: " and the message''s. It knows as many of the mailbox''s addresses as fit into 40,000 octets, some thousand, the own one first.';

CREATE FUNCTION mail.sieve_parts(box bigint, wanted integer DEFAULT NULL) RETURNS TABLE (number integer, script text)
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    to_junk CONSTANT text := E'    fileinto :create "Junk";\n    stop;\n';
    to_nobody CONSTANT text := E'    discard;\n    stop;\n';
    chosen record;
BEGIN
    SELECT * INTO chosen FROM filters_settings_of(box);
    RETURN QUERY
        WITH weighed AS (
            -- Octets that a sender takes at most: it stands there twice, with quotes and a comma.
            SELECT r.level, r.kind, r.sender, ((50000 + sum(2 * (octet_length(r.sender) + 4)) OVER (
                ORDER BY r.level, r.kind, r.sender COLLATE "C" ROWS UNBOUNDED PRECEDING
            )) / 100000)::integer AS part
            FROM filters_rules_of(box) r
        ),
        last AS (SELECT coalesce(max(part), 0) AS part FROM weighed),
        branches AS (
            SELECT w.part, w.level, w.kind, format(E'if %s {\n%s}\n', mail.sieve_test(w.kind, array_agg(w.sender)), CASE
                WHEN w.kind = 'allow' THEN ''
                WHEN chosen.block_effect = 'discard' THEN to_nobody
                ELSE to_junk
            END) AS branch
            FROM weighed w WHERE wanted IS NULL OR w.part = wanted GROUP BY w.part, w.level, w.kind
            UNION ALL
            SELECT each, 9, '', CASE
                WHEN each < last.part THEN format(E'if true {\n    include :global "senders.%s";\n}\n', each + 1)
                WHEN chosen.action = 'off' THEN NULL
                ELSE format(
                    E'if header :contains "x-ksc-spam-level" "%s" {\n%s}\n',
                    repeat('*', chosen.threshold),
                    CASE chosen.action
                        WHEN 'mark' THEN E'    addheader "X-KSC-Policy" "spam";\n    stop;\n'
                        WHEN 'discard' THEN to_nobody
                        ELSE to_junk
                    END
                )
            END
            FROM last, generate_series(0, last.part) AS each WHERE wanted IS NULL OR each = wanted
        )
        SELECT b.part, E'require ["copy", "editheader", "envelope", "environment", "fileinto", "include", "mailbox", "vacation",\n'
            || E'    "vnd.dovecot.environment"];\n'
            || coalesce(string_agg(b.branch, 'els' ORDER BY b.level, b.kind), '')
        FROM branches b GROUP BY b.part;
END
$$;
COMMENT ON FUNCTION mail.sieve_parts IS
    'The Sieve script that does to a message what filters_fate_of says, but for a rejection, which comes too late here and becomes the spam folder. It ends the script for all that is spam or blocked. Long lists make several parts, from 0, each of which includes the next: Dovecot''s dict process buffers 128 KiB of an answer, and whether the kernel takes more is chance. The first is half as long as the others, for a notice may stand behind it.';

CREATE FUNCTION mail.sieve_policy(box bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    keeps boolean := (SELECT m.keeps_copy FROM mailboxes_mailbox m WHERE m.id = box);
    targets text[] := ARRAY(SELECT mail.forwards_of(box));
BEGIN
    RETURN concat(
        (SELECT part.script FROM mail.sieve_parts(box, 0) part),
        -- Forwards have changed since Dovecot asked how many redirects it allows this message: what were left of them, the
        -- person's own script could use.
        format(
            E'if not environment :is "vnd.dovecot.config.forwards" "%s" {\n    fileinto "INBOX";\n    stop;\n}\n',
            cardinality(targets)
        ),
        (
            SELECT string_agg(format(E'redirect %s%s;\n', CASE WHEN keeps THEN ':copy ' END, mail.sieve_string(each)), '')
            FROM unnest(targets) AS each
        ),
        -- What the portal tells of its own accord stays, or whoever sets up such a forward hides that it was. Where nothing
        -- is kept, the script that answers would not be reached.
        CASE WHEN targets <> '{}' AND NOT keeps THEN
            E'if header :is "ksc-notice" "yes" {\n    keep;\n}'
            || coalesce(E' else {\n    ' || mail.sieve_notice(box) || '}', '') || E'\n'
        END
    );
END
$$;
COMMENT ON FUNCTION mail.sieve_policy IS
    'The Sieve script that judges a message by lists and score, then sends on what is not spam to where mail.forwards_of says. E-mails of the portal, which have the header KSC-Notice, are kept too, whatever is chosen: who forges it has a copy kept.';

CREATE FUNCTION mail.sieve_mark(box bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (SELECT s.action FROM filters_settings_of(box) s) <> 'mark' THEN
        RETURN NULL;
    END IF;
    RETURN E'require ["editheader", "environment", "fileinto", "variables", "vnd.dovecot.environment"];\n'
        || E'if header :is "x-ksc-policy" "spam" {\n'
        || E'    if header :matches "subject" "*" {\n        set "subject" "${1}";\n    }\n'
        || E'    deleteheader "subject";\n    addheader :last "Subject" "[SPAM] ${subject}";\n'
        -- Redirects are allowed, and none is used up: the person's own script is not to run.
        || E'    if not environment :is "vnd.dovecot.config.forwards" "0" {\n        fileinto "INBOX";\n    }\n}\n';
END
$$;
COMMENT ON FUNCTION mail.sieve_mark IS
    'The Sieve script that marks the subject of what the policy script judged spam; NULL where spam is not marked. Nothing that somebody wrote stands in it, for it requires "variables".';

CREATE FUNCTION mail.sieve_script(box bigint, name text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN CASE name
        WHEN 'policy' THEN mail.sieve_policy(box)
        WHEN 'mark' THEN mail.sieve_mark(box)
        WHEN 'notice' THEN E'require ["vacation"];\nif not header :is "x-ksc-policy" "spam" {\n'
            || mail.sieve_notice(box) || E'}\n'
    END;
END
$$;
COMMENT ON FUNCTION mail.sieve_script IS 'The script of this name for a mailbox as it is now; NULL where there is nothing to do.';

CREATE VIEW mail.sieve_scripts AS
SELECT a.address::text AS username, named.name, md5(written.script) AS script_id, written.script
FROM mailboxes_mailbox m
JOIN mailboxes_address a ON a.id = m.address_id
CROSS JOIN (VALUES ('policy'), ('mark'), ('notice')) AS named (name)
CROSS JOIN LATERAL mail.sieve_script(m.id, named.name) AS written (script)
WHERE a.retired_at IS NULL AND written.script IS NOT NULL;
COMMENT ON VIEW mail.sieve_scripts IS
    'Pigeonhole''s dict of Sieve scripts: what Dovecot runs for a mailbox, written at each look-up. Ask by username.';
COMMENT ON COLUMN mail.sieve_scripts.username IS 'Login name: the mailbox''s address.';
COMMENT ON COLUMN mail.sieve_scripts.name IS 'policy, mark or notice.';
COMMENT ON COLUMN mail.sieve_scripts.script_id IS 'MD5 of the script: Dovecot compiles it anew when this changes.';
COMMENT ON COLUMN mail.sieve_scripts.script IS 'The script.';

CREATE VIEW mail.sieve_senders AS
SELECT a.address::text AS username, 'senders.' || part.number AS name, md5(part.script) AS script_id, part.script
FROM mailboxes_mailbox m
JOIN mailboxes_address a ON a.id = m.address_id
CROSS JOIN LATERAL mail.sieve_parts(m.id) AS part
WHERE a.retired_at IS NULL AND part.number > 0;
COMMENT ON VIEW mail.sieve_senders IS
    'Pigeonhole''s dict of what the policy script includes where a mailbox''s lists are long. Ask by username.';
COMMENT ON COLUMN mail.sieve_senders.username IS 'Login name: the mailbox''s address.';
COMMENT ON COLUMN mail.sieve_senders.name IS 'senders.1 and so on.';
COMMENT ON COLUMN mail.sieve_senders.script_id IS 'MD5 of the script.';
COMMENT ON COLUMN mail.sieve_senders.script IS 'The script.';

CREATE FUNCTION mail.filters_of(asked text) RETURNS TABLE (max_redirects bigint, junk_kept text)
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT (SELECT count(*) FROM mail.forwards_of(m.id)), s.junk_days || 'd'
    FROM mailboxes_address a
    JOIN mailboxes_mailbox m ON m.address_id = a.id
    CROSS JOIN LATERAL filters_settings_of(m.id) s
    WHERE a.address = asked AND a.retired_at IS NULL;
END
$$;
COMMENT ON FUNCTION mail.filters_of IS
    'What Dovecot must know of a login besides user_of. max_redirects: forwards in force, which the policy script uses up, so that a script of the person''s own can send nothing on; junk_kept: how long the spam folder keeps mail, NULL: for ever.';

CREATE FUNCTION mail.named(asked text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF asked = '' THEN
        RAISE 'nobody is named: Dovecot could not escape the name' USING ERRCODE = 'connection_exception';
    END IF;
    RETURN asked;
END
$$;
COMMENT ON FUNCTION mail.named IS
    'A login name as it is; an error where it is empty. Dovecot 2.3.19 (deb12u7) escapes names by the connection, and asks about nobody where that was gone just then: without an error it would bounce mail to somebody who exists.';

GRANT SELECT ON mail.sieve_scripts, mail.sieve_senders TO mail_ro;
REVOKE EXECUTE ON FUNCTION mail.sieve_string, mail.sieve_strings, mail.sieve_test, mail.sieve_notice, mail.sieve_policy,
    mail.sieve_mark, mail.sieve_script, mail.sieve_parts, mail.filters_of, mail.named FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail.sieve_script, mail.sieve_parts, mail.filters_of, mail.named TO mail_ro;
GRANT EXECUTE ON FUNCTION mail.named TO mail_auth;
RESET ROLE;
