"""Requests for domains: the DVB asks and proves, staff see all of them and may decide by hand."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.admin import ScopedAdmin, shown_time
from accounts.models import User
from accounts.names import validate_name

from .dnsrecords import Record
from .forms import ViewerForm
from .models import DomainRequest


class DomainRequestForm(ViewerForm):
    class Meta:
        model = DomainRequest
        fields = ("name",)
        widgets = {"name": forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"})}

    def perform(self, **data):
        return DomainRequest.objects.ask(tenant=self.viewer.tenant, by=self.viewer, **data)


class DecisionForm(forms.Form):
    """Staff's decision without a proof; the reason goes into the audit trail and to whoever asked."""

    decision = forms.ChoiceField(label=_("Decision"), choices=[(name, name) for name in ("confirm", "dismiss")])
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        validators=[validate_name],
        help_text=_("Whoever asked reads it too. For example: the contract of 3 May names the domain."),
    )


class DomainRequestRoom(ScopedAdmin):
    """The list, and a page for each request in place of the stock form, since nothing of it is changed there."""

    nothing_yet = _(
        "There is no request. Whoever wants a further domain asks for it here; requests that are over are cleared "
        "away after 14 days."
    )
    list_display = ("name_shown", "asked", "outcome", "finding_shown")
    list_filter = ("outcome",)
    fields = ("name",)

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("tenant")

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, form=DomainRequestForm, **kwargs)
        form.viewer = request.user
        return form

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""

    def delete_model(self, request, obj):
        obj.remove(by=request.user)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        obj = self.get_object(request, object_id)
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        more = {"records": [Record(obj.record_name, "TXT", obj.record_value)], "title": obj}
        may_remove = self.has_delete_permission(request)
        return self.page(request, obj, "mailboxes/desk/domain_request.html", may_remove=may_remove, **more)

    def page(self, request, obj, template, *, status=200, **more):
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {"opts": self.opts, "asked": obj} | more
        return TemplateResponse(request, template, context, status=status)

    def show_outcome(self, request, obj):
        """Say what came of a deed, where it leads on from."""
        obj = self.shown_object(request, obj.pk)
        done = obj.outcome in (DomainRequest.Outcome.PROVED, DomainRequest.Outcome.CONFIRMED)
        if done:
            text = _("The domain %s is open. You can make mailboxes in it now.") % obj
        elif obj.is_open:
            text = obj.get_finding_display()
        else:
            text = obj.get_outcome_display()
        self.message_user(request, text, messages.SUCCESS if done else messages.WARNING)
        return redirect(self.url("change", obj.pk))

    @admin.display(description=_("domain"), ordering="name")
    def name_shown(self, obj):
        return str(obj)

    @admin.display(description=_("asked on"), ordering="asked_at")
    def asked(self, obj):
        return shown_time(obj.asked_at)

    @admin.display(description=_("found"), ordering="finding")
    def finding_shown(self, obj):
        return obj.get_finding_display() if obj.is_open and obj.finding else "–"


class DomainRequestDesk(DomainRequestRoom):
    viewers = adders = removers = (User.Role.DVB,)

    def get_urls(self):
        own = [path("<int:pk>/check/", self.room(self.check_view), name=self.url_name("check"))]
        return own + super().get_urls()

    def response_add(self, request, obj, post_url_continue=None):
        self.message_user(request, _("Now show that the domain is yours."), messages.INFO)
        return redirect(self.url("change", obj.pk))

    @method_decorator(require_POST)
    def check_view(self, request, pk):
        asked = self.shown_object(request, pk)
        asked.look(by=request.user)
        return self.show_outcome(request, asked)


class DomainRequestAdmin(DomainRequestRoom):
    list_display = ("name_shown", "tenant", *DomainRequestRoom.list_display[1:])
    search_fields = ("name", "tenant__name")

    def get_urls(self):
        own = [path("<int:pk>/decide/", self.room(self.decide_view, fresh=True), name=self.url_name("decide"))]
        return own + super().get_urls()

    def decide_view(self, request, pk):
        asked = self.shown_object(request, pk)
        if not asked.is_open:
            self.message_user(request, _("This request is closed already."), messages.WARNING)
            return redirect(self.url("change", pk))
        form = DecisionForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            verb = asked.confirm if form.cleaned_data["decision"] == "confirm" else asked.dismiss
            verb(by=request.user, reason=form.cleaned_data["reason"])
            return self.show_outcome(request, asked)
        title, status = _("Decide about %s") % asked, 422 if form.is_bound else 200
        return self.page(request, asked, "mailboxes/desk/domain_decide.html", title=title, form=form, status=status)
