"""Which mailbox a page is about: a person's own, or one for a purpose that they are responsible for."""

from dataclasses import dataclass

from django.http import Http404
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from mailboxes.models import Mailbox


@dataclass(frozen=True)
class Choice:
    """The mailbox that a page is about, and all that it could be about."""

    mailbox: Mailbox
    boxes: list[Mailbox]

    @property
    def query(self) -> str:
        return query_of(self.mailbox)

    @property
    def whose(self) -> str:
        return _("This concerns the mailbox %s alone.") % self.mailbox

    def told(self, text) -> str:
        """What was done, and for which mailbox where that is not the person's own."""
        return f"{text} {self.whose}" if self.query else text

    def lead(self, name):
        """To this page, about the same mailbox."""
        return redirect(reverse(name) + self.query)


def query_of(mailbox) -> str:
    """What names a mailbox in the address of a page; a person's own needs no name."""
    return f"?box={mailbox.public_id}" if mailbox.user.is_function else ""


def choice_of(request) -> Choice:
    """The one that the address names, of what is posted there too; none that somebody else decides on."""
    boxes = list(Mailbox.objects.settled_by(request.user))
    named = {str(box.public_id): box for box in boxes} | {"": next(iter(boxes), None)}
    mailbox = named.get(request.GET.get("box", ""))
    if mailbox is None:
        raise Http404
    return Choice(mailbox, boxes)
