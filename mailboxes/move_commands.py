"""What the commands have in common by which a customer's domains move here from another portal."""

import sys
from collections import Counter
from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import foreign_hashes
from accounts.addresses import normalise_domain
from accounts.commands import InstallationCommand
from accounts.models import Tenant

from .moves import Move
from .peers import Peer, domain_of
from .wishes import DEFAULT_STORAGE_MB


class NotCarriedOut(Exception):
    """Takes back what was made."""


class MoveCommand(InstallationCommand):
    def add_arguments(self, parser):
        parser.add_argument("source", help="file of a dump as SQL text, or postgresql:// URL of the database")
        parser.add_argument("domains", nargs="*", help="domains that move; none lists those that there are")
        parser.add_argument("--tenant", default="", help="customer number of whom the domains are")
        parser.add_argument("--dry-run", action="store_true", help="say what would become of each row, change nothing")
        parser.add_argument(
            "--all-or-nothing", action="store_true", help="change nothing if anything has to be left out"
        )
        parser.add_argument(
            "--unlimited-mb", type=int, default=DEFAULT_STORAGE_MB, help="storage for mailboxes that had no limit"
        )

    def read(self, options) -> Peer:
        raise NotImplementedError

    def handle(self, *, domains, **options):
        with translation.override(settings.LANGUAGE_CODE):
            try:
                foreign_hashes.library()
                peer = self.read(options)
                if domains:
                    self.move(peer, self.named(peer, domains), options)
                else:
                    self.list_domains(peer)
            except OSError as error:
                raise CommandError(str(error)) from error
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error

    def list_domains(self, peer: Peer):
        boxes = Counter(domain_of(box.address) for box in peer.mailboxes)
        aliases = Counter(domain_of(alias.address) for alias in peer.aliases)
        for name in sorted(peer.domains):
            counts = {"domain": name, "mailboxes": boxes[name], "aliases": aliases[name]}
            self.say(_("%(domain)s  %(mailboxes)s mailboxes, %(aliases)s addresses that lead on") % counts)
        self.say(_("Name the domains of one customer, and the customer's number by --tenant."))

    def named(self, peer: Peer, domains: Sequence[str]) -> list[str]:
        names = [normalise_domain(name) for name in dict.fromkeys(domains)]
        for name in names:
            if name not in peer.domains:
                raise CommandError(_("There is no domain “%(domain)s” in the source.") % {"domain": name})
        return names

    def move(self, peer: Peer, names: list[str], options):
        tenant = Tenant.objects.filter(customer_number=options["tenant"]).first()
        if tenant is None:
            raise CommandError(_("There is no customer with this number. Make one in the staff admin first."))
        move = Move(tenant, peer, names, unlimited_mb=max(options["unlimited_mb"], 1), tell=self.tell)
        try:
            with transaction.atomic():
                move.carry_out()
                if options["dry_run"] or (options["all_or_nothing"] and move.report.misses_something):
                    raise NotCarriedOut
        except NotCarriedOut:
            self.report(move)
            if not options["dry_run"]:
                raise CommandError(_("Something would have to be left out, so nothing was changed.")) from None
            self.say(_("This was a trial: nothing was changed."))
        else:
            self.report(move)

    def report(self, move: Move):
        for line in (*move.report.lines, "", *move.report.counted()):
            self.say(str(line))

    def say(self, text: str):
        """A line of the report: whatever stood in the source, it moves no cursor and begins no line."""
        self.stdout.write("".join(sign if sign.isprintable() else "�" for sign in text))

    def tell(self, text: str):
        self.stderr.write(text, ending="\r" if sys.stderr.isatty() else "\n")
