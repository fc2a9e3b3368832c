"""The views that Postfix and Dovecot read, through the roles that they have."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Installation
from tests.cast import make_mailbox
from tests.promises import promise

VIEWS_OF_POSTFIX = ["virtual_domains", "virtual_mailboxes", "virtual_aliases", "sender_logins", "recipient_access", "dovecot_users"]


@pytest.fixture
def ask(db, django_db_blocker):
    """Run SQL as another role, inside the test's own transaction of the owner connection."""

    def ask(sql, *parameters):
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    return ask
