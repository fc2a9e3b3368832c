"""Who may: the one place where roles become rights."""

import time
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.csrf import csrf_exempt


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


class FormTokenAlone(CsrfViewMiddleware):
    """Demands the form's token as everywhere, but takes the "null" that browsers send as origin under no-referrer."""

    def _origin_verified(self, request):
        return request.META["HTTP_ORIGIN"] == "null" or super()._origin_verified(request)


form_token_alone = decorator_from_middleware(FormTokenAlone)


def secret_link(view):
    """For a page whose address holds a secret: open to whoever has it, and no browser tells the address on."""

    checked = form_token_alone(view)

    @wraps(view)
    def wrapper(request, *args, **kwargs):
        response = checked(request, *args, **kwargs)
        response["Referrer-Policy"] = "no-referrer"
        return response

    return login_not_required(csrf_exempt(wrapper))
