-- What each forward does at this moment: one rule, which the script of a mailbox and the portal's pages share. A forward
-- that would come back to its own mailbox is not in force, whoever has changed what between its two ends.

GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;

CREATE FUNCTION mail.boxes_behind(asked text) RETURNS SETOF bigint LANGUAGE plpgsql STABLE ROWS 2 AS $$
BEGIN
    RETURN QUERY WITH written AS (
        SELECT lower(split_part(split_part(asked, '@', 1), '+', 1)) AS name, lower(split_part(asked, '@', 2)) AS domain
    ),
    -- postmaster and abuse of every domain lead to one address, which may be hosted here.
    given AS (
        SELECT CASE WHEN role.address IS NULL THEN w.name ELSE split_part(role.address, '@', 1) END AS name,
            CASE WHEN role.address IS NULL THEN w.domain ELSE split_part(role.address, '@', 2) END AS domain
        FROM written w
        LEFT JOIN (SELECT nullif(postmaster_address, '')::text AS address FROM accounts_installation) AS role
            ON w.name IN ('postmaster', 'abuse') AND EXISTS (SELECT FROM mailboxes_domain d WHERE d.name = w.domain)
    ),
    own AS (
        SELECT a.id, a.retired_at FROM given
        JOIN mailboxes_domain d ON d.name = given.domain
        JOIN mailboxes_address a ON a.domain_id = d.id AND a.local_part = given.name
    ),
    meant AS (
        SELECT id FROM own WHERE retired_at IS NULL
        UNION ALL
        SELECT a.id FROM given
        JOIN mailboxes_domain d ON d.name = given.domain
        JOIN mailboxes_address a ON a.domain_id = d.alias_of_id AND a.local_part = given.name
        WHERE a.retired_at IS NULL AND NOT EXISTS (SELECT FROM own)
    )
    SELECT m.id FROM meant JOIN mailboxes_mailbox m ON m.address_id = meant.id
    UNION
    SELECT lead.mailbox_id FROM meant
    JOIN mailboxes_alias alias ON alias.address_id = meant.id
    JOIN mailboxes_aliastarget lead ON lead.alias_id = alias.id AND lead.receives
    UNION
    SELECT d.catch_all_id FROM given JOIN mailboxes_domain d ON d.name = given.domain
    WHERE d.catch_all_id IS NOT NULL AND NOT EXISTS (SELECT FROM own);
END
$$;
COMMENT ON FUNCTION mail.boxes_behind IS
    'Mailboxes, of whatever tenant, that mail to an address may reach: by alias, alias domain, +tag or catch-all address; days and refusals, which come and go, are not asked. None for an address elsewhere.';

CREATE FUNCTION mail.forward_circles(box bigint, towards text, set_up boolean) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (WITH RECURSIVE reached (id) AS (
        SELECT mail.boxes_behind(towards)
        UNION
        SELECT next.id FROM reached
        JOIN mailboxes_forward f ON f.mailbox_id = reached.id AND (set_up OR f.is_on AND f.held_at IS NULL)
        CROSS JOIN LATERAL mail.boxes_behind(f.target) AS next (id)
    )
    SELECT EXISTS (SELECT FROM reached WHERE id = box));
END
$$;
COMMENT ON FUNCTION mail.forward_circles IS
    'Whether mail of a mailbox that is sent on to an address comes back to it, over however many forwards. set_up: by all that are set up, whether they are switched on or not.';

CREATE FUNCTION mail.forward_state(forward bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    f mailboxes_forward;
    today date := (now() AT TIME ZONE 'Europe/Berlin')::date;
    inside text;
    outside_rule text;
BEGIN
    SELECT * INTO f FROM mailboxes_forward WHERE id = forward;
    IF f.id IS NULL THEN
        RETURN NULL;
    ELSIF NOT f.is_on THEN
        RETURN 'off';
    ELSIF f.held_at IS NOT NULL THEN
        RETURN 'held';
    ELSIF f.valid_until < today THEN
        RETURN 'over';
    END IF;
    IF EXISTS (SELECT FROM mailboxes_domain d WHERE d.tenant_id = f.tenant_id AND d.name = f.domain) THEN
        inside := split_part(split_part(f.target, '@', 1), '+', 1) || '@' || f.domain;
        IF NOT EXISTS (SELECT FROM mail.targets_of(inside))
            OR EXISTS (SELECT FROM mail.access_of(inside) AS action WHERE action NOT LIKE '4%')
        THEN
            RETURN 'nowhere';
        END IF;
    ELSE
        SELECT t.forwards_outside INTO outside_rule FROM accounts_tenant t WHERE t.id = f.tenant_id;
        IF outside_rule NOT IN ('approval', 'warning') THEN
            RETURN 'forbidden';
        ELSIF outside_rule = 'approval' AND f.approved_at IS NULL THEN
            RETURN 'unapproved';
        ELSIF f.confirmed_at IS NULL THEN
            RETURN 'unconfirmed';
        END IF;
    END IF;
    IF mail.forward_circles(f.mailbox_id, f.target, false) THEN
        RETURN 'circle';
    ELSIF f.valid_from > today THEN
        RETURN 'early';
    END IF;
    RETURN 'active';
END
$$;
COMMENT ON FUNCTION mail.forward_state IS
    'active: mail is sent on. Else why not: off; held since a new password; over or early by its days; nowhere: inside, but nobody receives there; forbidden, unapproved or unconfirmed: outside; circle: it would come back.';

CREATE OR REPLACE FUNCTION mail.forwards_of(box bigint) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 2 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT f.target::text FROM mailboxes_forward f
    WHERE f.mailbox_id = box AND mail.forward_state(f.id) = 'active'
    ORDER BY f.id LIMIT 10;
END
$$;
COMMENT ON FUNCTION mail.forwards_of IS
    'Target addresses that a mailbox''s mail is sent on to now, as mail.forward_state says; never more than ten.';

CREATE FUNCTION mailboxes_forward_state(forward bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT mail.forward_state(f.id) FROM mailboxes_forward f
    WHERE f.id = forward AND (f.tenant_id = accounts_shown_tenant() OR accounts_shows_all())
$$;
COMMENT ON FUNCTION mailboxes_forward_state IS 'mail.forward_state of a forward of the shown tenant.';

CREATE FUNCTION mailboxes_forward_circles(box bigint, towards text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT mail.forward_circles(m.id, towards, true) FROM mailboxes_mailbox m
    WHERE m.id = box AND (m.tenant_id = accounts_shown_tenant() OR accounts_shows_all())
$$;
COMMENT ON FUNCTION mailboxes_forward_circles IS
    'Whether mail of a mailbox of the shown tenant would come back from an address, by all forwards of all tenants that are set up. Says nothing else about them.';

REVOKE EXECUTE ON FUNCTION mail.boxes_behind, mail.forward_circles, mail.forward_state, mailboxes_forward_state,
    mailboxes_forward_circles FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mailboxes_forward_state, mailboxes_forward_circles TO ksc_app;

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;
