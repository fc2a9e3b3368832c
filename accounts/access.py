"""Who may: the one place where roles become rights."""

from functools import wraps

from django.core.exceptions import PermissionDenied


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
