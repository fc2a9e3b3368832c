"""Django's test client, whose people have shown their second factor when they have one."""

from django import test
from django_otp import DEVICE_ID_SESSION_KEY


class Client(test.Client):
    def force_login(self, user, backend=None):
        super().force_login(user, backend)
        factor = user.factors.devices().first()
        session = self.session
        session["proved"] = 2**40
        session["reach"] = user.reach
        if factor:
            session[DEVICE_ID_SESSION_KEY] = factor.persistent_id
        session.save()
        return user
