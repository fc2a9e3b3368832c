"""What both admin sites have in common, and the rooms of tenants, people and the audit trail."""

from datetime import datetime, timedelta

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import models
from django.http import Http404
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .access import fresh_login_required, role_required
from .change_lists import PagedChangeList
from .exports import Exported
from .forms import PolicyForm, TenantForm
from .models import AuditEvent, Installation, User
from .pages import BoundedPaginator
from .trail_words import ROLES, details, role_of

# How long before its end a contract is looked at.
SOON = timedelta(days=90)
# Django's text, which its catalogues translate.
SELECT_ROW = "Select this object for an action - {}"


class PortalAdminSite(admin.AdminSite):
    """An admin site for some roles only; people log in by the portal's own page."""

    roles: tuple[str, ...] = ()
    # In which order their rooms stand on the start page.
    apps: tuple[str, ...] = ()
    enable_nav_sidebar = False

    def has_permission(self, request):
        return request.user.is_authenticated and request.user.role in self.roles and request.user.is_verified()

    def admin_view(self, view, cacheable=False):
        return role_required(*self.roles)(super().admin_view(view, cacheable))

    def get_urls(self):
        """Without the detour from any object to its public page: there are none."""
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

    def get_app_list(self, request, app_label=None):
        return sorted(super().get_app_list(request, app_label), key=lambda app: self.apps.index(app["app_label"]))

    def login(self, request, extra_context=None):
        """The portal's own login page, and back from there to the page that was asked for."""
        wanted = request.GET.get(REDIRECT_FIELD_NAME, "")
        return redirect(reverse("login", query={REDIRECT_FIELD_NAME: wanted} if wanted else None))

    def password_change(self, request, extra_context=None):
        return redirect("password_change")

    def password_change_done(self, request, extra_context=None):
        return redirect("password_changed")

    def logout(self, request, extra_context=None):
        return redirect("start")


class ScopedAdmin(admin.ModelAdmin):
    """A ModelAdmin behind the tenant wall: rows, choices, look-ups and rights follow the viewer.

    Rights are the roles in `viewers`, `adders`, `changers` and `removers`. Deeds are written by model verbs
    into the audit trail, so Django's LogEntry is off and the history page reads the trail.
    """

    viewers: tuple[str, ...] = (User.Role.STAFF,)
    adders: tuple[str, ...] = ()
    changers: tuple[str, ...] = ()
    removers: tuple[str, ...] = ()
    # What would be in the list, and how the first one gets there.
    nothing_yet = ""
    # What its rows are called where the list itself is called otherwise.
    rows_called = ""
    # As browsers offer it: their own calendar.
    formfield_overrides = {models.DateField: {"widget": forms.DateInput({"type": "date"}, "%Y-%m-%d")}}
    actions = None
    list_per_page = 50
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    view_on_site = False

    def get_queryset(self, request):
        return super().get_queryset(request).visible_to(request.user)

    def get_changelist(self, request, **kwargs):
        return PagedChangeList

    def in_order(self, rows):
        """The list's rows, which are in their order already: what is said here of them leads to an index for it."""
        return rows

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        kwargs["queryset"] = db_field.related_model.objects.visible_to(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changelist_view(self, request, extra_context=None):
        """Named by what it lists, whatever may be done there; an empty list says what would be in it."""
        said = {"title": capfirst(self.opts.verbose_name_plural), "nothing_yet": self.nothing_yet}
        return super().changelist_view(request, said | (extra_context or {}))

    def has_view_permission(self, request, obj=None):
        return self._allowed(request, self.viewers)

    def has_add_permission(self, request):
        return self._allowed(request, self.adders)

    def has_change_permission(self, request, obj=None):
        return self._allowed(request, self.changers)

    def has_delete_permission(self, request, obj=None):
        return self._allowed(request, self.removers)

    def has_module_permission(self, request):
        return self.has_view_permission(request)

    def lookup_allowed(self, lookup, value, request):
        """Only the filters that the page offers: any other look-up could be asked about secret columns."""
        filters = self.get_list_filter(request)
        offered = {one if isinstance(one, str) else one.parameter_name for one in filters}
        return any(lookup in (name, f"{name}__exact", f"{name}__id__exact") for name in offered)

    def log_addition(self, request, obj, message):
        """The model verb has written it into the audit trail."""

    def log_change(self, request, obj, message):
        """The model verb has written it into the audit trail."""

    def log_deletions(self, request, queryset):
        """The model verb has written it into the audit trail."""

    def room(self, view, *, fresh=False):
        """`fresh`: for what takes an account over, who asks shows password and second factor once more."""
        return self.admin_site.admin_view(fresh_login_required(view) if fresh else view)

    def url_name(self, deed):
        return f"{self.opts.app_label}_{self.opts.model_name}_{deed}"

    def url(self, deed, *args):
        return reverse(f"{self.admin_site.name}:{self.url_name(deed)}", args=args)

    def shown_object(self, request, pk):
        """The object of a page of our own, for whoever may see such objects."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        obj = self.get_object(request, str(pk))
        if obj is None:
            raise Http404
        return obj

    def save_form_of(self, obj, form, change):
        """Write what the form has changed and no other column: somebody else may have changed those meanwhile."""
        own = {field.name for field in self.opts.concrete_fields}
        obj.save(update_fields=own.intersection(form.changed_data) if change else None)

    def history_view(self, request, object_id, extra_context=None):
        obj = self.get_object(request, object_id)
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        events = list(AuditEvent.objects.visible_to(request.user).about(*self.history_of(obj))[:200])
        for event in events:
            event.details = details(event)
        context = self.admin_site.each_context(request) | {
            "title": _("History: %s") % obj,
            "opts": self.opts,
            "object": obj,
            "events": events,
        }
        return TemplateResponse(request, "admin/object_history.html", context)

    def history_of(self, obj) -> list:
        """The objects whose deeds the history page of `obj` shows."""
        return [obj]

    def get_changeform_initial_data(self, request):
        """Values for a new form from the address line: what is no id does not reach a relation."""
        found = super().get_changeform_initial_data(request)
        relations = {field.name for field in self.opts.get_fields() if field.is_relation}
        return {name: value for name, value in found.items() if name not in relations or str(value).isdecimal()}

    def action_checkbox(self, obj):
        """The box before each row, as Django's own, but without three templates for each of them."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            gettext(SELECT_ROW).format(obj),
        )

    def response_action(self, request, queryset):
        if not all(value.isdecimal() for value in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("an id is a number")
        return super().response_action(request, queryset)

    def _allowed(self, request, roles):
        return request.user.is_authenticated and request.user.role in roles


def shown_time(when: datetime | None) -> str:
    """A moment as people read it, for the read-only lines of a form."""
    return formats.date_format(timezone.localtime(when), "SHORT_DATETIME_FORMAT") if when else "–"


class ContractFilter(admin.SimpleListFilter):
    title = _("contract")
    parameter_name = "contract"

    def lookups(self, request, model_admin):
        return [
            ("ending", _("ends within 90 days")),
            ("cancelled", _("cancelled")),
            ("over", _("is over")),
        ]

    def queryset(self, request, queryset):
        words = {
            "ending": lambda: queryset.ending(SOON),
            "cancelled": queryset.cancelled,
            "over": queryset.over,
        }
        return words[self.value()]() if self.value() in words else queryset


class TenantAdmin(ScopedAdmin):
    adders = changers = (User.Role.STAFF,)
    nothing_yet = _(
        "There is no customer yet. Add the first one above, then the DVB under “People”, then the domains."
    )
    form = TenantForm
    list_display = ("name", "customer_number", "status", "contract_number", "contract", "max_mailboxes")
    list_filter = ("status", ContractFilter)
    search_fields = ("name", "customer_number", "contract_number", "contact_name")
    readonly_fields = ("status", "created_at")
    fieldsets = (
        (None, {"fields": ("customer_number", "name", "status", "created_at")}),
        (
            _("Contract"),
            {
                "fields": (
                    *("contract_number", "contract_from", "contract_until", "cancelled_on"),
                    *("contact_name", "contact_email", "contact_phone", "remark"),
                )
            },
        ),
        (_("Limits"), {"fields": ("max_domains", "max_mailboxes", "max_aliases", "max_storage_mb")}),
        (_("Forwards"), {"fields": ("max_forwards", "forwards_outside")}),
        (
            _("Logins"),
            {
                "fields": (
                    *("initial_password_days", "password_rule", "second_factor", "second_factor_from"),
                    *("factor_removal_hours", "app_passwords_from"),
                )
            },
        ),
        (
            _("Support and look"),
            {"fields": ("support_email", "support_phone", "accent", "logo", "remove_logo")},
        ),
    )
    actions = ("suspend", "resume")

    def save_model(self, request, obj, form, change):
        self.save_form_of(obj, form, change)
        form.save_logo()
        obj.settle_policy(form.changed_data)
        deed = AuditEvent.Deed.CHANGED if change else AuditEvent.Deed.CREATED
        # The customer's DVB and DSB read the trail.
        AuditEvent.objects.record_form(deed, obj, form, by=request.user, tenant=obj, unsaid=("remark",))

    @admin.display(description=_("contract"), ordering="contract_until")
    def contract(self, obj):
        if obj.contract_until is None:
            return gettext("without end") if obj.contract_from or obj.contract_number else "–"
        day = formats.date_format(obj.contract_until, "SHORT_DATE_FORMAT")
        text = gettext("cancelled, until %s") if obj.cancelled_on else gettext("until %s")
        return (gettext("ended on %s") if obj.contract_is_over else text) % day

    @admin.action(description=_("Suspend selected tenants"))
    def suspend(self, request, queryset):
        for tenant in queryset:
            tenant.suspend(by=request.user)

    @admin.action(description=_("Resume selected tenants"))
    def resume(self, request, queryset):
        for tenant in queryset:
            tenant.resume(by=request.user)


class PolicyDesk(ScopedAdmin):
    """What a DVB decides for the whole organisation."""

    viewers = changers = (User.Role.DVB,)
    form = PolicyForm
    fields = (
        *("second_factor", "second_factor_from", "factor_removal_hours", "app_passwords_from"),
        "forwards_outside",
    )

    def save_model(self, request, obj, form, change):
        self.save_form_of(obj, form, change)
        obj.settle_policy(form.changed_data)
        AuditEvent.objects.record_form(AuditEvent.Deed.CHANGED, obj, form, by=request.user, tenant=obj)

    def changelist_view(self, request, extra_context=None):
        """There is one, so nobody has to pick it from a list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect(f"{self.admin_site.name}:accounts_policy_change", request.user.tenant_id)


class InstallationAdmin(ScopedAdmin):
    changers = (User.Role.STAFF,)
    nothing_yet = _("Nothing is entered yet. Add the provider's name, the support contact and the imprint above.")

    def has_add_permission(self, request):
        return self._allowed(request, (User.Role.STAFF,)) and not Installation.objects.exists()

    def save_model(self, request, obj, form, change):
        self.save_form_of(obj, form, change)
        AuditEvent.objects.record_form(AuditEvent.Deed.CHANGED, obj, form, by=request.user)


class PeriodFilter(admin.SimpleListFilter):
    title = _("time")
    parameter_name = "days"

    def lookups(self, request, model_admin):
        return [("1", _("last 24 hours")), ("7", _("last 7 days")), ("30", _("last 30 days")), ("365", _("last year"))]

    def queryset(self, request, queryset):
        if self.value() not in ("1", "7", "30", "365"):
            return queryset
        return queryset.filter(at__gte=timezone.now() - timedelta(days=int(self.value())))


class RoleFilter(admin.SimpleListFilter):
    title = _("role")
    parameter_name = "role"

    def lookups(self, request, model_admin):
        return list(ROLES.items())

    def queryset(self, request, queryset):
        return queryset.filter(actor_role=self.value()) if self.value() in ROLES else queryset


class AuditEventAdmin(Exported, ScopedAdmin):
    export_name = _("audit trail")
    rows_called = _("entries")
    nothing_yet = _("Nothing has been put on record yet.")
    viewers = (User.Role.STAFF, User.Role.DVB, User.Role.DSB)
    list_display = ("time", "who", "deed", "object_label", "changes")
    list_filter = (PeriodFilter, RoleFilter, "deed")
    search_fields = ("object_label", "actor_label")
    fields = ("at", "actor_label", "role", "deed", "object_label", "changes")

    def exported(self):
        return {
            gettext("Time"): lambda event: shown_time(event.at),
            gettext("Who"): lambda event: event.actor_label,
            gettext("Role"): role_of,
            gettext("Deed"): lambda event: event.get_deed_display(),
            gettext("Object"): lambda event: event.object_label,
            gettext("Changes"): lambda event: "; ".join(map(str, details(event))),
        }

    @admin.display(description=_("time"), ordering="at")
    def time(self, obj):
        return shown_time(obj.at)

    @admin.display(description=_("who"), ordering="actor_label")
    def who(self, obj):
        return format_html('{}<div class="help">{}</div>', obj.actor_label or "–", role_of(obj))

    @admin.display(description=_("role"))
    def role(self, obj):
        return role_of(obj)

    @admin.display(description=_("changes"))
    def changes(self, obj):
        return "; ".join(map(str, details(obj))) or "–"
