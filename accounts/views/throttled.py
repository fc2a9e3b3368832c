"""The page for too many tries."""

from django.shortcuts import render


def too_many_tries(request, wait):
    seconds = int(wait.total_seconds())
    context = {"retry_after": seconds, "retry_minutes": -(-seconds // 60)}
    response = render(request, "accounts/throttled.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response
