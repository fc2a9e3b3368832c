from accounts.commands import InstallationCommand
from accounts.models import AuditNetwork
from mailboxes.models import AppPassword


class Command(InstallationCommand):
    help = "Forget the IP addresses of deeds and of app passwords' uses after a week; run daily."

    def handle(self, *args, **options):
        deeds, _by_model = AuditNetwork.objects.outdated().delete()
        self.stdout.write(f"{deeds + AppPassword.objects.forget_networks()} addresses forgotten")
