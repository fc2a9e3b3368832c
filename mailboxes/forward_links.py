"""The link by which the owner of an address elsewhere agrees to forwarded mail, or does not."""

from accounts.emails import deliver, written
from accounts.recovery import absolute
from accounts.wall import everybody, show

from .models import Forward


def mail_link(number: int):
    """Draw the link and send it to the target; nothing where that is confirmed, has ended or was done just now."""
    rows = Forward.objects.filter(pk=number, confirmed_at=None).select_related(
        "mailbox__address", "mailbox__user__tenant"
    )
    forward = rows.first()
    if forward is None or forward.link_was_just_mailed:
        return
    link = absolute("forward_link", forward.draw_link())
    deliver(forward.target, *written(forward.mailbox.user, "forward_link", forward=forward, link=link))


def linked_forward(token: str) -> Forward | None:
    """What a link is about, while it is good for something; looking at it changes nothing."""
    with everybody():
        forward = Forward.objects.by_link(token)
    if forward:
        show(forward.mailbox.user.reach)
    return forward
