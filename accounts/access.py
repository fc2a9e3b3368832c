"""Who may: the one place where roles become rights."""

import time
from functools import wraps

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.urls import reverse


def role_required(*roles):
    """Let only these roles into a view; others that are logged in get 403."""

    def decorator(view):
        @wraps(view)
        def wrapper(request, *args, **kwargs):
            if request.user.role not in roles:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return wrapper

    return decorator


def proved(request):
    """Note that whoever sits there has just shown password and second factor."""
    request.session["proved"] = int(time.time())


def fresh_login_required(view):
    """Let in who has just logged in; others show once more who they are, and come back."""

    @wraps(view)
    def wrapper(request, *args, **kwargs):
        if time.time() - request.session.get("proved", 0) > settings.FRESH_LOGIN_AGE:
            return redirect(reverse("confirm", query={"next": request.path}))
        return view(request, *args, **kwargs)

    return wrapper
