"""Wer war an meinem Postfach: what was done to a person's mailbox and login, by whom and when."""

from django.core.paginator import Paginator
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import role_required
from accounts.models import AuditEvent, User
from accounts.trail_words import details, role_of

from .views import own_mailbox

PER_PAGE = 25


@role_required(User.Role.USER)
@require_safe
def own_trail(request):
    """All that was done by or to this person; networks only of what they did themselves."""
    user, mailbox = request.user, own_mailbox(request)
    mine = AuditEvent.objects.filter(tenant=user.tenant_id)
    events = mine.about(user, mailbox, *mailbox.aliases.all()) | mine.filter(actor=user)
    others = "others" in request.GET
    if others:
        events = events.exclude(actor=user)
    page = Paginator(events.select_related("network"), PER_PAGE).get_page(request.GET.get("page"))
    rows = [told(event, user) for event in page]
    context = {"page": page, "rows": rows, "others": others, "query": "others" if others else ""}
    return render(request, "mailboxes/trail.html", context)


def told(event, user) -> dict:
    own = event.actor_id == user.pk
    return {
        "event": event,
        "own": own,
        "role": role_of(event),
        "details": details(event),
        "ip": event.network.ip if own and hasattr(event, "network") else "",
    }
