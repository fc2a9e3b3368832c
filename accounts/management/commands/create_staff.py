from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from accounts.commands import InstallationCommand
from accounts.models import User


class Command(InstallationCommand):
    help = "Make a staff login, or give an existing one a new initial password, and print it once."

    def add_arguments(self, parser):
        parser.add_argument("address")
        parser.add_argument("--name", default="")

    def handle(self, *args, address, name, **options):
        try:
            user = self.person(address, name)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        password, encoded = user.draw_initial_password()
        user.issue_initial_password(encoded, by=None, issue=user.initial_issues, at=timezone.now())
        self.stdout.write(
            f"Log in at {settings.BASE_URL} under KundenServiceCenter as {user.address}\n"
            f"with the initial password {password} until {timezone.localtime(user.initial_expires_at):%Y-%m-%d %H:%M}."
        )

    def person(self, address, name):
        known = User.objects.at_login(User.Area.KSC, address.strip().lower())
        if known and known.role != User.Role.STAFF:
            raise CommandError(f"{known.address} is a login of a tenant.")
        return known or User.objects.create_person(role=User.Role.STAFF, address=address, name=name)
