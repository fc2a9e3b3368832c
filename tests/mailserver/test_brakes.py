"""Guesses at the real servers: counted by the database, for all services together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.mailserver.clients import accepted_by
from tests.mailserver.conftest import Running
from tests.promises import promise

PASSWORD = "Rechtes-Passwort 1"
FREE = 10


@pytest.fixture
def paula(stack: Running) -> str:
    """Somebody whose mail nobody has tried to open yet."""
    address = "paula@schranke.example"
    stack.database.mailbox(address, PASSWORD)
    return address


def taken(stack: Running, user: str, password: str) -> set[bool]:
    """What the services say to a password, all of them at once."""
    return set(accepted_by(stack.ports, user, password).values())


@promise("A-22")
def test_past_the_limit_even_the_right_password_waits(stack: Running, paula: str) -> None:
    assert taken(stack, paula, PASSWORD) == {True}
    # An old password on a forgotten device is one guess, however often it comes.
    assert taken(stack, paula, "vom letzten Jahr") == {False}
    assert taken(stack, paula, PASSWORD) == {True}
    with ThreadPoolExecutor(4) as pool:
        guesses = [f"geraten {number}" for number in range(FREE)]
        assert set().union(*pool.map(lambda guess: taken(stack, paula, guess), guesses)) == {False}
    assert taken(stack, paula, PASSWORD) == {False}
    counted = stack.database.connection.execute("SELECT tries, guess FROM accounts_brake WHERE tries >= %s", [FREE])
    assert [tries for tries, guess in counted if len(guess) == 8] == [FREE]
    stack.database.connection.execute("UPDATE accounts_brake SET blocked_until = now()")
    assert taken(stack, paula, PASSWORD) == {True}
