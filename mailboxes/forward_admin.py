"""Forwards on the DVB's desk: whose mail goes where, what waits for approval, and what leaves the house."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import formats
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.access import fresh_login_required
from accounts.admin import ScopedAdmin, shown_time
from accounts.exports import Exported
from accounts.models import User

from .forward_forms import ForwardChangeForm, ForwardCreateForm
from .list_filters import SearchedByWords
from .models import Forward

DVB, DSB, STAFF = User.Role.DVB, User.Role.DSB, User.Role.STAFF


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return Forward.State.choices

    def queryset(self, request, queryset):
        if self.value() == Forward.State.UNAPPROVED:
            return queryset.waiting_for_approval()
        return queryset.filter(state=self.value()) if self.value() in Forward.State.values else queryset


class HouseFilter(admin.SimpleListFilter):
    title = _("target address")
    parameter_name = "outside"

    def lookups(self, request, model_admin):
        return [("yes", _("outside the house")), ("no", _("in our own domains"))]

    def queryset(self, request, queryset):
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(is_outside=self.value() == "yes")


class ForwardRoom(Exported, SearchedByWords, ScopedAdmin):
    """What both lists of forwards say of each."""

    list_display = ("target_shown", "mailbox_shown", "name", "state_text")
    list_display_links = ("target_shown",)
    list_filter: tuple = (StateFilter,)
    search_fields = ("target",)
    ordering = ("mailbox__address__address", "target", "pk")

    def get_queryset(self, request):
        return super().get_queryset(request).with_state()

    def history_of(self, obj):
        return [obj.mailbox]

    def exported(self):
        return {
            gettext("Mailbox"): self.mailbox_shown,
            gettext("Name"): self.name,
            gettext("Target address"): str,
            gettext("State"): self.state_text,
            gettext("First day"): lambda row: day_shown(row.valid_from),
            gettext("Last day"): lambda row: day_shown(row.valid_until),
            gettext("Copy in the mailbox"): self.copy,
            gettext("Confirmed"): lambda row: shown_time(row.confirmed_at),
            gettext("Approved"): lambda row: shown_time(row.approved_at),
            gettext("Created"): lambda row: shown_time(row.created_at),
        }

    @admin.display(description=_("target address"), ordering="target")
    def target_shown(self, obj):
        return str(obj)

    @admin.display(description=_("mailbox"), ordering="mailbox__address__address")
    def mailbox_shown(self, obj):
        return str(obj.mailbox)

    @admin.display(description=_("name"), ordering="mailbox__user__sort_key")
    def name(self, obj):
        return obj.mailbox.user.name

    @admin.display(description=_("state"))
    def state_text(self, obj):
        return obj.state_shown

    @admin.display(description=_("copy in the mailbox"))
    def copy(self, obj):
        return gettext("yes") if obj.mailbox.keeps_copy else gettext("no")


def day_shown(day) -> str:
    return formats.date_format(day) if day else ""


fresh = method_decorator(fresh_login_required)


class ForwardDesk(ForwardRoom):
    viewers = adders = changers = removers = (DVB,)
    nothing_yet = _("No mail is sent on. Add a forward above, or people do it in the portal under “Forwarding”.")
    export_name = _("Forwards")
    change_form_template = "admin/forward_change_form.html"
    list_filter = (StateFilter, HouseFilter)
    readonly_fields = ("target_shown", "mailbox_shown", "state_text", "created_at", "confirmed_at", "approved_at")

    def get_urls(self):
        own = [
            path("<int:pk>/decide/", self.room(self.decide_view, fresh=True), name=self.url_name("decide")),
            path("<int:pk>/link/", self.room(self.link_view), name=self.url_name("link")),
        ]
        return own + super().get_urls()

    def get_form(self, request, obj=None, change=False, **kwargs):
        kwargs["form"] = ForwardChangeForm if obj else ForwardCreateForm
        form = super().get_form(request, obj, change, **kwargs)
        form.viewer = request.user
        return form

    def get_fields(self, request, obj=None):
        return (*self.readonly_fields, *ForwardChangeForm.field_order) if obj else ForwardCreateForm.field_order

    def get_changeform_initial_data(self, request):
        return {}

    @fresh
    def add_view(self, request, form_url="", extra_context=None):
        return super().add_view(request, form_url, extra_context)

    @fresh
    def change_view(self, request, object_id, form_url="", extra_context=None):
        return super().change_view(request, object_id, form_url, extra_context)

    @fresh
    def delete_view(self, request, object_id, extra_context=None):
        return super().delete_view(request, object_id, extra_context)

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""

    def response_add(self, request, obj, post_url_continue=None):
        """Not as done where the owner of the address is asked first."""
        if self.get_queryset(request).get(pk=obj.pk).state != Forward.State.UNCONFIRMED:
            return super().response_add(request, obj, post_url_continue)
        text = _("The forward to %s is requested. Nothing is sent on before the address's owner has agreed.") % obj
        self.message_user(request, text, messages.WARNING)
        return redirect(self.url("changelist"))

    def delete_model(self, request, obj):
        obj.end(by=request.user)

    def get_deleted_objects(self, objs, request):
        """The forward alone."""
        return [obj.way for obj in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def decide_view(self, request, pk):
        """Approve a forward out of the house, or refuse it."""
        forward = self.own_object(request, pk)
        if forward.state != Forward.State.UNAPPROVED:
            self.message_user(request, _("Nothing is to be decided about this forward."), messages.WARNING)
            return redirect(self.url("change", pk))
        if request.POST.get("decision") in ("approve", "refuse"):
            return self.decide(request, forward)
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Forward to %s") % forward,
            "opts": self.opts,
            "forward": forward,
            "copy": self.copy(forward),
            "back": self.url("change", pk),
        }
        status = 422 if request.method == "POST" else 200
        return TemplateResponse(request, "mailboxes/desk/forward_decide.html", context, status=status)

    def decide(self, request, forward):
        if request.POST.get("decision") == "approve":
            text = _("The forward is approved. The owner of %s now gets a link by e-mail and has to confirm it.")
            return self.done(request, forward, lambda: forward.approve(by=request.user), text % forward)
        text = _("The forward to %s is refused and has ended. The owner of the mailbox is told.")
        return self.done(request, forward, lambda: forward.refuse(by=request.user), text % forward)

    @method_decorator(require_POST)
    def link_view(self, request, pk):
        """Have the link that confirms the address mailed once more."""
        forward = self.own_object(request, pk)
        if forward.state != Forward.State.UNCONFIRMED:
            return redirect(self.url("change", pk))
        return self.done(request, forward, forward.mail_link, _("A new link is on its way to %s.") % forward)

    def done(self, request, forward, deed, text):
        try:
            deed()
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        else:
            self.message_user(request, text, messages.SUCCESS)
        return redirect(self.url("changelist"))

    def own_object(self, request, pk):
        if not self.has_change_permission(request):
            raise PermissionDenied
        return self.shown_object(request, pk)


class OutsideForwardDesk(ForwardRoom):
    """Was verlässt unser Haus? The DVB's and the DSB's report; nothing is changed here."""

    viewers = (DVB, DSB)
    nothing_yet = _("Nothing leaves the house: no forward leads to an address outside your domains.")
    export_name = _("What leaves our house")
    change_form_template = "admin/outside_forward_change_form.html"
    rows_called = _("forwards")
    fields = (
        *("target_shown", "mailbox_shown", "name", "state_text", "valid_from", "valid_until", "copy"),
        *("created_at", "approved_at", "confirmed_at"),
    )

    def get_queryset(self, request):
        return super().get_queryset(request).outside()

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        """With the way to the decision, for who may decide."""
        if obj.state == Forward.State.UNAPPROVED and self.admin_site.is_registered(Forward):
            room = self.admin_site.get_model_admin(Forward)
            context["decide"] = room.has_change_permission(request) and room.url("decide", obj.pk)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def changelist_view(self, request, extra_context=None):
        title = {"title": _("What leaves our house?")}
        return super().changelist_view(request, title | (extra_context or {}))


class OutsideForwardAdmin(OutsideForwardDesk):
    """The same of all customers, for staff."""

    viewers = (STAFF,)
    nothing_yet = _("Nothing leaves any house: no forward leads to an address outside its customer's domains.")
    list_display = (*OutsideForwardDesk.list_display, "customer")
    fields = ("customer", *OutsideForwardDesk.fields)

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("tenant")

    def exported(self):
        return {gettext("Customer"): self.customer} | super().exported()

    @admin.display(description=_("tenant"), ordering="tenant__name")
    def customer(self, obj):
        return str(obj.tenant)
