"""What Dovecot notes of a mailbox, written inside the test's transaction, where the mailbox is."""

import os

import psycopg
from django.db import connection

NOTE = (
    "INSERT INTO mailboxes_usage (username, bytes) VALUES (%s, %s) "
    "ON CONFLICT (username) DO UPDATE SET bytes = EXCLUDED.bytes"
)


def hold(mailbox, size: int):
    """The mailbox holds so many bytes from now on; for that moment the portal's role may write them."""
    database = connection.settings_dict["NAME"]
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], dbname=database, autocommit=True) as admin:
        admin.execute("GRANT INSERT, UPDATE ON mailboxes_usage TO ksc_app")
        try:
            with connection.cursor() as cursor:
                cursor.execute(NOTE, [mailbox.address.address, size])
        finally:
            admin.execute("REVOKE INSERT, UPDATE ON mailboxes_usage FROM ksc_app")
