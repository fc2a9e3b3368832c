"""Many messages while people choose anew and the database is restarted: each is delivered once, as was chosen then."""

from __future__ import annotations

import itertools
import random
import re
import smtplib
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from email.header import decode_header, make_header
from typing import Any

import pytest

from tests.mailserver.clients import HOST, imap, message, wait_for_login
from tests.mailserver.conftest import Running
from tests.mailserver.queue import drain, postfix
from tests.promises import LONG, promise

PASSWORD = "Rechtes-Passwort 1"
DOMAIN, SECOND = "menge.example", "zweit-menge.example"
STRANGER, ENEMY = "max.mustermann@example.org", "boese@example.net"
TARGET = f"ziel@{DOMAIN}"
MESSAGES, BATCHES = (2000, 20) if LONG else (160, 4)
CONNECTIONS = 4
# As long as it may take until nothing is in the queue any more.
PATIENCE = 600 if LONG else 60
# What is sent: by whom, and what the subject has Rspamd think of it.
KINDS = ((STRANGER, ""), (STRANGER, "[score10]"), (STRANGER, "[score10] [proved example.org]"), (ENEMY, ""))
# What becomes of each of these where a mailbox has made this choice.
OUTCOMES = {
    "off": ("INBOX", "INBOX", "INBOX", "INBOX"),
    "mark": ("INBOX", "marked", "marked", "INBOX"),
    "junk": ("INBOX", "Junk", "Junk", "INBOX"),
    "discard": ("INBOX", "nowhere", "nowhere", "INBOX"),
    "block": ("INBOX", "Junk", "Junk", "Junk"),
    "drop": ("INBOX", "Junk", "Junk", "nowhere"),
    "allow": ("INBOX", "Junk", "INBOX", "INBOX"),
    "copy": ("both", "Junk", "Junk", "both"),
    "away": ("target", "Junk", "Junk", "target"),
}
FORWARDS = ("copy", "away")
BOXES = tuple(f"box{number}@{DOMAIN}" for number in range(len(OUTCOMES)))
# Two mailboxes each.
PAIRS = {f"paar{number}": BOXES[number : number + 2] for number in range(0, len(BOXES) - 1, 2)}

Choices = dict[str, str]
Places = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Sent:
    """One message: the mailboxes that its recipients mean, and what these had chosen while it was on its way."""

    word: str
    kind: int
    recipients: tuple[str, ...]
    boxes: tuple[str, ...]
    chosen: tuple[Choices, ...]

    def possible(self) -> list[Places]:
        """Each set of places where it may be in the end."""
        return [sum(places, Counter()) for places in itertools.product(*(self._of(box) for box in self.boxes))]

    def _of(self, box: str) -> list[Places]:
        made = [choices[box] for choices in self.chosen]
        outcomes = {OUTCOMES[choice][self.kind] for choice in made}
        # Dovecot asks more than once about a message: if forwards change meanwhile it is kept, and the choice to mark
        # may be gone when the subject is to be changed.
        if len(set(made)) > 1 and ({*FORWARDS, "mark"} & set(made)):
            outcomes.add("INBOX")
        return [_places(box, outcome) for outcome in outcomes]


def _places(box: str, outcome: str) -> Places:
    kept, target = (box, "INBOX"), (TARGET, "INBOX")
    known = {"both": [kept, target], "target": [target], "nowhere": []}
    return Counter(known.get(outcome, [(box, outcome)]))


@pytest.fixture(scope="module")
def crowd(stack: Running) -> Iterator[Running]:
    for address in (*BOXES, TARGET):
        stack.database.mailbox(address, PASSWORD)
    for name, boxes in PAIRS.items():
        stack.database.alias(f"{name}@{DOMAIN}", *boxes)
    stack.database.alias_domain(SECOND, DOMAIN)
    yield stack
    stack.database.no_lists()


def choose(stack: Running, choices: Choices) -> None:
    """Have each mailbox's owner choose this, all at the same moment."""
    with stack.database.connection.transaction():
        stack.database.no_lists()
        for box, choice in choices.items():
            action = choice if choice in ("off", "mark", "junk", "discard") else "junk"
            stack.database.spam(
                box, action=action, threshold=6, block_effect="discard" if choice == "drop" else "junk"
            )
            stack.database.forward(box, *([TARGET] if choice in FORWARDS else []), keeps_copy=choice != "away")
            if choice in ("block", "drop"):
                stack.database.listed("block", ENEMY, mailbox=box)
            elif choice == "allow":
                stack.database.listed("allow", "@example.org", mailbox=box)


def turned(by: int) -> Choices:
    """Another choice for each mailbox at each turn."""
    choices = tuple(OUTCOMES)
    return {box: choices[(number + by) % len(choices)] for number, box in enumerate(BOXES)}


def drawn(chance: random.Random, word: str, *chosen: Choices) -> Sent:
    """A message to one mailbox by any of its addresses, to an alias of two, or to several."""
    number, way = chance.randrange(len(BOXES)), chance.choice(["one", "tag", "domain", "pair", "several"])
    kind = chance.randrange(len(KINDS))
    if way == "pair":
        name, boxes = chance.choice(list(PAIRS.items()))
        return Sent(word, kind, (f"{name}@{chance.choice([DOMAIN, SECOND])}",), boxes, chosen)
    if way == "several":
        boxes = tuple(chance.sample(BOXES, 3))
        return Sent(word, kind, boxes, boxes, chosen)
    address = {"one": BOXES[number], "tag": f"box{number}+tag@{DOMAIN}", "domain": f"box{number}@{SECOND}"}[way]
    return Sent(word, kind, (address,), (BOXES[number],), chosen)


class Senders:
    """Several servers elsewhere that hand messages in at once, each again until it is accepted for everybody."""

    def __init__(self, stack: Running, messages: list[Sent]) -> None:
        self.port, self.accepted = stack.ports.smtp, 0
        self._pool = ThreadPoolExecutor(CONNECTIONS)
        self._work: list[Future[None]] = [
            self._pool.submit(self._hand_in, messages[first::CONNECTIONS]) for first in range(CONNECTIONS)
        ]

    def wait(self, number: int) -> None:
        """Until so many are accepted."""
        while self.accepted < number and not all(work.done() for work in self._work):
            time.sleep(0.01)

    def finish(self) -> None:
        for work in self._work:
            work.result(PATIENCE)
        self._pool.shutdown()

    def _hand_in(self, messages: Iterable[Sent]) -> None:
        session: smtplib.SMTP | None = None
        for each in messages:
            sender, subject = KINDS[each.kind]
            mail = message(sender, ", ".join(each.recipients), f"{subject} {each.word}", Message_ID=f"<{each.word}@x>")
            waiting: Iterable[str] = each.recipients
            while waiting:
                session = session or smtplib.SMTP(HOST, self.port, timeout=60)
                try:
                    refused: dict[str, Any] = session.sendmail(sender, list(waiting), bytes(mail))
                    waiting = list(refused)
                except smtplib.SMTPRecipientsRefused as error:
                    refused = error.recipients
                except smtplib.SMTPResponseException as error:
                    refused = {"": (error.smtp_code, error.smtp_error)}
                assert all(400 <= code < 500 for code, _text in refused.values()), refused
                if refused:
                    session.close()
                    session = None
                    time.sleep(0.2)
            self.accepted += 1
        if session:
            session.quit()


def restart(stack: Running) -> None:
    """Restart the database. Postfix asks one that was away only after 60 seconds; the everyday run does not wait."""
    stack.database.pause()
    stack.database.resume()
    if not LONG:
        stack.database.wait_for_bouncer(PATIENCE)
        postfix(stack, "postfix", "reload")


def found(stack: Running) -> dict[str, Places]:
    """Where each message is, by its word."""
    everything: dict[str, Places] = defaultdict(Counter)
    for box in (*BOXES, TARGET):
        wait_for_login(stack.ports, box, PASSWORD, PATIENCE)
        with imap(stack.ports, box, PASSWORD) as session:
            for folder in ("INBOX", "Junk"):
                session.select(folder, readonly=True)
                if not session.search(None, "ALL")[1][0]:
                    continue
                for part in session.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
                    if isinstance(part, tuple):
                        subject = str(make_header(decode_header(part[1].decode())))
                        [word] = re.findall(r"nr\d+", subject)
                        everything[word][box, "marked" if "[SPAM]" in subject else folder] += 1
    return everything


@promise("A-57")
def test_each_is_delivered_once_as_was_chosen_while_it_was_on_its_way(crowd: Running) -> None:
    chance, each_time = random.Random(25), MESSAGES // BATCHES
    sent: list[Sent] = []
    for batch in range(BATCHES):
        before, after = turned(batch), turned(batch + 1)
        changes, restarts = batch % 4 == 1, batch == BATCHES // 2
        choose(crowd, before)
        chosen = (before, after) if changes else (before,)
        messages = [drawn(chance, f"nr{len(sent) + number:04}", *chosen) for number in range(each_time)]
        sent += messages
        senders = Senders(crowd, messages)
        senders.wait(each_time // 2)
        if changes:
            choose(crowd, after)
        if restarts:
            restart(crowd)
        senders.finish()
        drain(crowd, PATIENCE)
    delivered = found(crowd)
    assert len(sent) == MESSAGES and delivered.keys() <= {each.word for each in sent}
    assert [(each, delivered[each.word]) for each in sent if delivered[each.word] not in each.possible()] == []
