-- Which list decided, told beside the fate: the rule of fate.sql, read once for both.

CREATE FUNCTION filters_list_of(box bigint, header_sender text, envelope_sender text, authenticated boolean)
RETURNS TABLE (kind text, level smallint, unproved boolean) LANGUAGE sql STABLE ROWS 1 AS $$
    -- The keys are made once, not for each entry of a long list.
    WITH keys AS MATERIALIZED (
        SELECT filters_sender_keys(header_sender) AS header, filters_sender_keys(envelope_sender) AS envelope
    ),
    fitting AS (
        SELECT r.kind, r.level FROM filters_rules_of(box) r, keys
        WHERE r.sender = ANY (keys.header) OR r.kind = 'block' AND r.sender = ANY (keys.envelope)
    )
    SELECT
        deciding.kind,
        deciding.level,
        NOT authenticated AND EXISTS (SELECT FROM fitting f WHERE f.kind = 'allow' AND f.level = 1)
    FROM (SELECT) AS always
    LEFT JOIN LATERAL (
        SELECT f.kind, f.level FROM fitting f WHERE f.kind = 'block' OR authenticated ORDER BY f.level, f.kind LIMIT 1
    ) AS deciding ON true
$$;
COMMENT ON FUNCTION filters_list_of IS
    'Always one row: the kind of list that decides about a message and its level as in filters_rules_of, NULL where none does; unproved: the mailbox''s own whitelist names the sender, but does not count, as nothing proves it.';

CREATE FUNCTION filters_fate_by(box bigint, list_kind text, score numeric, recipients integer)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN list_kind = 'allow' THEN 'allowed'
        WHEN list_kind = 'block' THEN CASE holds.block_effect WHEN 'discard' THEN 'dropped' ELSE 'blocked' END
        WHEN score < holds.threshold OR holds.action = 'off' THEN 'delivered'
        WHEN holds.action = 'mark' THEN 'marked'
        WHEN holds.action = 'discard' THEN 'discarded'
        WHEN holds.action = 'reject' AND recipients = 1 THEN 'rejected'
        ELSE 'junk'
    END FROM filters_settings_of(box) holds
$$;
COMMENT ON FUNCTION filters_fate_by IS 'filters_fate_of for whoever knows the kind of list that decides, or that none does.';

CREATE OR REPLACE FUNCTION filters_fate_of(
    box bigint, header_sender text, envelope_sender text, score numeric, authenticated boolean, recipients integer
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT filters_fate_by(box, list.kind, score, recipients)
    FROM filters_list_of(box, header_sender, envelope_sender, authenticated) AS list
$$;

REVOKE EXECUTE ON FUNCTION filters_list_of, filters_fate_by FROM PUBLIC;
GRANT EXECUTE ON FUNCTION filters_list_of, filters_fate_by TO ksc_app, mail_owner;

CREATE OR REPLACE FUNCTION filters_keep_verdicts(told jsonb) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH verdict AS (
        SELECT * FROM jsonb_to_recordset(told) AS v (
            at timestamptz, recipients text[], sender text, envelope_sender text, subject text, score numeric,
            symbols text[], authenticated boolean, rejected boolean
        )
    ),
    kept AS (
        INSERT INTO filters_verdict (tenant_id, mailbox_id, at, sender, envelope_sender, subject, score, symbols,
            authenticated, outcome, decided_by, unproved)
        SELECT m.tenant_id, m.id, v.at, v.sender, v.envelope_sender,
            CASE WHEN policy.keeps_subjects THEN v.subject ELSE '' END,
            v.score, v.symbols, v.authenticated,
            -- Rspamd alone rejects. Where it let a message pass, no number of recipients makes it rejected.
            CASE WHEN v.rejected THEN 'rejected' ELSE filters_fate_by(m.id, list.kind, v.score, 2) END,
            CASE WHEN NOT v.rejected THEN list.level END,
            list.unproved
        FROM verdict v
        CROSS JOIN LATERAL (SELECT DISTINCT box FROM unnest(v.recipients) AS given, filters_boxes_of(given) AS box) AS reached
        JOIN mailboxes_mailbox m ON m.id = reached.box
        CROSS JOIN LATERAL filters_list_of(m.id, v.sender, v.envelope_sender, v.authenticated) AS list
        LEFT JOIN filters_spampolicy policy ON policy.tenant_id = m.tenant_id
        RETURNING tenant_id, at, outcome
    ),
    counted AS (
        INSERT INTO filters_mailday AS so_far (tenant_id, day, delivered, spam, stopped)
        SELECT tenant_id, (at AT TIME ZONE 'Europe/Berlin')::date,
            count(*) FILTER (WHERE outcome IN ('delivered', 'allowed')),
            count(*) FILTER (WHERE outcome IN ('marked', 'junk', 'blocked')),
            count(*) FILTER (WHERE outcome IN ('rejected', 'discarded', 'dropped'))
        FROM kept GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (tenant_id, day) DO UPDATE SET
            delivered = so_far.delivered + excluded.delivered,
            spam = so_far.spam + excluded.spam,
            stopped = so_far.stopped + excluded.stopped
    )
    SELECT count(*) FROM kept
$$;
