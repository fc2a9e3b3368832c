"""Black- und Whitelist: a mailbox's two lists of senders."""

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import role_required
from accounts.models import User
from accounts.spreadsheets import spreadsheet

from .boxes import Choice, choice_of
from .forms import OneClickForm, SenderForm, SendersForm
from .models import SenderRule, SpamSettings
from .models.senders import limit_of
from .senderlines import counted, table_head, table_rows

REMOVED = "removed_sender"


@role_required(User.Role.USER)
@require_http_methods(["GET", "HEAD", "POST"])
def sender_lists(request):
    """Both lists, and a form that puts one more sender on one of them."""
    choice, bound = choice_of(request), request.method == "POST"
    form = SenderForm(request.POST if bound else None, owner=choice.mailbox, viewer=request.user)
    if bound and form.is_valid():
        messages.success(request, choice.told(added_text(form.row)))
        return choice.lead("sender_lists")
    rows, words = rows_of(request, choice), request.GET.get("q", "")
    context = {
        "form": form,
        "choice": choice,
        "words": words,
        "lists": lists_of(rows.with_words(words)),
        "number": rows.count(),
        "limit": limit_of(choice.mailbox),
        "effect": SpamSettings.objects.effective(choice.mailbox).block_effect,
        "removed": request.session.pop(REMOVED, None),
    }
    return render(request, "filters/sender_lists.html", context, status=422 if bound else 200)


def rows_of(request, choice: Choice):
    """What stands on the lists of the mailbox that the page is about."""
    return SenderRule.objects.visible_to(request.user).on_list_of(choice.mailbox)


def lists_of(rows):
    """Each kind with its rows, the blacklist first."""
    return [
        (kind, [row for row in rows if row.kind == kind]) for kind in (SenderRule.Kind.BLOCK, SenderRule.Kind.ALLOW)
    ]


def added_text(row) -> str:
    if row.kind == SenderRule.Kind.BLOCK:
        return _("%s is on your blacklist. It holds from the next message on.") % row
    return (
        _(
            "%s is on your whitelist. From the next message on this counts, but only for mail whose sender is proved. "
            "All other mail goes on being judged by the other lists and the spam filter."
        )
        % row
    )


@role_required(User.Role.USER)
@require_POST
def sender_rule_add(request):
    """One click on another page, which is led back to: its sender goes to a list."""
    choice = choice_of(request)
    form = OneClickForm(request.POST, owner=choice.mailbox, viewer=request.user)
    if form.is_valid():
        messages.success(request, choice.told(added_text(form.row)))
    else:
        messages.error(request, " ".join(text for errors in form.errors.values() for text in errors))
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return redirect(wanted)
    return choice.lead("sender_lists")


@role_required(User.Role.USER)
@require_POST
def sender_rule_move(request):
    """To the list that the button names, so that a second click undoes nothing."""
    choice, kind = choice_of(request), request.POST.get("to")
    row = chosen(request, choice)
    if kind not in SenderRule.Kind.values:
        raise BadRequest("no such list")
    row.move(kind, by=request.user)
    messages.success(request, choice.told(added_text(row)))
    return choice.lead("sender_lists")


@role_required(User.Role.USER)
@require_POST
def sender_rule_remove(request):
    """Off the list; the next page offers to take it back."""
    choice = choice_of(request)
    row = chosen(request, choice)
    row.remove(by=request.user)
    day = row.valid_until.isoformat() if row.valid_until and not row.is_over else ""
    shown = {"shown": str(row), "list": row.get_kind_display(), "query": choice.query}
    request.session[REMOVED] = shown | {"sender": row.sender, "kind": row.kind, "note": row.note, "valid_until": day}
    return choice.lead("sender_lists")


def chosen(request, choice: Choice) -> SenderRule:
    """The entry that a button names: a sender stands on a mailbox's lists once."""
    rows = rows_of(request, choice).select_related("mailbox")
    return get_object_or_404(rows, sender=request.POST.get("sender", "").replace("\0", ""))


@role_required(User.Role.USER)
@require_http_methods(["GET", "HEAD", "POST"])
def sender_rules_many(request):
    """Many senders at once; the answer says what became of each line."""
    choice, bound = choice_of(request), request.method == "POST"
    files = request.FILES if bound else None
    form = SendersForm(request.POST if bound else None, files, owner=choice.mailbox, viewer=request.user)
    if bound and form.is_valid():
        told = {"outcomes": form.outcomes, "counted": counted(form.outcomes), "choice": choice}
        return render(request, "filters/sender_rules_told.html", told)
    context = {"form": form, "choice": choice}
    return render(request, "filters/sender_rules_many.html", context, status=422 if bound else 200)


@role_required(User.Role.USER)
@require_safe
def sender_rules_export(request):
    name = f"{_('Senders')}-{timezone.localdate().isoformat()}.csv"
    return spreadsheet(name, table_head(), table_rows(rows_of(request, choice_of(request))))
