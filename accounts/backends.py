from django.contrib.auth.backends import BaseBackend

from .addresses import canonical
from .hashers import verify
from .models import Brake, User
from .wall import everybody, show


class Throttled(Exception):
    """Too many tries; `wait` says how long the brake stays on."""

    def __init__(self, wait):
        super().__init__(wait)
        self.wait = wait


class Suspended(Exception):
    """The password was right, and nothing but the suspension of the person's organisation is in the way."""

    def __init__(self, user):
        super().__init__(user)
        self.user = user


class AreaBackend(BaseBackend):
    """Login by area, address and password; whatever is wrong costs the same one hash."""

    def authenticate(self, request, area=None, address=None, password=None):
        if area is None or address is None or password is None:
            return None
        name = canonical(address) or address.strip().lower()[:254]
        # Three short transactions, none of them open while hashing: count, read, and later record.
        if wait := Brake.objects.count_try(area=area, address=name, ip=request.client_ip):
            raise Throttled(wait)
        with everybody():
            user = User.objects.at_login(area, name)
        correct, outdated = verify(password, user.password if user else "")
        if not correct:
            return None
        if not user.may_sign_in:
            if user.waits_for_tenant:
                raise Suspended(user)
            return None
        show(user.reach)
        Brake.objects.forgive(area=area, address=name, ip=request.client_ip)
        if outdated:
            user.refresh_hash(password)
        return user

    def get_user(self, user_id):
        """Whoever may no longer sign in is nobody at the very next request."""
        user = User.objects.for_sign_in().filter(pk=user_id).first()
        return user if user and user.may_sign_in else None
