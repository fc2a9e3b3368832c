-- Which of a mailbox's forwards are in force at this moment; asked by the script that Dovecot runs at each message.

GRANT SELECT (forwards_outside) ON accounts_tenant TO mail_owner;
GRANT SELECT ON mailboxes_forward TO mail_owner;

SET LOCAL ROLE mail_owner;

CREATE FUNCTION mail.forwards_of(box bigint) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 2 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'Europe/Berlin')::date;
BEGIN
    RETURN QUERY SELECT f.target::text
    FROM mailboxes_forward f
    JOIN accounts_tenant t ON t.id = f.tenant_id
    WHERE f.mailbox_id = box AND f.is_on
      AND (f.valid_from IS NULL OR f.valid_from <= today)
      AND (f.valid_until IS NULL OR f.valid_until >= today)
      AND CASE
          WHEN EXISTS (SELECT FROM mailboxes_domain d WHERE d.tenant_id = f.tenant_id AND d.name = f.domain)
          THEN EXISTS (
              SELECT FROM mail.deliveries given
              WHERE given.localpart = split_part(split_part(f.target, '@', 1), '+', 1) AND given.domain = f.domain
                AND (given.action IS NULL OR given.action LIKE '4%')
          )
          ELSE f.confirmed_at IS NOT NULL
              AND (t.forwards_outside = 'warning' OR t.forwards_outside = 'approval' AND f.approved_at IS NOT NULL)
      END
    ORDER BY f.id;
END
$$;
COMMENT ON FUNCTION mail.forwards_of IS
    'Target addresses that a mailbox''s mail is sent on to now: switched on, within their days, inside and in force, or outside, confirmed, and as the tenant allows.';

REVOKE EXECUTE ON FUNCTION mail.forwards_of FROM PUBLIC;
RESET ROLE;
