from django.core.management.base import CommandError
from redis import RedisError

from accounts.commands import InstallationCommand
from filters import rejects


class Command(InstallationCommand):
    help = "Write the copy of who rejects spam, which Rspamd reads in Redis; the worker does so every ten minutes."

    def handle(self, *args, **options):
        try:
            rejects.rebuild()
        except RedisError as error:
            raise CommandError(f"Redis cannot be reached: {error}") from error
