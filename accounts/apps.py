from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from .wall import tell_connection


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People and tenants")

    def ready(self):
        connection_created.connect(tell_connection)
