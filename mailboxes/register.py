"""What a tenant has of the addresses that rows ask for, and whether each row fits beside it and into the contract."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts.addresses import display_address, display_domain, split_address
from accounts.models import Tenant, User

from .models import Address, Alias, AliasTarget, Domain, ImportRow, LimitReached, Mailbox
from .models.addresses import stands_for
from .models.aliases import no_more_aliases
from .models.mailboxes import no_more_mailboxes, no_more_storage
from .wishes import Fault, Wish

Verdict = ImportRow.Verdict
# So many addresses are looked up by one statement.
AT_ONCE = 5_000


def alias_addresses(tenant: Tenant, mailboxes: list[int]) -> dict[int, list[str]]:
    """The addresses of the aliases that lead to each of these."""
    targets = AliasTarget.objects.filter(tenant=tenant, mailbox__in=mailboxes).values_list("mailbox", "alias")
    aliases = dict(
        Alias.objects.filter(tenant=tenant, pk__in={alias for _mailbox, alias in targets}).values_list("pk", "address")
    )
    addresses = dict(Address.objects.filter(tenant=tenant, pk__in=aliases.values()).values_list("pk", "address"))
    found = defaultdict(list)
    for mailbox, alias in targets:
        found[mailbox].append(addresses[aliases[alias]])
    return {pk: sorted(found[pk]) for pk in mailboxes}


@dataclass
class Room:
    """What the contract still allows; below zero where it was passed."""

    tenant: Tenant
    mailboxes: int
    aliases: int
    storage_mb: int

    @classmethod
    def of(cls, tenant: Tenant) -> "Room":
        boxes = Mailbox.objects.filter(tenant=tenant)
        return cls(
            tenant,
            mailboxes=tenant.max_mailboxes - boxes.count(),
            aliases=tenant.max_aliases - Alias.objects.filter(tenant=tenant).count(),
            storage_mb=tenant.max_storage_mb - boxes.aggregate(sum=Sum("storage_mb", default=0))["sum"],
        )

    def check(self, wishes: list[Wish]):
        """Whether these fit, raises LimitReached; a limit that was lowered since stops only those who ask for it."""
        aliases = sum(len(wish.aliases) for wish in wishes)
        if len(wishes) > self.mailboxes:
            raise no_more_mailboxes(self.tenant)
        if sum(wish.megabytes for wish in wishes) > self.storage_mb:
            raise no_more_storage(self.storage_mb)
        if aliases and aliases > self.aliases:
            raise no_more_aliases(self.tenant)

    def take(self, wishes: list[Wish]):
        """Leave so much less."""
        self.check(wishes)
        self.give_back(wishes, -1)

    def give_back(self, wishes: list[Wish], times=1):
        self.mailboxes += times * len(wishes)
        self.aliases += times * sum(len(wish.aliases) for wish in wishes)
        self.storage_mb += times * sum(wish.megabytes for wish in wishes)


@dataclass(frozen=True)
class Existing:
    """A mailbox that is there, as far as a row can say something about it."""

    name: str
    language: str
    storage_mb: int
    aliases: list[str]

    def differs(self, wish: Wish) -> Iterator[Fault]:
        """What a row says otherwise; an empty cell says nothing."""
        if wish.name != self.name:
            yield is_here("name", self.name)
        if wish.language not in (None, self.language):
            yield is_here("language", str(User.Language(self.language).label))
        if wish.storage_mb not in (None, self.storage_mb):
            yield is_here("storage_mb", str(self.storage_mb))
        if wish.aliases and {*wish.aliases} != {*self.aliases}:
            yield is_here("aliases", " ".join(map(display_address, self.aliases)) or "–")


def is_here(column: str, value: str) -> Fault:
    return Fault(column, _("Here it is “%(value)s”. An import changes nothing that is there.") % {"value": value})


class Register:
    """Judges rows one after the other, in a few queries however many they are."""

    def __init__(self, tenant: Tenant, wishes: Iterable[Wish]):
        domains = list(Domain.objects.filter(tenant=tenant).select_related("alias_of"))
        self.domains = {domain.name: domain.pk for domain in domains}
        self.alias_domains = {domain.name: domain for domain in domains if domain.alias_of}
        self.taken: set[str] = set()
        self.mailboxes: dict[str, Existing] = {}
        asked = list({address for wish in wishes for address in (wish.address, *wish.aliases)})
        for start in range(0, len(asked), AT_ONCE):
            self.look_up(tenant, asked[start : start + AT_ONCE])
        self.room = Room.of(tenant)
        # In which line of the file an address stood first.
        self.seen: dict[str, int] = {}

    def look_up(self, tenant: Tenant, asked: list[str]):
        """What there is under these addresses, by lists of values: behind the wall joins are planned badly."""
        addresses = dict(Address.objects.filter(tenant=tenant, address__in=asked).values_list("pk", "address"))
        people = User.objects.filter(tenant=tenant, area=User.Area.MAILBOX, address__in=asked)
        self.taken.update(addresses.values(), people.values_list("address", flat=True))
        boxes = Mailbox.objects.filter(tenant=tenant, address__in=addresses).order_by()
        shown = boxes.values_list("pk", "address_id", "user_id", "storage_mb")
        owners = (
            User.objects.filter(tenant=tenant)
            .only("name", "language")
            .in_bulk({user for _pk, _address, user, _storage in shown})
        )
        aliases = alias_addresses(tenant, [pk for pk, *_rest in shown])
        for pk, address, user, storage_mb in shown:
            owner = owners[user]
            self.mailboxes[addresses[address]] = Existing(owner.name, owner.language, storage_mb, aliases[pk])

    def judge(self, wish: Wish, line: int) -> tuple[str, list[Fault]]:
        """What the row means, and what is to be said about it."""
        there = self.mailboxes.get(wish.address)
        own = {wish.address, *there.aliases} if there else set()
        asked = [("address", wish.address), *(("aliases", alias) for alias in wish.aliases)]
        if faults := [fault for column, address in asked for fault in self.faults(column, address, own, line)]:
            return Verdict.BAD, faults
        if there:
            faults = list(there.differs(wish))
            return Verdict.DIFFERENT if faults else Verdict.SAME, faults
        try:
            self.room.take([wish])
        except LimitReached as error:
            return Verdict.BAD, [Fault.of("", error)]
        return Verdict.NEW, []

    def faults(self, column: str, address: str, own: set[str], line: int) -> Iterator[Fault]:
        try:
            self.check(address, own)
        except ValidationError as error:
            yield Fault.of(column, error)
        self.seen.setdefault(address, line)

    def check(self, address: str, own: set[str]):
        """Whether the tenant may have the address, and nobody has it; `own` are those of the row's own mailbox."""
        local_part, domain = split_address(address)
        shown = {"address": display_address(address), "line": self.seen.get(address)}
        if domain not in self.domains:
            raise ValidationError(_("“%(name)s” is none of your domains."), params={"name": display_domain(domain)})
        if alias_domain := self.alias_domains.get(domain):
            raise stands_for(alias_domain, alias_domain.alias_of)
        Address(local_part=local_part).clean()
        if address in self.seen:
            raise ValidationError(_("“%(address)s” stands in line %(line)s already. Remove one."), params=shown)
        if address in self.taken and address not in own:
            raise ValidationError(_("“%(address)s” is in use already. Choose another address."), params=shown)
