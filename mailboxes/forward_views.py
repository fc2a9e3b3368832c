"""Weiterleitungen: the list, each change of it, and the page for the owner of an address elsewhere."""

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import fresh_login_required, role_required, secret_link
from accounts.models import User
from accounts.wall import everybody

from .forward_forms import ForwardDaysForm, ForwardNewForm
from .forward_links import linked_forward
from .models import Forward, ForwardRefusal, Mailbox
from .views import own_mailbox

PAGE = ["GET", "HEAD", "POST"]
WAITING = {
    Forward.State.UNAPPROVED: gettext_lazy(
        "The forward to %s is requested. Nothing is sent on before your mail administrator (DVB) has approved it."
    ),
    Forward.State.UNCONFIRMED: gettext_lazy(
        "The forward to %s is requested. Nothing is sent on before the address's owner has followed the link we mail."
    ),
}
SWITCH = {"on": True, "off": False}


def own_page(view):
    """A page that changes forwards: for a mailbox's owner, who has just shown who they are."""
    return role_required(User.Role.USER)(fresh_login_required(require_http_methods(PAGE)(view)))


def own_forward(request, public_id):
    return get_object_or_404(Forward.objects.visible_to(request.user).with_state(), public_id=public_id)


@role_required(User.Role.USER)
@require_safe
def forwards(request):
    mailbox = own_mailbox(request, Mailbox.objects.select_related("tenant"))
    rows = list(Forward.objects.visible_to(request.user).with_state())
    context = {
        "mailbox": mailbox,
        "rows": rows,
        "held": [row for row in rows if row.state == Forward.State.HELD],
        "rule": mailbox.tenant.forwards_outside,
    }
    return render(request, "mailboxes/forwards.html", context)


def tell_start(request, forward):
    """That a new forward is set up, or who has to agree before anything is sent on."""
    if text := WAITING.get(own_forward(request, forward.public_id).state):
        messages.warning(request, text % forward)
    else:
        messages.success(request, _("The forward to %s is set up. We have sent you an e-mail about it.") % forward)


@own_page
def forward_new(request):
    mailbox = own_mailbox(request, Mailbox.objects.select_related("tenant"))
    bound = request.method == "POST"
    form = ForwardNewForm(request.POST if bound else None, mailbox=mailbox, viewer=request.user)
    if bound and form.is_valid():
        tell_start(request, form.forward)
        return redirect("forwards")
    context = {"form": form, "mailbox": mailbox, "rule": mailbox.tenant.forwards_outside}
    return render(request, "mailboxes/forward_new.html", context, status=422 if bound else 200)


@own_page
def forward_change(request, public_id):
    forward, bound = own_forward(request, public_id), request.method == "POST"
    form = ForwardDaysForm(request.POST if bound else None, forward=forward, viewer=request.user)
    if bound and form.is_valid():
        messages.success(request, _("The forward to %s is changed.") % forward)
        return redirect("forwards")
    context = {"form": form, "forward": forward}
    return render(request, "mailboxes/forward_change.html", context, status=422 if bound else 200)


@own_page
def forward_end(request, public_id):
    """Asked first; then it is gone."""
    forward = own_forward(request, public_id)
    if request.method != "POST":
        return render(request, "mailboxes/forward_end.html", {"forward": forward})
    forward.end(by=request.user)
    messages.success(request, _("Nothing is sent on to %s any more.") % forward)
    return redirect("forwards")


@own_page
def forward_switch(request, public_id):
    """On or off as the button says, so that a second click undoes nothing."""
    forward = own_forward(request, public_id)
    if request.method != "POST":
        return redirect("forwards")
    if request.POST.get("to") not in SWITCH:
        raise BadRequest("neither on nor off")
    on = SWITCH[request.POST["to"]]
    text = _("The forward to %s is switched on.") if on else _("The forward to %s is switched off.")
    return done(request, lambda: forward.switch(on, by=request.user), text % forward)


@own_page
def forward_release(request, public_id):
    """A forward that is held since a new password goes on."""
    forward = own_forward(request, public_id)
    if forward.held_at is None:
        return redirect("forwards")
    return done(request, lambda: forward.release(by=request.user), _("Mail is sent on to %s again.") % forward)


@own_page
def forward_mail_link(request, public_id):
    """Have the link that confirms an address mailed once more."""
    forward = own_forward(request, public_id)
    if forward.state != Forward.State.UNCONFIRMED:
        return redirect("forwards")
    return done(request, forward.mail_link, _("A new link is on its way to %s.") % forward)


@own_page
def forward_copy(request):
    """Whether mail that is sent on stays in the mailbox, too."""
    keeps, mailbox = request.POST.get("keeps_copy") == "on", own_mailbox(request)
    text = _("A copy stays in your mailbox.") if keeps else _("No copy stays in your mailbox.")
    return done(request, lambda: mailbox.keep_copy(keeps, by=request.user), text)


def done(request, deed, text):
    """Do what a button asks for and say on the list what came of it; who only looks is led there."""
    if request.method == "POST":
        try:
            deed()
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, text)
    return redirect("forwards")


@secret_link
@require_http_methods(PAGE)
def forward_link(request, token):
    """The link from the e-mail to an address elsewhere: its owner agrees, declines, or is never asked again."""
    forward = linked_forward(token)
    if forward is None:
        return render(request, "mailboxes/forward_link_dead.html", status=410)
    context = {"forward": forward, "customer": forward.mailbox.user.tenant.name}
    if request.method != "POST":
        return render(request, "mailboxes/forward_link.html", context)
    answer = request.POST.get("answer")
    answers = {"confirm": forward.confirm, "decline": forward.decline, "never": lambda: never_again(forward.target)}
    if answer not in answers:
        return render(request, "mailboxes/forward_link.html", context, status=422)
    try:
        answers[answer]()
    except ValidationError:
        return render(request, "mailboxes/forward_link_dead.html", status=410)
    return render(request, "mailboxes/forward_link_answered.html", context | {"answer": answer})


def never_again(target):
    """What leads to this address ends, of whatever tenant."""
    with everybody():
        ForwardRefusal.objects.refuse(target)
