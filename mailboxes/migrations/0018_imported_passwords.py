"""Dovecot verifies the passwords that people brought along."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"

OWN_HASHES_ALONE = """
SET LOCAL ROLE mail_owner;
CREATE OR REPLACE VIEW mail.dovecot_passwords AS
SELECT a.address::text AS username, '{ARGON2ID}' || substr(u.password, 7) AS password
FROM mailboxes_mailbox m
JOIN mailboxes_address a ON a.id = m.address_id
JOIN accounts_user u ON u.id = m.user_id
JOIN accounts_tenant t ON t.id = m.tenant_id
WHERE a.retired_at IS NULL
  AND u.mail_password_enabled
  AND u.password LIKE 'argon2$argon2id$%'
  AND accounts_may_sign_in(u.locked_at, u.valid_until, u.initial_password, u.initial_expires_at, t.status);
COMMENT ON COLUMN mail.dovecot_passwords.password IS
    'Hash with Dovecot''s scheme prefix: the portal''s own Argon2id hash.';
DROP FUNCTION mail.dovecot_hash(text);
RESET ROLE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0020_imported_passwords"),
        ("mailboxes", "0017_forwards"),
    ]

    operations = [
        migrations.RunSQL((SQL / "imported_passwords.sql").read_text(), OWN_HASHES_ALONE),
    ]
