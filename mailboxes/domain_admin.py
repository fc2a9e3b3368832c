"""Domains: on the desk the state of their records in the DNS and the keys that sign mail, for staff whose they are."""

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.admin import ScopedAdmin
from accounts.models import User

from .alias_admin import LeadingRoom
from .dnsrecords import setup_records
from .dnsstate import state_of
from .forms import DomainCreateForm
from .list_filters import SearchedByWords
from .models import DkimKey
from .setup import setup_for


class DomainDesk(SearchedByWords, LeadingRoom):
    viewers = (User.Role.DVB,)
    search_fields = ("name",)
    change_list_template = "admin/domain_change_list.html"
    nothing_yet = _(
        "You have no domain yet. Ask for one and show by a record in its DNS that it is yours; then you can make "
        "mailboxes in it."
    )
    change_form_template = "admin/domain_change_form.html"
    list_display = ("name_shown", "leading", "created_at")
    list_select_related = ("alias_of", "catch_all__address")
    fields = ("name_shown", "leading", "created_at", "records")

    def get_urls(self):
        own = [
            path("<int:pk>/state/", self.room(self.state_view), name=self.url_name("state")),
            path("<int:pk>/dkim/new/", self.room(self.dkim_new_view), name=self.url_name("dkim_new")),
            path("<int:pk>/dkim/remove/", self.room(self.dkim_remove_view), name=self.url_name("dkim_remove")),
        ]
        return own + super().get_urls()

    @admin.display(description=_("domain"), ordering="name")
    def name_shown(self, obj):
        return str(obj)

    @admin.display(description=_("mail to it"))
    def leading(self, obj):
        if obj.alias_of:
            return _("stands for %s") % obj.alias_of
        if obj.catch_all:
            return _("reaches its addresses, all else goes to %s") % obj.catch_all
        return _("reaches its addresses")

    @admin.display(description=_("DNS records for mail programs"))
    def records(self, obj):
        setup = setup_for(obj.name)
        if setup is None:
            return _("The server addresses are not entered yet. Please ask our support.")
        hint = _("With these in your domain's zone, mail programs find their servers by themselves.")
        lines = "\n".join(map(str, setup_records(setup)))
        return format_html('<p class="help">{}</p><pre class="records" tabindex="0">{}</pre>', hint, lines)

    @method_decorator(require_safe)
    @transaction.non_atomic_requests
    def state_view(self, request, pk):
        """Asks the DNS, for five seconds at most; no transaction is open meanwhile."""
        domain = self.shown_object(request, pk)
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Records of %s in the DNS") % domain,
            "opts": self.opts,
            "domain": domain,
            "checks": state_of(domain),
            "days": domain.dkim_keys.order_by("-day").values_list("day", flat=True).distinct(),
        }
        return TemplateResponse(request, "mailboxes/desk/domain_state.html", context)

    @method_decorator(require_POST)
    def dkim_new_view(self, request, pk):
        domain = self.shown_object(request, pk)
        try:
            DkimKey.objects.make_pair(domain, by=request.user)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        else:
            text = _("The keys are made. Set their records now, so that they are known before mail is signed by them.")
            self.message_user(request, text, messages.SUCCESS)
        return redirect(self.url("state", pk))

    @method_decorator(require_POST)
    def dkim_remove_view(self, request, pk):
        gone = DkimKey.objects.remove_older(self.shown_object(request, pk), by=request.user)
        text = _("The older keys are gone. Keep their records for some days, for mail that is still on its way.")
        self.message_user(request, text if gone else _("There are no older keys."), messages.SUCCESS)
        return redirect(self.url("state", pk))


class DomainAdmin(ScopedAdmin):
    adders = (User.Role.STAFF,)
    nothing_yet = _(
        "There is no domain yet. Enter the first one here, or let a customer's DVB ask for it on the desk."
    )
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
