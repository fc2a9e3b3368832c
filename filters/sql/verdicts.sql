-- What Rspamd said of messages, made rows of the mailboxes that they reached. Whose mailbox an address is stands in the
-- contract with the mail servers, which is not for the portal to read: so the look-up runs with the rights of mail_owner,
-- and only for what shows everybody's rows.

GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;

CREATE FUNCTION filters_boxes_of(asked text) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    tagless text := regexp_replace(asked, '\+[^@]*@', '@');
BEGIN
    IF NOT accounts_shows_all() THEN
        RETURN;
    END IF;
    -- As Postfix asks: with the tag, then without it; and once more for what stands for another alias.
    RETURN QUERY SELECT DISTINCT m.id
        FROM mail.targets_of(asked) AS given, mail.targets_of(given) AS target
        JOIN mailboxes_address a ON a.address = target
        JOIN mailboxes_mailbox m ON m.address_id = a.id;
    IF NOT FOUND AND tagless <> asked THEN
        RETURN QUERY SELECT filters_boxes_of(tagless);
    END IF;
END
$$;
COMMENT ON FUNCTION filters_boxes_of IS
    'Mailboxes that mail to an address reaches, as Postfix leads it: by alias, alias domain, +tag or catch-all. None unless everybody''s rows are shown.';

REVOKE EXECUTE ON FUNCTION filters_boxes_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION filters_boxes_of TO ksc_app;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;

CREATE FUNCTION filters_keep_verdicts(told jsonb) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH verdict AS (
        SELECT * FROM jsonb_to_recordset(told) AS v (
            at timestamptz, recipients text[], sender text, envelope_sender text, subject text, score numeric,
            symbols text[], authenticated boolean, rejected boolean
        )
    ),
    kept AS (
        INSERT INTO filters_verdict (tenant_id, mailbox_id, at, sender, envelope_sender, subject, score, symbols,
            authenticated, outcome)
        SELECT m.tenant_id, m.id, v.at, v.sender, v.envelope_sender,
            CASE WHEN policy.keeps_subjects THEN v.subject ELSE '' END,
            v.score, v.symbols, v.authenticated,
            -- Rspamd alone rejects. Where it let a message pass, no number of recipients makes it rejected.
            CASE WHEN v.rejected THEN 'rejected'
                ELSE filters_fate_of(m.id, v.sender, v.envelope_sender, v.score, v.authenticated, 2) END
        FROM verdict v
        CROSS JOIN LATERAL (SELECT DISTINCT box FROM unnest(v.recipients) AS given, filters_boxes_of(given) AS box) AS reached
        JOIN mailboxes_mailbox m ON m.id = reached.box
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
COMMENT ON FUNCTION filters_keep_verdicts IS
    'Writes verdicts, a JSON array, for each mailbox that they reached, and adds them to their tenants'' counts of the day; gives the number of rows. What became of a message is judged by the settings of this moment.';

REVOKE EXECUTE ON FUNCTION filters_keep_verdicts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION filters_keep_verdicts TO ksc_app;
