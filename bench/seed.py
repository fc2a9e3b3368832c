"""An installation of some size, made by the database itself in seconds; no row is written by the portal's code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

# One statement a table, parents first; every name follows from two numbers, so that anybody can ask for it.
TABLES = (
    """
    INSERT INTO accounts_installation (id, provider_name, support_email, support_phone, postmaster_address)
    VALUES (1, 'Musterhoster', 'support@hoster.example', '+49 30 1234', 'postmaster@kunde1.example')
    ON CONFLICT (id) DO NOTHING
    """,
    """
    INSERT INTO mailboxes_serveraddress (protocol, host, port, encryption)
    SELECT protocol, 'mail.hoster.example', port, 'tls'
    FROM (VALUES ('imap', 993), ('pop3', 995), ('submission', 465), ('sieve', 4190)) AS server (protocol, port)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO accounts_tenant (customer_number, name, status, max_domains, max_mailboxes, max_aliases,
        max_storage_mb, initial_password_days, password_rule, created_at)
    SELECT 'seeded-' || t, 'Kunde ' || t, 'active', 5, 2 * %(mailboxes)s, %(mailboxes)s, 4096 * %(mailboxes)s,
        14, 'classes', now()
    FROM generate_series(%(first)s::int, %(last)s::int) AS t
    """,
    """
    CREATE TEMPORARY TABLE seeded ON COMMIT DROP AS
    SELECT id AS tenant_id, substr(customer_number, 8)::int AS t, 'kunde' || substr(customer_number, 8) || '.example'
        AS domain
    FROM accounts_tenant
    WHERE customer_number LIKE 'seeded-%%' AND substr(customer_number, 8)::int BETWEEN %(first)s::int AND %(last)s::int
    """,
    "INSERT INTO mailboxes_domain (tenant_id, name, created_at) SELECT tenant_id, domain, now() FROM seeded",
    """
    INSERT INTO accounts_user (tenant_id, area, role, address, name, language, password, password_changed_at,
        initial_password, initial_issues, mail_password_enabled, lock_reason, created_at)
    SELECT tenant_id, 'ksc', 'dvb', 'dvb@' || domain, 'Dora Verwalter', 'de', %(password)s, now(), false, 1, false, '',
        now()
    FROM seeded
    UNION ALL
    SELECT tenant_id, 'mailbox', 'user', 'post' || n || '@' || domain,
        (ARRAY['Änne', 'Bela', 'Cem', 'Dörte', 'Emil', 'Frieda', 'Götz'])[1 + (n + t) %% 7] || ' '
            || (ARRAY['Öztürk', 'Schmidt', 'Ärger', 'Weiß', 'Nowak', 'Meyer'])[1 + (n * 5 + t) %% 6] || ' ' || n,
        'de', %(password)s, now(), false, 1, true, '', now()
    FROM seeded, generate_series(1, %(mailboxes)s) AS n
    """,
    """
    INSERT INTO mailboxes_address (tenant_id, domain_id, local_part, address, kind)
    SELECT d.tenant_id, d.id, kind.prefix || n, kind.prefix || n || '@' || d.name, kind.name
    FROM seeded
    JOIN mailboxes_domain d USING (tenant_id)
    CROSS JOIN generate_series(1, %(mailboxes)s) AS n
    CROSS JOIN (VALUES ('post', 'mailbox'), ('alias', 'alias')) AS kind (prefix, name)
    WHERE kind.name = 'mailbox' OR n %% 2 = 0
    """,
    """
    INSERT INTO mailboxes_mailbox (tenant_id, address_id, user_id, public_id, storage_mb, delivery, created_at)
    SELECT a.tenant_id, a.id, u.id, gen_random_uuid(), 1024, 'accept', now()
    FROM seeded
    JOIN mailboxes_address a USING (tenant_id)
    JOIN accounts_user u ON u.area = 'mailbox' AND u.address = a.address
    """,
    """
    INSERT INTO mailboxes_alias (tenant_id, address_id, created_at)
    SELECT a.tenant_id, a.id, now() FROM seeded JOIN mailboxes_address a USING (tenant_id) WHERE a.kind = 'alias'
    """,
    """
    INSERT INTO mailboxes_aliastarget (tenant_id, alias_id, mailbox_id, receives, may_send)
    SELECT a.tenant_id, alias.id, m.id, true, true
    FROM seeded
    JOIN mailboxes_address a USING (tenant_id)
    JOIN mailboxes_alias alias ON alias.address_id = a.id
    JOIN mailboxes_address own ON own.domain_id = a.domain_id AND own.local_part = 'post' || substr(a.local_part, 6)
    JOIN mailboxes_mailbox m ON m.address_id = own.id
    """,
    # The first mailbox gets what is sent to nobody, and a second domain stands for the first.
    """
    UPDATE mailboxes_domain d SET catch_all_id = m.id
    FROM mailboxes_address a JOIN mailboxes_mailbox m ON m.address_id = a.id
    WHERE a.domain_id = d.id AND a.local_part = 'post1' AND d.tenant_id IN (SELECT tenant_id FROM seeded)
    """,
    """
    INSERT INTO mailboxes_domain (tenant_id, name, created_at, alias_of_id)
    SELECT d.tenant_id, 'zweit-' || d.name, now(), d.id FROM seeded JOIN mailboxes_domain d USING (tenant_id)
    """,
    """
    INSERT INTO accounts_auditevent (tenant_id, at, actor_label, actor_role, deed, object_type, object_id,
        object_label, old, new, request_id)
    SELECT m.tenant_id, now(), '', 'system', 'created', 'mailboxes.mailbox', m.id::text, a.address, '{}', '{}', ''
    FROM seeded
    JOIN mailboxes_mailbox m USING (tenant_id)
    JOIN mailboxes_address a ON a.id = m.address_id
    """,
)
MAIL_LOGINS = """
INSERT INTO mailboxes_maillogin (tenant_id, mailbox_id, service, at)
SELECT m.tenant_id, m.id, service, now()
FROM seeded JOIN mailboxes_mailbox m USING (tenant_id) CROSS JOIN unnest(ARRAY['imap', 'smtp']) AS service
"""
# Used so lately that asking about it writes nothing.
APP_PASSWORDS = """
INSERT INTO mailboxes_apppassword (tenant_id, public_id, mailbox_id, holder_id, name, protocols, networks,
    token_hash, created_at, last_used_at, last_used_by, last_used_ip)
SELECT m.tenant_id, gen_random_uuid(), m.id, m.user_id, 'Handy', '{imap,smtp}', '{}',
    encode(sha256(a.address::bytea), 'hex'), now(), now() + interval '1 year', 'imap', '192.0.2.7'
FROM seeded JOIN mailboxes_mailbox m USING (tenant_id) JOIN mailboxes_address a ON a.id = m.address_id
"""
# Some mailboxes hold more than 80 percent of what they may.
USAGE = """
INSERT INTO mailboxes_usage (username, tenant_id, mailbox_id, bytes, messages, changed_at, nearly_full)
SELECT a.address, m.tenant_id, m.id, 1024::bigint * 1048576 * (m.id %% 100) / 100, 100, now(), m.id %% 100 > 80
FROM seeded JOIN mailboxes_mailbox m USING (tenant_id) JOIN mailboxes_address a ON a.id = m.address_id
ON CONFLICT DO NOTHING
"""
# Every mailbox has senders on its list, one of so many all other choices too: a notice, and mail sent on to another.
CHOOSING, SENDERS = 10, 50
CHOICES = (
    """
    CREATE TEMPORARY TABLE choosing ON COMMIT DROP AS
    SELECT m.tenant_id, m.id, seeded.domain, ltrim(a.local_part, 'alipost')::int AS n
    FROM seeded
    JOIN mailboxes_mailbox m USING (tenant_id)
    JOIN mailboxes_address a ON a.id = m.address_id
    WHERE ltrim(a.local_part, 'alipost')::int %% %(choosing)s = 0
    """,
    """
    INSERT INTO filters_senderrule (tenant_id, mailbox_id, kind, sender, created_at)
    SELECT m.tenant_id, m.id, CASE WHEN s %% 5 = 0 THEN 'allow' ELSE 'block' END,
        CASE WHEN s %% 3 = 0 THEN '' ELSE 'vorname.nachname' || s END || '@absender' || m.id || '-' || s || '.example',
        now()
    FROM seeded JOIN mailboxes_mailbox m USING (tenant_id), generate_series(1, %(senders)s) AS s
    """,
    """
    INSERT INTO filters_spamsettings (tenant_id, mailbox_id, action, threshold)
    SELECT tenant_id, id, 'mark', 6 FROM choosing
    """,
    """
    INSERT INTO filters_absence (tenant_id, mailbox_id, is_on, subject, text)
    SELECT tenant_id, id, true, 'Nicht da', repeat('Ich bin nicht da. ', 20) FROM choosing
    """,
    """
    INSERT INTO mailboxes_forward (tenant_id, public_id, mailbox_id, target, created_at)
    SELECT tenant_id, gen_random_uuid(), id, 'post' || n - 1 || '@' || domain, now() FROM choosing
    """,
)
# What pages and mail servers ask, what all of the measured look-ups ask, and what the desk's lists ask.
ASKED = (*TABLES, MAIL_LOGINS, APP_PASSWORDS)
MEASURED = (*ASKED, *CHOICES)
LISTED = (*TABLES, USAGE)
ANALYSED = (
    *("accounts_tenant", "accounts_user", "accounts_auditevent", "mailboxes_domain", "mailboxes_address"),
    *("mailboxes_mailbox", "mailboxes_alias", "mailboxes_aliastarget", "mailboxes_maillogin", "mailboxes_apppassword"),
    *("mailboxes_forward", "filters_senderrule", "filters_spamsettings", "filters_absence"),
)


@dataclass(frozen=True)
class Size:
    """So many tenants with so many mailboxes each; every second mailbox has an alias address."""

    tenants: int
    mailboxes: int
    # Number of the first of the tenants.
    first: int = 1

    def __str__(self) -> str:
        return f"{self.tenants * self.mailboxes:,} mailboxes of {self.tenants:,} tenants"


def fill(cursor: psycopg.Cursor[Any], size: Size, password: str, statements: Sequence[str] = ASKED) -> None:
    """Write the rows as the owner of the tables and let the planner see them; everybody has the same password hash."""
    last = size.first + size.tenants - 1
    parameters = {"first": size.first, "last": last, "mailboxes": size.mailboxes, "password": password}
    parameters |= {"choosing": CHOOSING, "senders": SENDERS}
    # The planner knows nothing yet of what was just written, and would go through it row by row.
    cursor.execute("SET enable_nestloop = off")
    for statement in statements:
        cursor.execute(statement, parameters)
    cursor.execute("RESET enable_nestloop")
    cursor.execute(f"ANALYZE {', '.join(ANALYSED)}")
