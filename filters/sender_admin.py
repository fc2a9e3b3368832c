"""Lists of senders on the admin sites: a DVB's for domains and the organisation, staff's for the installation."""

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import formats
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import ScopedAdmin, shown_time
from accounts.exports import Exported
from accounts.models import User
from mailboxes.forms import ViewerForm
from mailboxes.list_filters import SearchedByWords
from mailboxes.models import Domain

from .forms import SENDER_HELP, OnListForm, SenderField, SendersForm
from .models import SenderRule
from .models.senders import Owner, Wish
from .senderlines import KIND_WORDS, counted

DVB, STAFF = User.Role.DVB, User.Role.STAFF


class DomainChoice(forms.ModelChoiceField):
    """One of the viewer's domains; nothing is the whole organisation."""

    def __init__(self):
        super().__init__(
            Domain.objects.none(), label=_("Holds for"), required=False, empty_label=_("all of your domains")
        )


class RuleForm(ViewerForm):
    """What all forms of one entry have: kind, note, last day."""

    kind = OnListForm.base_fields["kind"]
    note = OnListForm.base_fields["note"]
    valid_until = OnListForm.base_fields["valid_until"]
    clean_valid_until = OnListForm.clean_valid_until

    class Meta:
        model = SenderRule
        fields = ("kind", "note", "valid_until")


class RuleAddForm(RuleForm):
    """A sender for the installation's lists."""

    sender = SenderField(label=_("Sender"), help_text=SENDER_HELP)

    field_order = ("sender", "kind", "note", "valid_until")

    def perform(self, **data):
        return SenderRule.objects.add_one(self.owner_of(data), Wish(**data), by=self.viewer)

    def owner_of(self, data: dict) -> Owner:
        return None


class DeskRuleAddForm(RuleAddForm):
    """A sender for the lists of a domain, or of the organisation."""

    domain = DomainChoice()

    field_order = ("domain", *RuleAddForm.field_order)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = Domain.objects.visible_to(self.viewer)

    def owner_of(self, data):
        return data.pop("domain") or self.viewer.tenant


class RuleChangeForm(RuleForm):
    field_order = RuleForm.Meta.fields

    def clean_valid_until(self):
        """A day that is over may stay."""
        return super().clean_valid_until() if "valid_until" in self.changed_data else self.instance.valid_until

    def perform(self, **data):
        self.instance.change(**data, by=self.viewer)
        return self.instance


class DeskSendersForm(SendersForm):
    """Many senders for the lists of a domain, or of the organisation."""

    domain = DomainChoice()

    field_order = ("domain", *SendersForm.field_order)

    def __init__(self, *args, viewer, **kwargs):
        super().__init__(*args, viewer=viewer, **kwargs)
        self.fields["domain"].queryset = Domain.objects.visible_to(viewer)

    def clean_domain(self):
        self.owner = self.cleaned_data["domain"] or self.viewer.tenant


class WhoseFilter(admin.SimpleListFilter):
    title = _("scope")
    parameter_name = "whose"

    def lookups(self, request, model_admin):
        return [("organisation", _("all of your domains")), ("domain", _("a single domain"))]

    def queryset(self, request, queryset):
        if self.value() not in ("organisation", "domain"):
            return queryset
        return queryset.filter(domain__isnull=self.value() == "organisation")


class SenderRuleAdmin(Exported, SearchedByWords, ScopedAdmin):
    """The installation's lists, which hold for everybody."""

    viewers = adders = changers = removers = (STAFF,)
    nothing_yet = _("No sender stands on the lists that hold for all customers. Add the first one above.")
    add_form, many_form = RuleAddForm, SendersForm
    change_list_template = "filters/desk/sender_rules.html"
    export_name = _("Senders")
    list_display = ("shown", "kind", "note", "end", "created_at")
    list_display_links = ("shown",)
    list_filter = ("kind",)
    search_fields = ("sender", "note")
    readonly_fields = ("shown", "created_at")

    def get_urls(self):
        return [path("many/", self.room(self.many_view), name=self.url_name("many")), *super().get_urls()]

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, form=RuleChangeForm if obj else self.add_form, **kwargs)
        form.viewer = request.user
        return form

    def get_fields(self, request, obj=None):
        return (*self.readonly_fields, *RuleChangeForm.field_order) if obj else self.add_form.field_order

    def get_readonly_fields(self, request, obj=None):
        return self.readonly_fields if obj else ()

    def get_changeform_initial_data(self, request):
        """None from the address line: its ids would be looked up before anybody has checked them."""
        return {}

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""

    def delete_model(self, request, obj):
        obj.remove(by=request.user)

    def many_view(self, request):
        """Pasted lines or a file; the answer says what became of each line."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        given = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = self.many_form(*given, viewer=request.user)
        done = form.is_bound and form.is_valid()
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("What became of each line") if done else _("Add many senders"),
            "opts": self.opts,
            "form": form,
            "back": self.url("changelist"),
        }
        if done:
            context |= {"outcomes": form.outcomes, "counted": counted(form.outcomes)}
        status = 422 if form.is_bound and not done else 200
        return TemplateResponse(request, "filters/desk/sender_rules_many.html", context, status=status)

    def exported(self):
        """The first columns are those that an import reads."""
        return {
            gettext("Sender"): str,
            gettext("List"): lambda row: KIND_WORDS[row.kind],
            gettext("Note"): lambda row: row.note,
            gettext("Last day"): lambda row: row.valid_until and row.valid_until.isoformat(),
            gettext("Added"): lambda row: shown_time(row.created_at),
        }

    @admin.display(description=_("sender"), ordering="sender")
    def shown(self, obj):
        return str(obj)

    @admin.display(description=_("last day"), ordering="valid_until")
    def end(self, obj):
        if obj.valid_until is None:
            return "–"
        day = formats.date_format(obj.valid_until, "SHORT_DATE_FORMAT")
        return gettext("ended on %(day)s") % {"day": day} if obj.is_over else day


class SenderRuleDesk(SenderRuleAdmin):
    """The lists of a tenant's domains and of all of it; a person's own are that person's business."""

    viewers = adders = changers = removers = (DVB,)
    nothing_yet = _(
        "No sender stands on your organisation's lists. Those that you add above hold for all your mailboxes or for "
        "one domain; people have lists of their own in the portal."
    )
    add_form, many_form = DeskRuleAddForm, DeskSendersForm
    list_display = ("shown", "kind", "holds_for", "note", "end", "created_at")
    list_filter = ("kind", WhoseFilter)
    readonly_fields = ("shown", "holds_for", "created_at")

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("domain")

    def exported(self):
        return super().exported() | {gettext("Holds for"): self.holds_for}

    @admin.display(description=_("holds for"), ordering="domain__name")
    def holds_for(self, obj):
        return str(obj.domain or gettext("all of your domains"))
