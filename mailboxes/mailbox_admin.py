"""Mailboxes and their people on the DVB's desk."""

from django.contrib import admin, messages
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import formats
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.addresses import display_address
from accounts.admin import shown_time
from accounts.exports import Exported
from accounts.models import CredentialState, User, coverage

from .departure_admin import DepartureRooms
from .forms import FunctionChangeForm, FunctionCreateForm, MailboxChangeForm, MailboxCreateForm, RenameForm
from .list_filters import (
    CredentialFilter,
    FullnessFilter,
    HasFactor,
    KindFilter,
    LeavingFilter,
    LockFilter,
    SearchedByWords,
)
from .models import Mailbox
from .models.mailboxes import MEGABYTE
from .people_admin import PeopleAdmin, factors_shown, lock_shown
from .storage import usage_shown

DVB = User.Role.DVB


def leaving_shown(mailbox: Mailbox) -> str:
    text = gettext("left on %s") if mailbox.has_left else gettext("leaves on %s")
    return text % formats.date_format(mailbox.leaves_on or "", "SHORT_DATE_FORMAT")


class MailboxDesk(Exported, SearchedByWords, DepartureRooms, PeopleAdmin):
    viewers = adders = changers = (DVB,)
    nothing_yet = _("There is no mailbox yet. Add the first one above, or many at once from a CSV file.")
    change_form_template = "admin/mailbox_change_form.html"
    change_list_template = "admin/mailbox_change_list.html"
    person_column = "user"
    export_name = _("Mailboxes")
    list_display = ("address_shown", "name", "state", "second_factor", "storage", "locked")
    list_filter = (KindFilter, CredentialFilter, HasFactor, FullnessFilter, LockFilter, LeavingFilter, "delivery")
    search_fields = ("address__address", "user__name")
    readonly_fields = (
        *("address_shown", "aliases_shown", "used_storage"),
        *("state", "issued", "used", "changed", "expires", "locked"),
    )
    ordering = ("user__sort_key", "pk")

    def get_urls(self):
        return [
            path("<int:pk>/rename/", self.room(self.rename_view), name=self.url_name("rename")),
            *super().get_urls(),
        ]

    def get_queryset(self, request):
        return super().get_queryset(request).with_person().with_usage().annotate(**coverage(self.person_column))

    def in_order(self, rows):
        return rows.by_address() if rows.query.order_by[0].endswith("address__address") else rows

    def changelist_view(self, request, extra_context=None):
        more = {"import_url": reverse(f"{self.admin_site.name}:mailboxes_import_add")}
        return super().changelist_view(request, more | (extra_context or {}))

    def person(self, obj):
        return obj.user

    def history_of(self, obj):
        return [obj, obj.user, obj.address]

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, form=self.form_for(request, obj), **kwargs)
        form.viewer = request.user
        return form

    def form_for(self, request, obj):
        """Whose fields the page shows; the list has a button for each kind of new mailbox."""
        if obj:
            return FunctionChangeForm if obj.user.is_function else MailboxChangeForm
        return FunctionCreateForm if request.GET.get("kind") == "function" else MailboxCreateForm

    def add_view(self, request, form_url="", extra_context=None):
        title = (
            {"title": _("Add a mailbox for a purpose")} if self.form_for(request, None) is FunctionCreateForm else {}
        )
        return super().add_view(request, form_url, (extra_context or {}) | title)

    def get_fieldsets(self, request, obj=None):
        fields = self.form_for(request, obj).field_order
        if obj is None:
            return [(None, {"fields": fields})]
        if obj.user.is_function:
            return [(None, {"fields": ("address_shown", "aliases_shown", "used_storage", *fields, "locked")})]
        times = ("state", "issued", "expires", "used", "changed", "second_factor", "locked")
        return [
            (None, {"fields": ("address_shown", "aliases_shown", "used_storage", *fields)}),
            (_("Credentials"), {"fields": times}),
        ]

    def rename_view(self, request, pk):
        """Another address for the same mailbox: the old one becomes an alias."""
        mailbox = self.own_object(request, pk)
        before = str(mailbox)
        form = RenameForm(request.POST if request.method == "POST" else None, mailbox=mailbox, viewer=request.user)
        if form.is_valid():
            text = _("%(before)s is now %(after)s, and stays as an alias address. Open mail sessions are being ended.")
            self.message_user(request, text % {"before": before, "after": mailbox}, messages.SUCCESS)
            return redirect(self.url("change", pk))
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Change the address of %s") % before,
            "opts": self.opts,
            "mailbox": before,
            "form": form,
            "back": self.url("change", pk),
        }
        return TemplateResponse(request, "mailboxes/desk/rename.html", context, status=422 if form.is_bound else 200)

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""

    def get_readonly_fields(self, request, obj=None):
        return (*self.readonly_fields, "second_factor") if obj else ()

    def for_export(self, rows):
        return rows.with_alias_addresses()

    def exported(self):
        """The first columns are those that an import reads."""
        return {
            gettext("E-mail address"): self.address_shown,
            gettext("Name"): self.name,
            gettext("Language"): lambda row: row.user.language,
            gettext("Storage (MB)"): lambda row: row.storage_mb,
            gettext("Alias addresses"): lambda row: " ".join(map(display_address, row.alias_addresses)),
            gettext("Storage used (MB)"): lambda row: -(-row.used_bytes // MEGABYTE),
            gettext("Credentials"): self.state,
            gettext("Second factor"): self.second_factor,
            gettext("Login"): self.locked,
            gettext("Created"): lambda row: shown_time(row.created_at),
        }

    @admin.display(description=_("e-mail address"), ordering="address__address")
    def address_shown(self, obj):
        return str(obj.address)

    @admin.display(description=_("alias addresses"))
    def aliases_shown(self, obj):
        return ", ".join(str(row.alias) for row in obj.alias_targets.in_force() if row.receives) or "–"

    @admin.display(description=_("name"), ordering="user__sort_key")
    def name(self, obj):
        return obj.user.name

    @admin.display(description=_("credentials"))
    def state(self, obj):
        return gettext("for a purpose") if obj.user.is_function else obj.user.credential_state.label

    @admin.display(description=_("storage"))
    def storage(self, obj):
        return usage_shown(obj.used_bytes, obj.storage_mb)

    @admin.display(description=_("storage used"))
    def used_storage(self, obj):
        return self.storage(obj)

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
        if obj.user.credential_state == CredentialState.IMPORTED:
            return gettext("not yet; brought along on %(time)s") % {"time": shown_time(obj.user.password_imported_at)}
        return shown_time(obj.user.password_changed_at)

    @admin.display(description=_("second factor"))
    def second_factor(self, obj):
        return factors_shown(obj)

    @admin.display(description=_("login"))
    def locked(self, obj):
        state = leaving_shown(obj) if obj.is_leaving and not obj.user.is_locked else lock_shown(obj.user)
        return state if obj.delivery == Mailbox.Delivery.ACCEPT else f"{state}, {obj.get_delivery_display()}"
