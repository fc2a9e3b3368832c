from django.core.management.base import CommandError

from accounts.addresses import canonical
from accounts.commands import InstallationCommand
from accounts.models import User


class Command(InstallationCommand):
    help = "Remove all second factors of a colleague in the staff admin who lost them; check who asks first."

    def add_arguments(self, parser):
        parser.add_argument("address")
        parser.add_argument("--checked", required=True, help="how it was made sure who asks; kept in the trail")

    def handle(self, *, address, checked, **options):
        person = User.objects.filter(role=User.Role.STAFF, address=canonical(address) or "").first()
        if person is None:
            raise CommandError("There is no colleague with this address. DVBs are helped in the staff admin.")
        person.remove_factors(by=None, check={"identity_check": "command", "identity_note": checked[:200]})
        self.stdout.write(f"{person} sets up a new second factor at the next login.")
