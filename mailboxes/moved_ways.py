"""The second half of a move: alias addresses, forwards and what a domain as a whole leads to."""

from collections.abc import Callable, Collection, Iterator

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.addresses import normalise_address
from accounts.models import AuditEvent, Tenant

from .imports import CHUNK, open_aliases
from .models import MOST_TARGETS, Address, Domain, Forward, Mailbox
from .models.aliases import no_more_aliases
from .move_report import Kind, Report, Verdict
from .peers import PeerAlias, domain_of
from .register import Register
from .ways import Forwarded, Led, Ways, is_over

# So many of the targets that are lost are named.
NAMED = 5


class MovedWays:
    """Leads mail as it was led before, as far as that can be; `ids` are those of the tenant's mailboxes by address."""

    def __init__(self, tenant: Tenant, register: Register, ways: Ways, ids: dict[str, int], report: Report):
        self.tenant, self.register, self.ways, self.ids = tenant, register, ways, ids
        self.report, self.say = report, report.say

    def make_aliases(self, aliases: list[PeerAlias], *, tell: Callable):
        open_ones = Address.objects.filter(tenant=self.tenant, kind=Address.Kind.ALIAS, retired_at=None)
        known = set(open_ones.values_list("address", flat=True))
        ready: list[tuple] = []
        for alias in aliases:
            if alias.address in known:
                self.say(Verdict.THERE, Kind.ALIAS, alias.address)
                continue
            try:
                ready.extend(self.judged(alias))
            except ValidationError as error:
                self.say(Verdict.LEFT, Kind.ALIAS, alias.address, *error.messages)
        for start in range(0, len(ready), CHUNK):
            chunk = ready[start : start + CHUNK]
            open_aliases(self.tenant, self.register.domains, chunk, by=None)
            counts = {"part": start + len(chunk), "whole": len(ready)}
            tell(_("%(part)s of %(whole)s alias addresses") % counts)

    def judged(self, alias: PeerAlias) -> Iterator[tuple]:
        """What `open_aliases` needs; nothing where all has been said, ValidationError where it cannot be made."""
        address = normalise_address(alias.address)
        if self.report.leaves_to_support(address, Kind.ALIAS):
            return
        if not alias.is_on or is_over(alias):
            raise ValidationError(_("It was switched off, or its last day is over."))
        led = self.ways.led(alias)
        check_led(led)
        self.register.check(address, set())
        if self.register.room.aliases < 1:
            raise no_more_aliases(self.tenant)
        self.register.room.aliases -= 1
        self.register.seen[address] = 0
        lost = _("No longer to %(targets)s.") % {"targets": listed(led.lost)} if led.lost else ""
        self.say(Verdict.MADE, Kind.ALIAS, address, "→", ", ".join(led.mailboxes), lost)
        yield address, alias.valid_until, {target: self.ids[target] for target in led.mailboxes}

    def make_forwards(self, made: dict[str, Mailbox]):
        """Those of new mailboxes: what people have set here since is theirs."""
        forwards = [
            forward for address, box in made.items() for forward in self.forwards_of(box, self.ways.forwarded(address))
        ]
        Forward.objects.bulk_create(forwards, batch_size=CHUNK)
        draft, deed = AuditEvent.objects.draft, AuditEvent.Deed.CREATED
        AuditEvent.objects.bulk_create(draft(deed, forward, new={"target": forward.target}) for forward in forwards)

    def forwards_of(self, mailbox: Mailbox, found: Forwarded) -> list[Forward]:
        kept = found.targets[: self.tenant.max_forwards]
        self.say_left(mailbox, found, found.targets[len(kept) :])
        if kept and not found.keeps_copy:
            mailbox.keeps_copy = False
            mailbox.save(update_fields=["keeps_copy"])
        for target in kept:
            notes = self.notes_on(target, found)
            self.say(Verdict.MADE, Kind.FORWARD, str(mailbox), f"→ {target}", *notes)
        return [self.forward(mailbox, target, outside=target in found.outside) for target in kept]

    def forward(self, mailbox: Mailbox, target: str, *, outside: bool) -> Forward:
        """Mail went there until now, so an address outside counts as confirmed, and as approved by the move."""
        since = timezone.now() if outside else None
        return Forward(tenant=self.tenant, mailbox=mailbox, target=target, confirmed_at=since, approved_at=since)

    def notes_on(self, target: str, found: Forwarded) -> Iterator[str]:
        if target in found.outside:
            yield _("It leads elsewhere.")
            if self.tenant.forwards_outside == Tenant.ForwardsOutside.FORBIDDEN:
                yield _("This customer's rules forbid that, so it rests.")
        if not found.keeps_copy:
            yield _("No copy stays in the mailbox.")

    def say_left(self, mailbox: Mailbox, found: Forwarded, too_many: list[str]):
        box = str(mailbox)
        for target in too_many:
            self.say(Verdict.LEFT, Kind.FORWARD, box, f"→ {target}", _("A mailbox cannot have so many forwards."))
        for target in found.lost:
            why = _("There is no such address, or it leads back to the mailbox.")
            self.say(Verdict.LEFT, Kind.FORWARD, box, f"→ {target}", why)
        if found.was_absent:
            self.say(Verdict.LEFT, Kind.ABSENCE, box, _("It has to be written again here."), was_wanted=False)

    def lead_domains(self, names: Collection[str], caught: list[PeerAlias]):
        domains = {domain.name: domain for domain in Domain.objects.filter(tenant=self.tenant)}
        for way in caught:
            self.lead_caught(domains[domain_of(way.address)], way)
        for name, other in self.ways.stands_for.items():
            if name in names and other in domains and not domains[name].alias_of_id:
                try:
                    domains[name].stand_for(domains[other], by=None)
                except ValidationError as error:
                    self.say(Verdict.LEFT, Kind.ALIAS_DOMAIN, name, *error.messages)
                else:
                    self.say(Verdict.MADE, Kind.ALIAS_DOMAIN, name, f"→ {other}")

    def lead_caught(self, domain: Domain, way: PeerAlias):
        led = self.ways.led(way)
        if domain.catch_all_id or domain.alias_of_id:
            self.say(Verdict.THERE, Kind.CATCH_ALL, way.address)
        elif not way.is_on or led.lost or len(led.mailboxes) != 1:
            why = _("Here it leads to one mailbox. It led to %(targets)s.") % {"targets": listed(way.targets)}
            self.say(Verdict.LEFT, Kind.CATCH_ALL, way.address, why)
        else:
            domain.catch_all_to(Mailbox.objects.get(pk=self.ids[led.mailboxes[0]]), by=None)
            self.say(Verdict.MADE, Kind.CATCH_ALL, way.address, f"→ {led.mailboxes[0]}")


def check_led(led: Led):
    if not led.mailboxes:
        text = _("It leads to no mailbox here, but to %(targets)s. If it is needed, make a mailbox that forwards.")
        raise ValidationError(text, params={"targets": listed(led.lost)})
    if len(led.mailboxes) > MOST_TARGETS:
        text = _("It leads to %(count)s mailboxes: that takes a mailing list.")
        raise ValidationError(text, params={"count": len(led.mailboxes)})


def listed(targets) -> str:
    return ", ".join(targets[:NAMED]) + (" …" if len(targets) > NAMED else "") or "–"
