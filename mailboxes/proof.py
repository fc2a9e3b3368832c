"""What the outbox does about a request for a domain, again and again until its row is gone."""

from datetime import timedelta

from django.utils import timezone

from .models import DomainRequest
from .models.requests import FIRST_LOOK, KEPT, LONGEST_PAUSE


def look_again(number: int):
    """Look for the proof and plan the next look; what is over for long is cleared away."""
    request = DomainRequest.objects.filter(pk=number).first()
    if request is None:
        return
    if request.is_open and not request.is_over:
        request.look()
        request.refresh_from_db()
    if not request.is_open:
        tidy(request)
    elif request.is_over:
        request.expire()
    else:
        request.look_later(pause(request))


def pause(request: DomainRequest) -> timedelta:
    """Longer and longer, and never past the day on which the request ends."""
    now = timezone.now()
    wanted = min(max((now - request.asked_at) / 4, FIRST_LOOK), LONGEST_PAUSE)
    return min(wanted, max(request.expires_at - now, timedelta()))


def tidy(request: DomainRequest):
    """Clear away a request that is closed, once its page was to be read for long enough."""
    left = (request.closed_at or timezone.now()) + KEPT - timezone.now()
    if left > timedelta():
        request.look_later(left)
    else:
        request.remove()
