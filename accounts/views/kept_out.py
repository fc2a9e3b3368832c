"""Pages for those who are kept out, and may know why."""

from django.shortcuts import render

from ..context_processors import installation_of


def too_many_tries(request, wait):
    seconds = int(wait.total_seconds())
    context = {"retry_after": seconds, "retry_minutes": -(-seconds // 60)}
    response = render(request, "accounts/throttled.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def tenant_suspended(request, user):
    """Shown after the right password alone: whoever does not know it reads the neutral message."""
    context = {"person": user, "provider": installation_of(request)}
    return render(request, "accounts/suspended.html", context, status=403)
