from django.core.management.base import BaseCommand

from mailboxes.models import AppPassword


class Command(BaseCommand):
    help = "Forget the IP addresses from which app passwords were used, a week after their last use; run daily."

    def handle(self, *args, **options):
        self.stdout.write(f"{AppPassword.objects.forget_networks()} addresses forgotten")
