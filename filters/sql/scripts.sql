-- The scripts for Dovecot's questions anew: each composes the one script that is asked for, and reads the lists in one go
-- from an index in which all stands that is needed. It asks which script there is at each message, for the script itself
-- only where that is another one than it has compiled.

CREATE FUNCTION filters_listed(box bigint, of_domain bigint, of_tenant bigint)
RETURNS TABLE (level smallint, kind text, sender text) LANGUAGE sql STABLE AS $$
    SELECT 1::smallint, r.kind::text, r.sender::text FROM filters_senderrule r
    WHERE r.mailbox_id = box
      AND (r.valid_until IS NULL OR r.valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)
    UNION ALL
    SELECT 2::smallint, r.kind::text, r.sender::text FROM filters_senderrule r
    WHERE r.domain_id = of_domain
      AND (r.valid_until IS NULL OR r.valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)
    UNION ALL
    SELECT 3::smallint, r.kind::text, r.sender::text FROM filters_senderrule r
    WHERE r.tenant_id = of_tenant AND r.mailbox_id IS NULL AND r.domain_id IS NULL
      AND (r.valid_until IS NULL OR r.valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)
    UNION ALL
    SELECT 4::smallint, r.kind::text, r.sender::text FROM filters_senderrule r
    WHERE r.tenant_id IS NULL
      AND (r.valid_until IS NULL OR r.valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)
$$;
COMMENT ON FUNCTION filters_listed IS
    'filters_rules_of for whoever knows a mailbox''s domain and tenant. PostgreSQL writes it into the caller''s query, where each of the three becomes the condition of an index.';
REVOKE EXECUTE ON FUNCTION filters_listed FROM PUBLIC;
GRANT EXECUTE ON FUNCTION filters_listed TO ksc_app, mail_owner;

CREATE OR REPLACE FUNCTION filters_rules_of(box bigint)
RETURNS TABLE (level smallint, kind text, sender text) LANGUAGE sql STABLE AS $$
    SELECT listed.level, listed.kind, listed.sender
    FROM mailboxes_mailbox m
    JOIN mailboxes_address a ON a.id = m.address_id
    CROSS JOIN LATERAL filters_listed(m.id, a.domain_id, m.tenant_id) AS listed
    WHERE m.id = box
$$;

SET LOCAL ROLE mail_owner;

DROP FUNCTION mail.sieve_test(text, text[]);
CREATE FUNCTION mail.sieve_test(kind text, addresses text[], domains text[], below text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    those text := mail.sieve_strings(addresses);
    of_domains text := mail.sieve_strings(domains);
    of_those_below text := mail.sieve_strings(below);
BEGIN
    RETURN 'anyof (' || CASE kind
        WHEN 'allow' THEN concat_ws(', ',
            'header :is "x-ksc-auth" ' || those,
            'header :is "x-ksc-auth-domain" ' || of_domains,
            'header :matches "x-ksc-auth-domain" ' || of_those_below)
        ELSE concat_ws(', ',
            'address :is "from" ' || those, 'envelope :is "from" ' || those,
            'address :is :domain "from" ' || of_domains, 'envelope :is :domain "from" ' || of_domains,
            'address :matches :domain "from" ' || of_those_below, 'envelope :matches :domain "from" ' || of_those_below)
        END || ')';
END
$$;
COMMENT ON FUNCTION mail.sieve_test IS
    'A Sieve test for the senders of one list: addresses, whole domains, and patterns (*.) of domains below others. allow: of the sender that Rspamd has proved, which it names in X-KSC-Auth and X-KSC-Auth-Domain; block: of every From address and of the envelope''s.';

CREATE OR REPLACE FUNCTION mail.sieve_parts(box bigint, wanted integer DEFAULT NULL) RETURNS TABLE (number integer, script text)
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    head CONSTANT text := E'require ["copy", "editheader", "envelope", "environment", "fileinto", "include", "mailbox", "vacation",\n'
        || E'    "vnd.dovecot.environment"];\n';
    to_junk CONSTANT text := E'    fileinto :create "Junk";\n    stop;\n';
    to_nobody CONSTANT text := E'    discard;\n    stop;\n';
    chosen record;
    branch record;
    before text := '';
BEGIN
    SELECT m.tenant_id, a.domain_id, s.* INTO chosen
    FROM mailboxes_mailbox m
    JOIN mailboxes_address a ON a.id = m.address_id
    CROSS JOIN LATERAL filters_settings_of(m.id) s
    WHERE m.id = box;
    number := 0;
    script := head;
    FOR branch IN
        WITH weighed AS (
            -- Octets that a sender takes at most: it stands there twice, with quotes and a comma.
            SELECT r.level, r.kind, r.sender, ((50000 + sum(2 * (octet_length(r.sender) + 4)) OVER (
                ORDER BY r.level, r.kind, r.sender COLLATE "C" ROWS UNBOUNDED PRECEDING
            )) / 100000)::integer AS part
            FROM filters_listed(box, chosen.domain_id, chosen.tenant_id) r
        )
        -- Always in the same order: a script that is composed once more has to be the same. Of the part after the one
        -- that is wanted it counts only that there is one.
        SELECT w.part, w.kind, CASE WHEN wanted IS NULL OR w.part = wanted THEN mail.sieve_test(
            w.kind,
            array_agg(w.sender ORDER BY w.sender COLLATE "C") FILTER (WHERE w.sender NOT LIKE '@%'),
            array_agg(substr(w.sender, 2) ORDER BY w.sender COLLATE "C")
                FILTER (WHERE w.sender LIKE '@%' AND w.sender NOT LIKE '@*.%'),
            array_agg(substr(w.sender, 2) ORDER BY w.sender COLLATE "C") FILTER (WHERE w.sender LIKE '@*.%')
        ) END AS test
        FROM weighed w WHERE wanted IS NULL OR w.part IN (wanted, wanted + 1)
        GROUP BY w.part, w.level, w.kind ORDER BY w.part, w.level, w.kind
    LOOP
        IF branch.part > number THEN
            script := script || before || format(E'if true {\n    include :global "senders.%s";\n}\n', branch.part);
            IF wanted IS NULL OR wanted = number THEN
                RETURN NEXT;
            END IF;
            number := branch.part;
            script := head;
            before := '';
        END IF;
        script := script || before || format(E'if %s {\n%s}\n', branch.test, CASE
            WHEN branch.kind = 'allow' THEN ''
            WHEN chosen.block_effect = 'discard' THEN to_nobody
            ELSE to_junk
        END);
        before := 'els';
    END LOOP;
    IF chosen.action <> 'off' THEN
        script := script || before || format(
            E'if header :contains "x-ksc-spam-level" "%s" {\n%s}\n',
            repeat('*', chosen.threshold),
            CASE chosen.action
                WHEN 'mark' THEN E'    addheader "X-KSC-Policy" "spam";\n    stop;\n'
                WHEN 'discard' THEN to_nobody
                ELSE to_junk
            END
        );
    END IF;
    IF wanted IS NULL OR wanted = number THEN
        RETURN NEXT;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION mail.sieve_policy(box bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    keeps boolean;
    targets text[];
    target text;
    script text;
BEGIN
    SELECT m.keeps_copy, ARRAY(SELECT mail.forwards_of(m.id)), part.script INTO keeps, targets, script
    FROM mailboxes_mailbox m CROSS JOIN LATERAL mail.sieve_parts(m.id, 0) AS part WHERE m.id = box;
    -- Forwards have changed since Dovecot asked how many redirects it allows this message: what were left of them, the
    -- person's own script could use.
    script := script || format(
        E'if not environment :is "vnd.dovecot.config.forwards" "%s" {\n    fileinto "INBOX";\n    stop;\n}\n',
        cardinality(targets)
    );
    FOREACH target IN ARRAY targets LOOP
        script := script || format(E'redirect %s%s;\n', CASE WHEN keeps THEN ':copy ' END, mail.sieve_string(target));
    END LOOP;
    -- What the portal tells of its own accord stays, or whoever sets up such a forward hides that it was. Where nothing
    -- is kept, the script that answers would not be reached.
    IF targets <> '{}' AND NOT keeps THEN
        script := script || E'if header :is "ksc-notice" "yes" {\n    keep;\n}'
            || coalesce(E' else {\n    ' || mail.sieve_notice(box) || '}', '') || E'\n';
    END IF;
    RETURN script;
END
$$;

-- One plan each for as long as a connection lives, whatever is asked first: else five of them are made before.
CREATE FUNCTION mail.sieve_script_at(own_address bigint, name text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN mail.sieve_script(m.id, name) FROM mailboxes_mailbox m WHERE m.address_id = own_address;
END
$$;
COMMENT ON FUNCTION mail.sieve_script_at IS 'sieve_script of the mailbox whose address has this id; NULL where it has none.';

CREATE OR REPLACE VIEW mail.sieve_scripts AS
SELECT a.address::text AS username, named.name, named.name || '.' || md5(written.script) AS script_id, written.script
FROM mailboxes_mailbox m
JOIN mailboxes_address a ON a.id = m.address_id
CROSS JOIN (VALUES ('policy'), ('mark'), ('notice')) AS named (name)
CROSS JOIN LATERAL mail.sieve_script(m.id, named.name) AS written (script)
WHERE a.retired_at IS NULL AND written.script IS NOT NULL;
COMMENT ON VIEW mail.sieve_scripts IS
    'All Sieve scripts that Dovecot runs for a mailbox, as they are now. Dovecot itself asks the view of each.';
COMMENT ON COLUMN mail.sieve_scripts.script_id IS
    'Name and MD5 of the script: Dovecot compiles it anew when this changes.';

CREATE FUNCTION mail.of_nobody() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN mail.named('');
END
$$;
COMMENT ON FUNCTION mail.of_nobody IS
    'The error of mail.named, as a column of the rows that stand in the dicts'' views for an empty name: without them a script that could not be asked for would be one that is not there, and mail would go past lists and forwards.';

CREATE VIEW mail.sieve_policies AS
SELECT a.address::text AS username, 'policy.' || md5(written.script) AS script_id, md5(written.script) AS digest,
    written.script
FROM mailboxes_address a
CROSS JOIN LATERAL mail.sieve_script_at(a.id, 'policy') AS written (script)
WHERE a.retired_at IS NULL AND written.script IS NOT NULL
UNION ALL SELECT '', mail.of_nobody(), mail.of_nobody(), mail.of_nobody();
COMMENT ON VIEW mail.sieve_policies IS
    'Pigeonhole''s dict of the scripts named policy, each written at the look-up. Ask by username.';
COMMENT ON COLUMN mail.sieve_policies.username IS 'Login name: the mailbox''s address.';
COMMENT ON COLUMN mail.sieve_policies.script_id IS 'As in sieve_scripts; by its first word Dovecot finds back to this view.';
COMMENT ON COLUMN mail.sieve_policies.digest IS 'What of script_id comes after that word.';
COMMENT ON COLUMN mail.sieve_policies.script IS 'The script.';

CREATE VIEW mail.sieve_marks AS
SELECT a.address::text AS username, 'mark.' || md5(written.script) AS script_id, md5(written.script) AS digest,
    written.script
FROM mailboxes_address a
CROSS JOIN LATERAL mail.sieve_script_at(a.id, 'mark') AS written (script)
WHERE a.retired_at IS NULL AND written.script IS NOT NULL
UNION ALL SELECT '', mail.of_nobody(), mail.of_nobody(), mail.of_nobody();
COMMENT ON VIEW mail.sieve_marks IS
    'Pigeonhole''s dict of the scripts named mark, each written at the look-up. Ask by username.';
COMMENT ON COLUMN mail.sieve_marks.username IS 'Login name: the mailbox''s address.';
COMMENT ON COLUMN mail.sieve_marks.script_id IS 'As in sieve_scripts; by its first word Dovecot finds back to this view.';
COMMENT ON COLUMN mail.sieve_marks.digest IS 'What of script_id comes after that word.';
COMMENT ON COLUMN mail.sieve_marks.script IS 'The script.';

CREATE VIEW mail.sieve_notices AS
SELECT a.address::text AS username, 'notice.' || md5(written.script) AS script_id, md5(written.script) AS digest,
    written.script
FROM mailboxes_address a
CROSS JOIN LATERAL mail.sieve_script_at(a.id, 'notice') AS written (script)
WHERE a.retired_at IS NULL AND written.script IS NOT NULL
UNION ALL SELECT '', mail.of_nobody(), mail.of_nobody(), mail.of_nobody();
COMMENT ON VIEW mail.sieve_notices IS
    'Pigeonhole''s dict of the scripts named notice, each written at the look-up. Ask by username.';
COMMENT ON COLUMN mail.sieve_notices.username IS 'Login name: the mailbox''s address.';
COMMENT ON COLUMN mail.sieve_notices.script_id IS 'As in sieve_scripts; by its first word Dovecot finds back to this view.';
COMMENT ON COLUMN mail.sieve_notices.digest IS 'What of script_id comes after that word.';
COMMENT ON COLUMN mail.sieve_notices.script IS 'The script.';

ALTER FUNCTION mail.filters_of(text) SET plan_cache_mode = force_generic_plan;

CREATE OR REPLACE VIEW mail.sieve_senders AS
SELECT a.address::text AS username, 'senders.' || part.number AS name, md5(part.script) AS script_id, part.script
FROM mailboxes_mailbox m
JOIN mailboxes_address a ON a.id = m.address_id
CROSS JOIN LATERAL mail.sieve_parts(m.id) AS part
WHERE a.retired_at IS NULL AND part.number > 0
UNION ALL SELECT '', '', mail.of_nobody(), mail.of_nobody();

GRANT SELECT ON mail.sieve_policies, mail.sieve_marks, mail.sieve_notices TO mail_ro;
REVOKE EXECUTE ON FUNCTION mail.sieve_test, mail.sieve_script_at, mail.of_nobody FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail.sieve_script_at, mail.of_nobody TO mail_ro;
RESET ROLE;
