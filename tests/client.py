"""Django's test client, whose people have shown their second factor when they have one."""

from django import test
from django_otp import DEVICE_ID_SESSION_KEY


def body(response) -> bytes:
    """All of an answer, a page's or a file's."""
    return b"".join(response) if response.streaming else response.content


class Client(test.Client):
    def request(self, **request):
        """A file is read at once and closed, as a browser does."""
        response = super().request(**request)
        if response.streaming:
            response.streaming_content = [b"".join(response.streaming_content)]
        return response

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


def logged_in(person, **options) -> Client:
    """Somebody's browser."""
    client = Client(**options)
    client.force_login(person)
    return client
