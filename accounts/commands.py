from django.core.management.base import BaseCommand

from .wall import everybody


class InstallationCommand(BaseCommand):
    """A command for the whole installation: it works on every tenant's rows."""

    def execute(self, *args, **options):
        with everybody():
            return super().execute(*args, **options)
