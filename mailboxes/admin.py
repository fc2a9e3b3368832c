"""The rooms of mailboxes in the DVB's desk and the staff admin."""

from functools import partial, reduce

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.access import fresh_login_required
from accounts.admin import ScopedAdmin, shown_time
from accounts.forms import PersonForm
from accounts.models import AuditEvent, Factor, StaleCredentials, User, coverage

from .credentials import CHUNK, Ticket, draw, needing_check, read_tickets, recipients, store
from .dnsrecords import setup_records
from .forms import AliasCreateForm, DomainCreateForm, IdentityForm, MailboxChangeForm, MailboxCreateForm
from .letters import initialdaten, pdf
from .setup import setup_for

MOST_WORDS = 5
STAFF, DVB, DSB = User.Role.STAFF, User.Role.DVB, User.Role.DSB


def lock_shown(person: User) -> str:
    return gettext("locked since %s") % shown_time(person.locked_at) if person.is_locked else gettext("possible")


def factors_shown(row) -> str:
    """Which second factors a person has and since when; `row` carries the annotations of `coverage`."""
    if not row.factor_kinds:
        return "–"
    kinds = ", ".join(str(Factor.Kind(kind).label) for kind in row.factor_kinds)
    day = formats.date_format(timezone.localdate(row.factor_since))
    return gettext("%(kinds)s since %(day)s") % {"kinds": kinds, "day": day}


class HasFactor(admin.SimpleListFilter):
    title = _("second factor")
    parameter_name = "factor"

    def __init__(self, request, params, model, model_admin):
        self.person_column = model_admin.person_column
        super().__init__(request, params, model, model_admin)

    def lookups(self, request, model_admin):
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request, queryset):
        if self.value() not in ("yes", "no"):
            return queryset
        having = Factor.objects.devices().filter(user=OuterRef(self.person_column))
        return queryset.filter(Exists(having) if self.value() == "yes" else ~Exists(having))


class PeopleAdmin(ScopedAdmin):
    """A room whose rows are people who get credentials and can be locked: `person` says who a row is."""

    change_form_template = "admin/person_change_form.html"
    person_column = "pk"
    fresh_credentials = False
    actions = ("give_credentials", "lock_selected", "unlock_selected")

    def person(self, obj) -> User:
        raise NotImplementedError

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

    def room(self, view, *, fresh=False):
        """`fresh`: for what takes an account over, who asks shows password and second factor once more."""
        return self.admin_site.admin_view(fresh_login_required(view) if fresh else view)

    def url_name(self, deed):
        return f"{self.opts.app_label}_{self.opts.model_name}_{deed}"

    def url(self, deed, *args):
        return reverse(f"{self.admin_site.name}:{self.url_name(deed)}", args=args)

    def own_object(self, request, pk):
        if not self.has_change_permission(request):
            raise PermissionDenied
        obj = self.get_object(request, str(pk))
        if obj is None:
            raise Http404
        return obj

    def change_view(self, request, object_id, form_url="", extra_context=None):
        obj = self.get_object(request, object_id)
        context = (extra_context or {}) | ({"person": self.person(obj)} if obj else {})
        return super().change_view(request, object_id, form_url, context)

    @admin.action(description=_("Give out credentials"))
    def give_credentials(self, request, queryset):
        return self.confirm_credentials(request, [self.person(obj) for obj in queryset])

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
            people = recipients(tickets, request.user)
            check = IdentityForm(request.POST) if needing_check(people) else None
            if check and not check.is_valid():
                return self.confirm_credentials(request, list(people), check)
            credentials = draw(tickets, request.user)
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


class MailboxDesk(PeopleAdmin):
    viewers = adders = changers = (DVB,)
    person_column = "user"
    list_display = ("address_shown", "name", "state", "second_factor", "locked")
    list_filter = (HasFactor, "delivery")
    search_fields = ("address__address", "user__name")
    readonly_fields = ("address_shown", "aliases_shown", "state", "issued", "used", "changed", "expires", "locked")
    ordering = ("user__sort_key", "pk")

    def get_queryset(self, request):
        return super().get_queryset(request).with_person().annotate(**coverage(self.person_column))

    def get_search_results(self, request, queryset, search_term):
        return reduce(type(queryset).matching, search_term.split()[:MOST_WORDS], queryset), False

    def person(self, obj):
        return obj.user

    def history_of(self, obj):
        return [obj, obj.user, obj.address]

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, form=MailboxChangeForm if obj else MailboxCreateForm, **kwargs)
        form.viewer = request.user
        return form

    def get_fieldsets(self, request, obj=None):
        if obj is None:
            return [(None, {"fields": MailboxCreateForm.field_order})]
        times = ("state", "issued", "expires", "used", "changed", "second_factor", "locked")
        return [
            (None, {"fields": ("address_shown", "aliases_shown", *MailboxChangeForm.field_order)}),
            (_("Credentials"), {"fields": times}),
        ]

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""

    def get_readonly_fields(self, request, obj=None):
        return (*self.readonly_fields, "second_factor") if obj else ()

    @admin.display(description=_("e-mail address"), ordering="address__address")
    def address_shown(self, obj):
        return str(obj.address)

    @admin.display(description=_("alias addresses"))
    def aliases_shown(self, obj):
        return ", ".join(str(alias) for alias in obj.aliases.select_related("address")) or "–"

    @admin.display(description=_("name"), ordering="user__sort_key")
    def name(self, obj):
        return obj.user.name

    @admin.display(description=_("credentials"))
    def state(self, obj):
        return obj.user.credential_state.label

    @admin.display(description=_("given out on"))
    def issued(self, obj):
        return shown_time(obj.user.initial_issued_at)

    @admin.display(description=_("initial password valid until"))
    def expires(self, obj):
        return shown_time(obj.user.initial_expires_at)

    @admin.display(description=_("first login"))
    def used(self, obj):
        return shown_time(obj.user.initial_used_at)

    @admin.display(description=_("last password change"))
    def changed(self, obj):
        return shown_time(obj.user.password_changed_at)

    @admin.display(description=_("second factor"))
    def second_factor(self, obj):
        return factors_shown(obj)

    @admin.display(description=_("login"))
    def locked(self, obj):
        return lock_shown(obj.user)


class AliasDesk(ScopedAdmin):
    viewers = adders = removers = (DVB,)
    list_display = ("address", "mailbox", "created_at")
    list_select_related = ("address", "mailbox__address")
    search_fields = ("address__address", "mailbox__address__address")
    autocomplete_fields = ("mailbox",)
    ordering = ("address__address",)

    def get_search_results(self, request, queryset, search_term):
        return reduce(type(queryset).matching, search_term.split()[:MOST_WORDS], queryset), False

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is None:
            kwargs["form"] = AliasCreateForm
        form = super().get_form(request, obj, change, **kwargs)
        form.viewer = request.user
        return form

    def get_fields(self, request, obj=None):
        return ("address", "mailbox") if obj else AliasCreateForm.field_order

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""

    def delete_model(self, request, obj):
        obj.close(by=request.user)


class DomainDesk(ScopedAdmin):
    viewers = (DVB,)
    list_display = ("name_shown", "created_at")
    fields = ("name_shown", "created_at", "records")

    @admin.display(description=_("domain"), ordering="name")
    def name_shown(self, obj):
        return str(obj)

    @admin.display(description=_("DNS records for mail programs"))
    def records(self, obj):
        setup = setup_for(obj.name)
        if setup is None:
            return _("The server addresses are not entered yet. Please ask our support.")
        hint = _("With these in your domain's zone, mail programs find their servers by themselves.")
        lines = "\n".join(map(str, setup_records(setup)))
        return format_html('<p class="help">{}</p><pre class="records" tabindex="0">{}</pre>', hint, lines)


class DomainAdmin(ScopedAdmin):
    adders = (STAFF,)
    list_display = ("name", "tenant", "created_at")
    list_select_related = ("tenant",)
    list_filter = ("tenant",)
    search_fields = ("name", "tenant__name")
    autocomplete_fields = ("tenant",)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, form=DomainCreateForm, **kwargs)
        form.viewer = request.user
        return form

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""


class ColleagueAdmin(PeopleAdmin):
    """Staff's room for everybody who logs in under KundenServiceCenter."""

    adders = changers = (STAFF,)
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


class ServerAddressAdmin(ScopedAdmin):
    adders = changers = removers = (STAFF,)
    list_display = ("protocol", "host", "port", "encryption", "tenant")
    list_select_related = ("tenant",)
    autocomplete_fields = ("tenant",)

    def save_model(self, request, obj, form, change):
        self.save_form_of(obj, form, change)
        deed = AuditEvent.Deed.CHANGED if change else AuditEvent.Deed.CREATED
        AuditEvent.objects.record_form(deed, obj, form, by=request.user)

    def delete_model(self, request, obj):
        AuditEvent.objects.record(AuditEvent.Deed.DELETED, obj, by=request.user)
        obj.delete()
