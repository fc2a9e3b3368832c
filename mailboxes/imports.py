"""Imports of mailboxes: a file's rows as they are judged, and the worker's part, which makes them true."""

from collections.abc import Iterable
from datetime import date

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.addresses import split_address
from accounts.models import AuditEvent, Tenant, User

from .csvfiles import MOST_ALIASES, Line
from .models import Address, Alias, AliasTarget, Import, ImportRow, LimitReached, Mailbox
from .register import Register, Room
from .wishes import Fault, Wish, read_wish

Verdict = ImportRow.Verdict
# So many rows are imported in one transaction while the tenant's row is locked: less than a second.
CHUNK = 500
# What is kept of a cell for whoever corrects it.
CELL_KEPT = 300


def judged(lines: list[Line], tenant: Tenant) -> list[ImportRow]:
    """A row for each line of a file: what it asks for, and what that means today; ValidationError for too much."""
    read = [(line, *read_wish(line)) for line in lines]
    if sum(len(wish.aliases) for _at, wish, _said in read if wish) > MOST_ALIASES:
        text = _("The file names more than %(limit)s alias addresses. Split it.")
        raise ValidationError(text, params={"limit": MOST_ALIASES})
    register = Register(tenant, [wish for _at, wish, _said in read if wish])
    return [row_of(line, wish, faults, register) for line, wish, faults in read]


def row_of(line: Line, wish: Wish | None, faults: list[Fault], register: Register) -> ImportRow:
    row = ImportRow(line=line.number, wish=wish and wish.stored(), aliases=len(wish.aliases) if wish else 0)
    verdict, said = register.judge(wish, line.number) if wish else (Verdict.BAD, faults)
    note(row, verdict, said)
    if verdict == Verdict.BAD:
        row.cells = [cell.replace("\0", "�")[:CELL_KEPT] for cell in line.raw]
    return row


def note(row: ImportRow, verdict: str, faults: list[Fault]):
    row.verdict, row.faults = verdict, [[fault.column, fault.text.replace("\0", "�")] for fault in faults]


def carry_out(number: int):
    """Do the next part of an import: all of it at once, or so many rows; killed in between, nothing of it was done."""
    batch = Import.objects.select_for_update(of=("self",)).filter(pk=number, state=Import.State.RUNNING).first()
    if batch is None:
        return
    with translation.override((batch.started_by and batch.started_by.portal_language) or settings.LANGUAGE_CODE):
        if batch.choice == Import.Choice.ALL:
            import_all(batch)
        else:
            import_some(batch)


def forget(number: int):
    """A day after a file came, or was imported: what was read from it goes."""
    if batch := Import.objects.filter(pk=number).first():
        batch.forget()


def import_some(batch: Import):
    """The next rows that still fit, judged and counted under the tenant's lock as a single creation is."""
    tenant = Tenant.objects.select_for_update().get(pk=batch.tenant_id)
    rows = list(batch.rows.new()[:CHUNK])
    make(batch, tenant, *judged_again(rows, tenant))
    if len(rows) == CHUNK:
        batch.recount()
        batch.go_on()
    else:
        batch.finish()


def import_all(batch: Import):
    """Every row that was found new, or none: where one no longer fits, the rows say so and nothing is written.

    The rows are made without the tenant's lock, which would keep others waiting for as long; at the end it is held
    while the limits are compared with what is there then. An address that somebody takes meanwhile breaks a
    constraint: the whole message is tried again, and finds the address taken.
    """
    rows = list(batch.rows.new())
    register, wishes = judged_again(rows, batch.tenant)
    if any(row.verdict == Verdict.BAD for row in rows):
        ImportRow.objects.bulk_update(rows, ["verdict", "faults"], batch_size=CHUNK)
        batch.stop()
        return
    try:
        with transaction.atomic():
            for start in range(0, len(rows), CHUNK):
                make(batch, batch.tenant, register, wishes[start : start + CHUNK])
            check_limits(batch.tenant_id, [wish for row, wish in wishes if row.verdict == Verdict.NEW])
    except LimitReached as error:
        batch.stop(" ".join(error.messages))
    else:
        batch.finish()


def check_limits(tenant_id: int, made: list[Wish]):
    """Whether all of these were still to be had, now that nobody else can make one until the end; or LimitReached."""
    room = Room.of(Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id))
    room.give_back(made)
    room.check(made)


def judged_again(rows: list[ImportRow], tenant: Tenant) -> tuple[Register, list[tuple[ImportRow, Wish]]]:
    """What the rows mean by now: the file was looked through some time ago."""
    asked = [(row, Wish(**row.wish)) for row in rows if row.wish]
    register = Register(tenant, [wish for _row, wish in asked])
    for row, wish in asked:
        note(row, *register.judge(wish, row.line))
    return register, asked


def make(batch: Import, tenant: Tenant, register: Register, asked: list[tuple[ImportRow, Wish]]):
    """Open the mailboxes of those rows that are new, and note what became of each row."""
    new = [(row, wish) for row, wish in asked if row.verdict == Verdict.NEW]
    open_mailboxes(tenant, register.domains, [wish for _row, wish in new], by=batch.started_by)
    batch.rows.filter(pk__in=[row.pk for row, _w in new]).update(verdict=Verdict.MADE)
    ImportRow.objects.bulk_update([row for row, _w in asked if row.verdict != Verdict.NEW], ["verdict", "faults"])


def open_mailboxes(tenant: Tenant, domains: dict[str, int], wishes: list[Wish], *, by) -> list[Mailbox]:
    """Mailboxes with their people and aliases, as `open_mailbox` and `open_alias` make them one by one.

    The wishes were judged: nothing is looked at again but by the database's own constraints.
    """
    own = new_addresses(tenant, domains, [wish.address for wish in wishes], Address.Kind.MAILBOX)
    people = User.objects.bulk_create(person(tenant, wish) for wish in wishes)
    boxes = Mailbox.objects.bulk_create(
        Mailbox(tenant=tenant, address=address, user=user, storage_mb=wish.megabytes)
        for address, user, wish in zip(own, people, wishes, strict=True)
    )
    targets = [(alias, box) for box, wish in zip(boxes, wishes, strict=True) for alias in wish.aliases]
    others = new_addresses(tenant, domains, [alias for alias, _box in targets], Address.Kind.ALIAS)
    aliases = Alias.objects.bulk_create(Alias(tenant=tenant, address=address) for address in others)
    led = [
        AliasTarget(tenant=tenant, alias=alias, mailbox=box, may_send=True)
        for alias, (_address, box) in zip(aliases, targets, strict=True)
    ]
    AliasTarget.objects.bulk_create(led)
    AuditEvent.objects.bulk_create(created(people, boxes, led, by))
    plan_anew()
    return boxes


def open_aliases(
    tenant: Tenant, domains: dict[str, int], asked: list[tuple[str, date | None, dict[str, int]]], *, by
) -> list[Alias]:
    """Alias addresses as `open_shared` makes them, each with its last day and the mailboxes that receive, by address.

    One mailbox may send as its alias, of several none until it is said. What is asked for was judged.
    """
    addresses = new_addresses(tenant, domains, [address for address, _day, _to in asked], Address.Kind.ALIAS)
    aliases = Alias.objects.bulk_create(
        Alias(tenant=tenant, address=address, valid_until=last_day)
        for address, (_address, last_day, _to) in zip(addresses, asked, strict=True)
    )
    pairs = [(alias, to) for alias, (_address, _day, to) in zip(aliases, asked, strict=True)]
    AliasTarget.objects.bulk_create(
        AliasTarget(tenant=tenant, alias=alias, mailbox_id=box, may_send=len(to) == 1)
        for alias, to in pairs
        for box in to.values()
    )
    draft, deed = AuditEvent.objects.draft, AuditEvent.Deed.CREATED
    AuditEvent.objects.bulk_create(draft(deed, alias, by=by, new=terms_of(alias, [*to])) for alias, to in pairs)
    plan_anew()
    return aliases


def terms_of(alias: Alias, to: list[str]) -> dict:
    """What `Alias.terms` says, of one that was just made."""
    may_send = to if len(to) == 1 else []
    return {"target": to, "may_send": may_send, "valid_until": str(alias.valid_until or "")}


def plan_anew():
    """Forget how the keys of many new rows would be checked at commit: by reading tables that were small before."""
    with connection.cursor() as cursor:
        cursor.execute("DISCARD PLANS")


def new_addresses(tenant: Tenant, domains: dict[str, int], addresses: list[str], kind: str) -> list[Address]:
    parts = [(address, *split_address(address)) for address in addresses]
    return Address.objects.bulk_create(
        Address(tenant=tenant, domain_id=domains[domain], local_part=local_part, address=address, kind=kind)
        for address, local_part, domain in parts
    )


def person(tenant: Tenant, wish: Wish) -> User:
    """Without credentials, which are made when they are given out."""
    user = User(area=User.Area.MAILBOX, role=User.Role.USER, address=wish.address, tenant=tenant, name=wish.name)
    user.language = wish.language or User.Language.GERMAN
    user.set_unusable_password()
    return user


def created(people: list[User], boxes: list[Mailbox], led: list[AliasTarget], by) -> Iterable[AuditEvent]:
    draft, deed = AuditEvent.objects.draft, AuditEvent.Deed.CREATED
    for user, box in zip(people, boxes, strict=True):
        yield draft(deed, user, by=by, new={"role": user.role})
        yield draft(deed, box, by=by, new={"storage_mb": box.storage_mb})
    for target in led:
        to = [str(target.mailbox)]
        yield draft(deed, target.alias, by=by, new={"target": to, "may_send": to, "valid_until": ""})
