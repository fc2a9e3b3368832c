from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Stands where Django's createsuperuser would go round login areas, password rule and audit trail."""

    help = "Not offered: use create_staff for staff; everybody else gets credentials from staff or the DVB."

    def add_arguments(self, parser):
        parser.add_argument("rest", nargs="*")

    def handle(self, *args, **options):
        raise CommandError(self.help)
