-- What becomes of a message in a mailbox: the rules that the delivered script and the portal share. They run with the
-- caller's rights, so that a request of the portal sees its tenant's rows alone.

CREATE FUNCTION filters_settings_of(box bigint)
RETURNS TABLE (action text, threshold smallint, block_effect text, junk_days smallint)
LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT
        CASE WHEN own.action = ANY (coalesce(policy.allowed_actions::text[], ARRAY['off', 'mark', 'junk', 'reject', 'discard']))
            THEN own.action ELSE coalesce(policy.action, 'junk') END::text,
        CASE WHEN own.threshold BETWEEN coalesce(policy.lowest_threshold, 4) AND coalesce(policy.highest_threshold, 12)
            THEN own.threshold ELSE coalesce(policy.threshold, 6) END::smallint,
        coalesce(own.block_effect, 'junk')::text,
        own.junk_days
    FROM mailboxes_mailbox m
    LEFT JOIN filters_spamsettings own ON own.mailbox_id = m.id
    LEFT JOIN filters_spampolicy policy ON policy.tenant_id = m.tenant_id
    WHERE m.id = box
$$;
COMMENT ON FUNCTION filters_settings_of IS
    'What holds for a mailbox: its own choice where the tenant allows that, else the tenant''s default, else the product''s. action: off, mark, junk, reject, discard; threshold: Rspamd score from which on mail is spam; block_effect: junk or discard; junk_days: days, or NULL.';

CREATE FUNCTION filters_sender_keys(sender text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT AS $$
    WITH of_sender AS (SELECT string_to_array(split_part(lower(sender), '@', 2), '.') AS labels)
    SELECT ARRAY[lower(sender), '@' || split_part(lower(sender), '@', 2)] || ARRAY(
        SELECT '@*.' || array_to_string(labels[start:], '.')
        FROM of_sender, generate_series(2, array_length(labels, 1)) AS start
    )
    FROM of_sender
$$;
COMMENT ON FUNCTION filters_sender_keys IS
    'What stands on a list where it means this address: itself, @ and its domain, @*. and each domain above that.';

CREATE FUNCTION filters_rules_of(box bigint)
RETURNS TABLE (level smallint, kind text, sender text) LANGUAGE sql STABLE AS $$
    WITH today AS (SELECT (now() AT TIME ZONE 'Europe/Berlin')::date AS day),
    of_box AS (
        SELECT m.id, m.tenant_id, a.domain_id
        FROM mailboxes_mailbox m JOIN mailboxes_address a ON a.id = m.address_id WHERE m.id = box
    ),
    listed AS (
        SELECT 1 AS level, r.kind, r.sender, r.valid_until
        FROM of_box JOIN filters_senderrule r ON r.mailbox_id = of_box.id
        UNION ALL
        SELECT 2, r.kind, r.sender, r.valid_until
        FROM of_box JOIN filters_senderrule r ON r.domain_id = of_box.domain_id
        UNION ALL
        SELECT 3, r.kind, r.sender, r.valid_until
        FROM of_box JOIN filters_senderrule r
            ON r.tenant_id = of_box.tenant_id AND r.mailbox_id IS NULL AND r.domain_id IS NULL
        UNION ALL
        SELECT 4, r.kind, r.sender, r.valid_until FROM filters_senderrule r WHERE r.tenant_id IS NULL
    )
    SELECT level::smallint, kind::text, sender::text FROM listed, today WHERE valid_until IS NULL OR valid_until >= day
$$;
COMMENT ON FUNCTION filters_rules_of IS
    'Senders on the lists that hold for a mailbox today. level: 1 its own, 2 its domain''s, 3 its tenant''s, 4 the installation''s; a lower level goes first, and on one level allow before block.';

CREATE FUNCTION filters_fate_of(
    box bigint, header_sender text, envelope_sender text, score numeric, authenticated boolean, recipients integer
) RETURNS text LANGUAGE sql STABLE AS $$
    WITH holds AS (SELECT * FROM filters_settings_of(box)),
    first_rule AS (
        SELECT r.kind FROM filters_rules_of(box) r
        WHERE r.kind = 'allow' AND authenticated AND r.sender = ANY (filters_sender_keys(header_sender))
           OR r.kind = 'block' AND (
               r.sender = ANY (filters_sender_keys(header_sender)) OR r.sender = ANY (filters_sender_keys(envelope_sender))
           )
        ORDER BY r.level, r.kind LIMIT 1
    )
    SELECT CASE
        WHEN (SELECT kind FROM first_rule) = 'allow' THEN 'allowed'
        WHEN (SELECT kind FROM first_rule) = 'block' THEN CASE holds.block_effect WHEN 'discard' THEN 'dropped' ELSE 'blocked' END
        WHEN score < holds.threshold OR holds.action = 'off' THEN 'delivered'
        WHEN holds.action = 'mark' THEN 'marked'
        WHEN holds.action = 'discard' THEN 'discarded'
        WHEN holds.action = 'reject' AND recipients = 1 THEN 'rejected'
        ELSE 'junk'
    END FROM holds
$$;
COMMENT ON FUNCTION filters_fate_of IS
    'What becomes of a message, in the words of filters_verdict.outcome: a list decides before the score; an allowed sender counts only if authenticated; reject is for messages with one recipient, others go to the spam folder.';

REVOKE EXECUTE ON FUNCTION filters_settings_of, filters_sender_keys, filters_rules_of, filters_fate_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION filters_settings_of, filters_sender_keys, filters_rules_of, filters_fate_of TO ksc_app, mail_owner;
GRANT SELECT ON filters_spamsettings, filters_spampolicy, filters_senderrule, filters_absence TO mail_owner;
