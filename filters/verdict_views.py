"""Was wurde aus meiner Mail: what the spam filter said of each message, and what became of it."""

from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import role_required
from accounts.models import User
from accounts.pages import BoundedPaginator
from mailboxes.models import Mailbox

from .boxes import query_of
from .models import Verdict
from .verdict_forms import VerdictSearchForm

PER_PAGE = 25


@role_required(User.Role.USER)
@require_safe
def verdicts(request):
    """The person's own mailbox first; members of one for a purpose choose it."""
    boxes = Mailbox.objects.opened_by(request.user)
    form = VerdictSearchForm(request.GET, boxes=boxes)
    if not form.boxes:
        raise Http404
    mine = Verdict.objects.visible_to(request.user)
    page = BoundedPaginator(form.found(mine).with_own_list(), PER_PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "form": form,
        "mailbox": form.mailbox,
        "settled": form.mailbox.responsible == request.user,
        "named": query_of(form.mailbox),
        "month": mine.month_of(form.mailbox),
        "page": page,
        "query": query.urlencode(),
    }
    return render(request, "filters/verdicts.html", context)
