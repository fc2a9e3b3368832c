"""Rooms whose rows are people who get credentials: what both sites have in common, and staff's colleagues."""

from functools import partial

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import formats, timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.admin import ScopedAdmin, shown_time
from accounts.forms import PersonForm
from accounts.models import AuditEvent, Factor, StaleCredentials, User, coverage

from .credentials import CHUNK, Ticket, draw, needing_check, read_tickets, recipients, store
from .forms import IdentityForm
from .letters import initialdaten, pdf
from .list_filters import HasFactor

STAFF = User.Role.STAFF


def lock_shown(person: User) -> str:
    return gettext("locked since %s") % shown_time(person.locked_at) if person.is_locked else gettext("possible")


def factors_shown(row) -> str:
    """Which second factors a person has and since when; `row` carries the annotations of `coverage`."""
    if not row.factor_kinds:
        return "–"
    kinds = ", ".join(str(Factor.Kind(kind).label) for kind in row.factor_kinds)
    day = formats.date_format(timezone.localdate(row.factor_since))
    return gettext("%(kinds)s since %(day)s") % {"kinds": kinds, "day": day}


class PeopleAdmin(ScopedAdmin):
    """A room whose rows are people who get credentials and can be locked: `person` says who a row is."""

    change_form_template = "admin/person_change_form.html"
    person_column = "pk"
    fresh_credentials = False
    actions = ("give_credentials", "lock_selected", "unlock_selected")

    def person(self, obj) -> User:
        raise NotImplementedError

    def may_get_credentials(self, viewer) -> QuerySet[User]:
        """Whom the viewer may give credentials in this room, whatever its tickets say."""
        return User.objects.may_get_credentials_from(viewer)

    def get_urls(self):
        own = [
            path(
                "credentials/",
                self.room(self.credentials_view, fresh=self.fresh_credentials),
                name=self.url_name("credentials"),
            ),
            path("<int:pk>/lock/", self.room(self.lock_view), name=self.url_name("lock")),
            path("<int:pk>/unlock/", self.room(self.unlock_view), name=self.url_name("unlock")),
            path("<int:pk>/factors/", self.room(self.factors_view, fresh=True), name=self.url_name("factors")),
        ]
        return own + super().get_urls()

    def own_object(self, request, pk):
        if not self.has_change_permission(request):
            raise PermissionDenied
        return self.shown_object(request, pk)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        obj = self.get_object(request, object_id)
        context = (extra_context or {}) | ({"person": self.person(obj)} if obj else {})
        return super().change_view(request, object_id, form_url, context)

    @admin.action(description=_("Give out credentials"))
    def give_credentials(self, request, queryset):
        people = [self.person(obj) for obj in queryset]
        logging_in = [person for person in people if not person.is_function]
        if len(logging_in) < len(people):
            text = _("Nobody logs in as a mailbox for a purpose, so there are no credentials to give out for it.")
            self.message_user(request, text, messages.WARNING)
        return self.confirm_credentials(request, logging_in) if logging_in else None

    @admin.action(description=_("Lock"))
    def lock_selected(self, request, queryset):
        self.do_to_people(request, queryset, partial(User.lock, by=request.user))

    @admin.action(description=_("Unlock"))
    def unlock_selected(self, request, queryset):
        self.do_to_people(request, queryset, partial(User.unlock, by=request.user))

    def do_to_people(self, request, queryset, verb):
        people = [self.person(obj) for obj in queryset]
        for person in people:
            verb(person)
        text = ngettext("%d person was changed.", "%d people were changed.", len(people)) % len(people)
        self.message_user(request, text, messages.SUCCESS)

    def lock_view(self, request, pk):
        reason = request.POST.get("reason", "").replace("\0", "")[:200]
        return self.change_lock(request, pk, lambda person: person.lock(by=request.user, reason=reason))

    def unlock_view(self, request, pk):
        return self.change_lock(request, pk, lambda person: person.unlock(by=request.user))

    def change_lock(self, request, pk, verb):
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        person = self.person(self.own_object(request, pk))
        verb(person)
        text = (
            _("%s is locked. Open mail sessions are being ended; mail is still received.")
            if person.is_locked
            else _("%s may log in again.")
        )
        self.message_user(request, text % person, messages.SUCCESS)
        return redirect(self.url("change", pk))

    def factors_view(self, request, pk):
        """For somebody who lost phone and key: all second factors go, once it is put on record who asked."""
        person = self.person(self.own_object(request, pk))
        if person.role == STAFF:
            raise PermissionDenied
        if not person.factors.exists():
            self.message_user(request, _("%s has no second factor.") % person, messages.WARNING)
            return redirect(self.url("change", pk))
        form = IdentityForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            person.ask_factor_removal(by=request.user, check=form.cleaned_data)
            later, done = _("The second factors of %s will be removed."), _("%s has no second factor any more.")
            text = later if person.factors_end_at else done
            self.message_user(request, text % person, messages.SUCCESS)
            return redirect(self.url("change", pk))
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Remove second factors"),
            "opts": self.opts,
            "person": person,
            "form": form,
            "back": self.url("change", pk),
        }
        return TemplateResponse(request, "mailboxes/desk/factors.html", context, status=422 if form.is_bound else 200)

    def confirm_credentials(self, request, people, faulty=None):
        needing = needing_check(people)
        tickets = [(person, Ticket(person.pk, person.initial_issues).sign(request.user)) for person in people]
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Give out credentials"),
            "opts": self.opts,
            "action_url": self.url("credentials"),
            "chunks": [
                (tickets[start : start + CHUNK], faulty or IdentityForm(auto_id=f"id_%s_{start}"))
                for start in range(0, len(tickets), CHUNK)
            ],
            "people": people,
            "needing": needing,
        }
        return TemplateResponse(request, "mailboxes/desk/issue_confirm.html", context, status=422 if faulty else 200)

    @sensitive_variables()
    @transaction.non_atomic_requests
    def credentials_view(self, request):
        """POST the confirmed tickets; the answer itself holds the passwords, as page or as PDF, this once."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method == "GET" and request.GET.get("id", "").isdigit():
            return self.confirm_credentials(request, [self.person(self.own_object(request, request.GET["id"]))])
        if request.method != "POST":
            return redirect(self.url("changelist"))
        try:
            tickets = read_tickets(request.POST.getlist("person"), request.user)
            people = recipients(tickets, self.may_get_credentials(request.user))
            check = IdentityForm(request.POST) if needing_check(people) else None
            if check and not check.is_valid():
                return self.confirm_credentials(request, list(people), check)
            credentials = draw(tickets, self.may_get_credentials(request.user))
            answer = self.letter_answer if request.POST.get("output") == "letter" else self.screen_answer
            response = answer(request, credentials)
            store(credentials, by=request.user, check=check and check.cleaned_data | {"checked_by": str(request.user)})
        except StaleCredentials:
            return render(request, "409.html", status=409)
        return response

    def letter_answer(self, request, credentials):
        headers = {"Content-Disposition": 'attachment; filename="Initialdaten.pdf"', "Cache-Control": "no-store"}
        return HttpResponse(pdf(initialdaten(credentials)), content_type="application/pdf", headers=headers)

    def screen_answer(self, request, credentials):
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Credentials"),
            "opts": self.opts,
            "rows": initialdaten(credentials),
        }
        return render(request, "mailboxes/desk/credentials.html", context)


class ColleagueAdmin(PeopleAdmin):
    """Staff's room for everybody who logs in under KundenServiceCenter."""

    adders = changers = (STAFF,)
    nothing_yet = _("Nobody is entered yet. Add a customer's mail administrator (DVB) above and give out credentials.")
    fresh_credentials = True
    form = PersonForm
    list_display = ("address", "name", "role", "tenant", "state", "second_factor", "valid_until", "locked")
    list_select_related = ("tenant",)
    list_filter = ("role", HasFactor)
    search_fields = ("address", "name", "tenant__name")
    autocomplete_fields = ("tenant",)

    def person(self, obj):
        return obj

    def get_queryset(self, request):
        return super().get_queryset(request).colleagues().annotate(**coverage(self.person_column))

    def get_readonly_fields(self, request, obj=None):
        return (
            (
                "address",
                "role",
                "tenant",
                "state",
                "initial_issued_at",
                "initial_expires_at",
                "second_factor",
                "locked",
            )
            if obj
            else ()
        )

    def save_model(self, request, obj, form, change):
        if not change:
            obj.set_unusable_password()
        self.save_form_of(obj, form, change)
        deed = AuditEvent.Deed.CHANGED if change else AuditEvent.Deed.CREATED
        AuditEvent.objects.record_form(deed, obj, form, by=request.user)

    @admin.display(description=_("credentials"))
    def state(self, obj):
        return obj.credential_state.label

    @admin.display(description=_("second factor"))
    def second_factor(self, obj):
        return factors_shown(obj)

    @admin.display(description=_("login"))
    def locked(self, obj):
        return lock_shown(obj)
