from django.apps import AppConfig


class KscsiteConfig(AppConfig):
    name = "kscsite"
    verbose_name = "KundenServiceCenter"
