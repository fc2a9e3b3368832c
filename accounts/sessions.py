"""Sessions in PostgreSQL, each with the person who is logged in by it."""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from .models.sessions import PortalSession


class SessionStore(DatabaseStore):
    """Django's own store, with the person in a column."""

    @classmethod
    def get_model_class(cls):
        return PortalSession

    def create_model_instance(self, data):
        row = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        return row
