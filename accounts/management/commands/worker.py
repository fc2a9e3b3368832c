import logging
import signal
import time

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.utils.module_loading import import_string

from accounts.commands import InstallationCommand
from accounts.models import (
    AuditLink,
    Brake,
    KnownPlace,
    OutboxMessage,
    PasswordReset,
    PortalSession,
    RecoveryAddress,
    SupportConsent,
)

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
TIDY_EVERY_SECONDS = 600
LINK_EVERY_SECONDS = 10

# Before all times: the clock that is compared begins at zero when the machine starts.
NEVER = float("-inf")


class Command(InstallationCommand):
    help = "Do what the outbox asks for: e-mails, ending mail sessions. Several workers may run."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="empty the outbox and end")

    def handle(self, *args, **options):
        self.running = not options["once"]
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        while self.work_off() or self.running:
            time.sleep(IDLE_SECONDS if self.running else 0)

    def stop(self, *args):
        self.running = False

    def work_off(self) -> bool:
        """Handle everything that is due; False when nothing was, or the database is away."""
        worked = False
        try:
            while handle_next():
                worked = True
            self.link_trail()
            self.tidy()
        except (OperationalError, InterfaceError):
            logger.warning("the worker cannot reach the database and tries again")
            close_old_connections()
        return worked

    def link_trail(self):
        """Have the trail's new events linked; what is many waits for the next round."""
        if time.monotonic() - getattr(self, "linked", NEVER) > LINK_EVERY_SECONDS:
            self.linked = time.monotonic()
            AuditLink.objects.link()

    def tidy(self):
        if time.monotonic() - getattr(self, "tidied", NEVER) > TIDY_EVERY_SECONDS:
            self.tidied = time.monotonic()
            Brake.objects.forgotten().delete()
            KnownPlace.objects.forgotten().delete()
            OutboxMessage.objects.long_done().delete()
            PortalSession.objects.expired().delete()
            PasswordReset.objects.long_over().delete()
            RecoveryAddress.objects.long_over().delete()
            SupportConsent.objects.over().delete()
            for name in settings.TIDIED:
                import_string(name)()


def handle_next() -> bool:
    """Handle one message in its own transaction; a failure is noted and tried again later."""
    with transaction.atomic():
        message = OutboxMessage.objects.claim_next()
        if message is None:
            return False
        try:
            with transaction.atomic():
                import_string(settings.OUTBOX_HANDLERS[message.kind])(**message.payload)
        except Exception as error:
            logger.warning("outbox %s failed: %s", message, type(error).__name__)
            message.postpone(error)
        else:
            message.finish()
    return True
