from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string


class SessionQuerySet(models.QuerySet["PortalSession"]):
    def expired(self):
        return self.filter(expire_date__lt=timezone.now())

    def alive(self):
        return self.filter(expire_date__gt=timezone.now())

    def told_to_the_wall(self):
        """Sets, with the row's own reading, whose rows the connection shows from now on."""
        asked = (models.Value("app.tenant"), models.F("reach"), models.Value(False))
        return self.annotate(told=models.Func(*asked, function="set_config", output_field=models.CharField()))

    def others_than(self, session):
        return self.exclude(session_key=session.session_key)


class PortalSession(AbstractBaseSession):
    """A session that knows whose it is, so that a person's sessions can be shown and ended."""

    user = models.ForeignKey("accounts.User", models.CASCADE, null=True, related_name="sessions")
    # Of the person, also while their second factor is waited for; see accounts.wall.
    reach = models.CharField(max_length=20, default="", db_default="")

    objects = BaseSessionManager.from_queryset(SessionQuerySet)()

    class Meta:
        verbose_name = "session"
        verbose_name_plural = "sessions"

    @classmethod
    def get_session_store_class(cls):
        return import_string(f"{settings.SESSION_ENGINE}.SessionStore")
