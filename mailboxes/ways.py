"""Where mail to another portal's addresses ended: aliases of aliases followed, forwards told from copies."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.addresses import normalise_domain, normalise_outside_address, split_address, without_tag

from .peers import Peer, PeerAlias

# So many targets are followed for one address; more is a mailing list, or a trap.
MOST_STEPS = 1_000


@dataclass
class Led:
    """The mailboxes here that an address led to, and what else stood there."""

    mailboxes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass
class Forwarded:
    """What became of mail to a mailbox's own address."""

    inside: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    keeps_copy: bool = False
    was_absent: bool = False

    @property
    def targets(self) -> list[str]:
        return [*self.inside, *self.outside]


class Ways:
    def __init__(self, peer: Peer, domains: Collection[str], mailboxes: Collection[str]):
        self.domains, self.mailboxes, self.stands_for = domains, mailboxes, peer.alias_domains
        self.aliases = {alias.address: alias for alias in peer.aliases if alias.is_on and not is_over(alias)}

    def here(self, target: str) -> str:
        """A target's address as it is kept here, without a tag; empty for one elsewhere."""
        local_part, domain = split_address(without_tag(target.strip()))
        try:
            domain = normalise_domain(domain)
        except ValidationError:
            return ""
        address = f"{local_part}@{domain}"
        if domain in self.stands_for and not self.knows(address):
            domain = self.stands_for[domain]
            address = f"{local_part}@{domain}"
        return address if domain in self.domains else ""

    def knows(self, address: str) -> bool:
        return address in self.mailboxes or address in self.aliases

    def led(self, alias: PeerAlias) -> Led:
        found, seen, waiting = Led(), {alias.address}, deque(alias.targets)
        for _step in range(MOST_STEPS):
            if not waiting:
                break
            target = waiting.popleft()
            address = self.here(target)
            if address in self.mailboxes:
                found.mailboxes.append(address)
            elif address not in self.aliases:
                found.lost.append(target)
            elif address not in seen:
                seen.add(address)
                waiting.extend(self.aliases[address].targets)
        found.lost.extend(waiting)
        found.mailboxes = list(dict.fromkeys(found.mailboxes))
        return found

    def forwarded(self, own: str) -> Forwarded:
        """By the row that bears a mailbox's own address; without one, mail stayed in the mailbox."""
        alias = self.aliases.get(own)
        if alias is None:
            return Forwarded(keeps_copy=True)
        found = Forwarded()
        for target in dict.fromkeys(alias.targets):
            # PostfixAdmin sends what an absence note answers through a name of this form.
            if target.lower().startswith(f"{own.replace('@', '#')}@"):
                found.was_absent = True
            elif address := self.here(target):
                self.sort_inside(found, own, address, target)
            else:
                sort_outside(found, target)
        # Mail that would go nowhere stays.
        found.keeps_copy = found.keeps_copy or not found.targets
        return found

    def sort_inside(self, found: Forwarded, own: str, address: str, target: str):
        if address == own:
            found.keeps_copy = True
        elif not self.knows(address):
            found.lost.append(target)
        elif address not in self.mailboxes and own in self.led(self.aliases[address]).mailboxes:
            # An alias that leads back: the message would go round in circles.
            found.keeps_copy = True
            found.lost.append(target)
        elif address not in found.inside:
            found.inside.append(address)


def sort_outside(found: Forwarded, target: str):
    try:
        found.outside.append(normalise_outside_address(target))
    except ValidationError:
        found.lost.append(target)


def is_over(alias: PeerAlias) -> bool:
    return alias.valid_until is not None and alias.valid_until < timezone.localdate()
