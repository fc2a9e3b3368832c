"""Requests share connections to the database: none opens one of its own."""

from urllib.request import Request, urlopen

from django.conf import settings
from django.db import connection

from tests.cast import the_cast
from tests.client import Client
from tests.marks import committed

REQUESTS = 20


def opened():
    """How many connections the pool has made, and how often it was asked for one."""
    found = connection.pool.get_stats()
    return found["connections_num"], found["requests_num"]


@committed
def test_no_request_opens_a_connection(live_server):
    client = Client()
    client.force_login(the_cast().user)
    session = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"

    def ask():
        for path, words in (("/anmelden/", "auth-password"), ("/", "Startseite")):
            # Each request has a connection and so a thread of its own here.
            with urlopen(Request(live_server.url + path, headers={"Cookie": session if path == "/" else ""})) as page:
                assert words in page.read().decode()

    ask()
    made, asked = opened()
    for _ in range(REQUESTS):
        ask()
    made_since, asked_since = opened()
    # A request may come before the one before it has given its connection back.
    assert made_since - made <= 2
    assert asked_since >= asked + 2 * REQUESTS
