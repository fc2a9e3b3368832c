"""Sessions in PostgreSQL, each with the person who is logged in by it."""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from .models.sessions import PortalSession
from .wall import NOBODY, found, shows_nobody

# Whose second factor a session waits for, so that it ends with the person's other sessions.
WAITING = "waiting"


class SessionStore(DatabaseStore):
    """Django's own store, with the person in a column, and whose rows they see in another."""

    @classmethod
    def get_model_class(cls):
        return PortalSession

    def create_model_instance(self, data):
        row = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY) or data.get(WAITING)
        row.reach = data.get("reach", NOBODY)
        return row

    def _get_session_from_db(self):
        """In a request the session's reach is in force from the moment it is read; no query stands between the two."""
        rows, opens = self.model.objects.alive(), shows_nobody()
        row = (rows.told_to_the_wall() if opens else rows).filter(session_key=self.session_key).first()
        if row is None:
            self._session_key = None
        elif opens:
            found(row.reach)
        return row
