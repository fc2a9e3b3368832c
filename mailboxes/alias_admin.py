"""Alias addresses on the DVB's desk, and what a whole domain leads to."""

from django.contrib import admin, messages
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import formats
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.admin import ScopedAdmin, shown_time
from accounts.exports import Exported
from accounts.models import User

from .alias_forms import AliasChangeForm, AliasCreateForm, AliasDomainForm, CatchAllForm
from .list_filters import SearchedByWords

DVB = User.Role.DVB


class EndFilter(admin.SimpleListFilter):
    title = _("last day")
    parameter_name = "end"

    def lookups(self, request, model_admin):
        return [("coming", _("will end")), ("over", _("is over"))]

    def queryset(self, request, queryset):
        words = {"coming": queryset.ending, "over": queryset.expired}
        return words[self.value()]() if self.value() in words else queryset


class AliasDesk(Exported, SearchedByWords, ScopedAdmin):
    viewers = adders = changers = removers = (DVB,)
    nothing_yet = _(
        "There is no alias address yet. With one, such as info@musterdomain.de, mail reaches one mailbox or several; "
        "add the first one above."
    )
    export_name = _("Alias addresses")
    list_display = ("address", "way", "end", "created_at")
    list_filter = (EndFilter,)
    search_fields = ("address__address",)
    ordering = ("address__address",)

    def get_queryset(self, request):
        return super().get_queryset(request).with_targets()

    def get_form(self, request, obj=None, change=False, **kwargs):
        kwargs["form"] = AliasChangeForm if obj else AliasCreateForm
        form = super().get_form(request, obj, change, **kwargs)
        form.viewer, form.site = request.user, self.admin_site
        return form

    def get_fields(self, request, obj=None):
        return ("address", *AliasChangeForm.field_order, "created_at") if obj else AliasCreateForm.field_order

    def get_readonly_fields(self, request, obj=None):
        return ("address", "created_at")

    def get_changeform_initial_data(self, request):
        """None from the address line: its ids would be looked up before anybody has checked them."""
        return {}

    def history_of(self, obj):
        return [obj, obj.address]

    def exported(self):
        return {
            gettext("Alias address"): lambda row: str(row.address),
            gettext("Mail goes to"): lambda row: " ".join(str(each) for each in row.shown_targets if each.receives),
            gettext("May send"): lambda row: " ".join(str(each) for each in row.shown_targets if each.may_send),
            gettext("Last day"): lambda row: row.valid_until and formats.date_format(row.valid_until),
            gettext("Created"): lambda row: shown_time(row.created_at),
        }

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""

    def delete_model(self, request, obj):
        obj.close(by=request.user)

    def get_deleted_objects(self, objs, request):
        """The alias alone: where it led goes with it, and nobody looks for that in a tree of rows."""
        return [str(obj) for obj in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def response_add(self, request, obj, post_url_continue=None):
        """With several mailboxes on to the page where it is said who may send."""
        if obj.targets.filter(may_send=True).exists():
            return super().response_add(request, obj, post_url_continue)
        text = _("Mail to %s now arrives. Nobody may send as it yet: choose below who may.") % obj
        self.message_user(request, text, messages.SUCCESS)
        return redirect(self.url("change", obj.pk))

    @admin.display(description=_("mail goes to"))
    def way(self, obj):
        return obj.way

    @admin.display(description=_("last day"), ordering="valid_until")
    def end(self, obj):
        if obj.valid_until is None:
            return "–"
        day = formats.date_format(obj.valid_until, "SHORT_DATE_FORMAT")
        return _("ended on %(day)s") % {"day": day} if obj.is_expired else day


class LeadingRoom(ScopedAdmin):
    """The pages of a domain where mail to it is led elsewhere as a whole."""

    def get_urls(self):
        own = [
            path("<int:pk>/catch-all/", self.room(self.catch_all_view), name=self.url_name("catch_all")),
            path("<int:pk>/catch-all/end/", self.room(self.catch_all_end_view), name=self.url_name("catch_all_end")),
            path("<int:pk>/alias/", self.room(self.alias_view), name=self.url_name("alias")),
            path("<int:pk>/alias/end/", self.room(self.alias_end_view), name=self.url_name("alias_end")),
        ]
        return own + super().get_urls()

    def catch_all_view(self, request, pk):
        """Where mail goes that is sent to nobody; set after a warning."""
        domain = self.shown_object(request, pk)
        form = CatchAllForm(request.POST if request.method == "POST" else None, domain=domain, viewer=request.user)
        title, done = (
            _("Catch-all address of %s"),
            _("Mail to unknown addresses of %s is caught from now on."),
        )
        return self.lead(request, form, title % domain, done % domain, "mailboxes/desk/catch_all.html")

    @method_decorator(require_POST)
    def catch_all_end_view(self, request, pk):
        domain = self.shown_object(request, pk)
        domain.catch_all_to(None, by=request.user)
        return self.told(request, domain, _("Mail to unknown addresses of %s is refused again.") % domain)

    def alias_view(self, request, pk):
        """Let the domain be another name of one of the tenant's others."""
        domain = self.shown_object(request, pk)
        form = AliasDomainForm(request.POST if request.method == "POST" else None, domain=domain, viewer=request.user)
        title, done = _("Make %s an alias domain"), _("%s is an alias domain from now on.")
        return self.lead(request, form, title % domain, done % domain, "mailboxes/desk/alias_domain.html")

    @method_decorator(require_POST)
    def alias_end_view(self, request, pk):
        domain = self.shown_object(request, pk)
        domain.stand_alone(by=request.user)
        return self.told(request, domain, _("%s is no alias domain any more.") % domain)

    def lead(self, request, form, title, done, template):
        if form.is_bound and form.is_valid():
            return self.told(request, form.domain, done)
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": title,
            "opts": self.opts,
            "domain": form.domain,
            "form": form,
            "back": self.url("change", form.domain.pk),
        }
        return TemplateResponse(request, template, context, status=422 if form.is_bound else 200)

    def told(self, request, domain, text):
        self.message_user(request, text, messages.SUCCESS)
        return redirect(self.url("change", domain.pk))
