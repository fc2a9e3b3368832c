"""A customer's domains move here from another portal: what becomes of each row, made true in one transaction."""

from collections.abc import Callable, Iterator, Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts import foreign_hashes
from accounts.addresses import canonical, normalise_address, normalise_domain, split_address
from accounts.models import AuditEvent, Tenant, User

from .forms import MailboxCreateForm
from .imports import CHUNK, open_mailboxes
from .models import Address, Domain, ImportRow, Mailbox
from .models.addresses import related_to
from .move_report import Kind, Report, Verdict
from .moved_ways import MovedWays
from .peers import Peer, PeerMailbox, domain_of
from .register import Register
from .ways import Ways
from .wishes import LARGEST_MB, Wish


class Move:
    """One customer's part of another portal. Whoever carries it out holds a transaction, and decides about its end."""

    def __init__(self, tenant: Tenant, peer: Peer, names: Sequence[str], *, unlimited_mb: int, tell: Callable):
        self.tenant, self.peer, self.names = tenant, peer, list(names)
        self.unlimited_mb, self.tell = unlimited_mb, tell
        self.report = Report()
        self.say = self.report.say

    def carry_out(self):
        """Make all that can be made; raises ValidationError where a domain cannot be this customer's."""
        self.tenant = Tenant.objects.select_for_update(no_key=True).get(pk=self.tenant.pk)
        for name in self.names:
            self.open_domain(name)
        self.open_alias_domains()
        own = {box.address for box in self.peer.mailboxes}
        others = [way for way in self.peer.aliases if domain_of(way.address) in self.names and way.address not in own]
        aliases = [way for way in others if not way.is_caught]
        boxes = list(self.wished([box for box in self.peer.mailboxes if domain_of(box.address) in self.names]))
        # So that the register looks their addresses up.
        known = [Wish(address, "") for way in aliases if (address := canonical(way.address))]
        register = Register(self.tenant, [wish for _box, wish in boxes] + known)
        made = self.make_mailboxes(boxes, register)
        ids = ids_by_address(self.tenant)
        ways = MovedWays(self.tenant, register, Ways(self.peer, register.domains, ids), ids, self.report)
        ways.make_aliases(aliases, tell=self.tell)
        ways.make_forwards(made)
        ways.lead_domains(self.names, [way for way in others if way.is_caught])

    def open_domain(self, name: str):
        if Domain.objects.filter(tenant=self.tenant, name=name).exists():
            self.say(Verdict.THERE, Kind.DOMAIN, name)
            return
        if Domain.objects.exclude(tenant=self.tenant).filter(related_to(name)).exists():
            text = _("“%(domain)s”, or a domain above or below it, belongs to another customer.")
            raise ValidationError(text, params={"domain": name})
        Domain.objects.open_domain(tenant=self.tenant, name=name, by=None)
        self.say(Verdict.MADE, Kind.DOMAIN, name)

    def open_alias_domains(self):
        """What stood for these domains comes along; addresses of its own are made before it stands for another one."""
        for name, other in self.peer.alias_domains.items():
            if other in self.names and name not in self.names:
                try:
                    self.open_domain(normalise_domain(name))
                except ValidationError as error:
                    self.say(Verdict.LEFT, Kind.DOMAIN, name, *error.messages)
                else:
                    self.names.append(name)

    def wished(self, boxes: list[PeerMailbox]) -> Iterator[tuple[PeerMailbox, Wish]]:
        seen = set()
        for box in boxes:
            try:
                address = normalise_address(box.address)
            except ValidationError as error:
                self.say(Verdict.LEFT, Kind.MAILBOX, box.address, *error.messages)
                continue
            if self.report.leaves_to_support(address, Kind.MAILBOX):
                continue
            if address in seen:
                self.say(Verdict.LEFT, Kind.MAILBOX, address, _("It stands there twice."))
                continue
            seen.add(address)
            storage_mb = min(box.storage_mb or self.unlimited_mb, LARGEST_MB)
            yield box, Wish(address, readable_name(box.name, address), language_of(box), storage_mb)

    def make_mailboxes(self, boxes: list[tuple[PeerMailbox, Wish]], register: Register) -> dict[str, Mailbox]:
        """Open those that are new; what is there is not changed."""
        fresh: list[tuple[PeerMailbox, Wish]] = []
        made: dict[str, Mailbox] = {}
        for number, (box, wish) in enumerate(boxes, start=1):
            verdict, faults = register.judge(wish, number)
            if verdict == ImportRow.Verdict.NEW:
                fresh.append((box, wish))
            else:
                known = Verdict.LEFT if verdict == ImportRow.Verdict.BAD else Verdict.THERE
                self.say(known, Kind.MAILBOX, wish.address, *(fault.text for fault in faults))
        for start in range(0, len(fresh), CHUNK):
            chunk = fresh[start : start + CHUNK]
            opened = open_mailboxes(self.tenant, register.domains, [wish for _box, wish in chunk], by=None)
            self.settle([box for box, _wish in chunk], opened)
            made |= {wish.address: mailbox for (_box, wish), mailbox in zip(chunk, opened, strict=True)}
            self.tell(_("%(part)s of %(whole)s mailboxes") % {"part": len(made), "whole": len(fresh)})
        return made

    def settle(self, boxes: list[PeerMailbox], opened: list[Mailbox]):
        """Give new mailboxes what they had: passwords, and whether their people could sign in and mail came."""
        hashes, refused = {}, {}
        for box, mailbox in zip(boxes, opened, strict=True):
            try:
                hashes[mailbox.user_id] = foreign_hashes.stored(box.password)
            except ValidationError as error:
                refused[mailbox.user_id] = " ".join([*error.messages, _("Give out new credentials.")])
        User.objects.bring_passwords(hashes)
        for box, mailbox in zip(boxes, opened, strict=True):
            notes = [refused.get(mailbox.user_id) or _("The password stays."), *self.switch(box, mailbox)]
            self.say(Verdict.MADE, Kind.MAILBOX, str(mailbox), *notes)

    def switch(self, box: PeerMailbox, mailbox: Mailbox) -> Iterator[str]:
        if box.storage_mb is None:
            yield _("It had no limit and gets %(megabytes)s MB.") % {"megabytes": self.unlimited_mb}
        if not box.receives:
            refuse_mail(mailbox)
            yield _("It took no mail: mail to it is refused.")
        if not box.may_sign_in:
            mailbox.user.lock(by=None, reason=_("Switched off before the move."))
            yield _("It was switched off: the login is locked.")


def ids_by_address(tenant: Tenant) -> dict[str, int]:
    """All mailboxes of a tenant, in two statements: a join over rows that were just made is planned badly."""
    addresses = dict(Address.objects.filter(tenant=tenant).values_list("pk", "address"))
    boxes = Mailbox.objects.filter(tenant=tenant).order_by().values_list("address_id", "pk")
    return {addresses[address]: pk for address, pk in boxes}


def readable_name(name: str, address: str) -> str:
    """A name as the desk takes it, else what stands before the @."""
    try:
        return MailboxCreateForm.base_fields["name"].clean(name)
    except ValidationError:
        return split_address(address)[0]


def language_of(box: PeerMailbox) -> str:
    return User.Language.ENGLISH if box.language == User.Language.ENGLISH else User.Language.GERMAN


def refuse_mail(mailbox: Mailbox):
    mailbox.delivery = Mailbox.Delivery.REFUSE
    mailbox.save(update_fields=["delivery"])
    old, new = {"delivery": Mailbox.Delivery.ACCEPT}, {"delivery": Mailbox.Delivery.REFUSE}
    AuditEvent.objects.record(AuditEvent.Deed.CHANGED, mailbox, old=old, new=new)
