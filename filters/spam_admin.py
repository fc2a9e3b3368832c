"""The spam filter of an organisation on the DVB's desk: what people get, and what they may choose."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin import ScopedAdmin
from accounts.models import User
from mailboxes.forms import ViewerForm

from .forms import scored
from .models import Sensitivity, SpamPolicy, SpamSettings
from .models.settings import SpamAction

DVB = User.Role.DVB


def scores() -> list[tuple[int, str]]:
    return [(each.value, scored(each)) for each in Sensitivity]


class SpamPolicyForm(ViewerForm):
    action = forms.ChoiceField(
        label=_("What happens to spam where people choose nothing"),
        choices=[choice for choice in SpamAction.choices if choice[0] != SpamAction.DISCARD],
        help_text=_("Deleting is no default: only the owner of a mailbox can want that."),
    )
    allowed_actions = forms.MultipleChoiceField(
        label=_("What people may choose"), choices=SpamAction, widget=forms.CheckboxSelectMultiple
    )
    threshold = forms.TypedChoiceField(label=_("Sensitivity where people choose none"), choices=scores, coerce=int)
    highest_threshold = forms.TypedChoiceField(
        label=_("Lowest sensitivity that people may choose"), choices=scores, coerce=int
    )
    lowest_threshold = forms.TypedChoiceField(
        label=_("Highest sensitivity that people may choose"), choices=scores, coerce=int
    )

    class Meta:
        model = SpamPolicy
        fields = ("verdict_days", "keeps_subjects", "max_mailbox_rules", "max_domain_rules")

    field_order = (
        *("action", "threshold", "allowed_actions", "highest_threshold", "lowest_threshold"),
        *Meta.fields,
    )

    def perform(self, **data):
        return SpamPolicy.objects.decide(self.viewer.tenant, by=self.viewer, **data)


class SpamPolicyDesk(ScopedAdmin):
    viewers = changers = (DVB,)
    change_form_template = "filters/desk/spam_policy.html"
    fields = SpamPolicyForm.field_order

    def get_object(self, request, object_id, from_field=None):
        """The tenant's own; before the first decision it is the product's defaults."""
        if str(object_id) != str(request.user.tenant_id):
            return None
        return SpamPolicy.objects.visible_to(request.user).of(request.user.tenant_id)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, form=SpamPolicyForm, **kwargs)
        form.viewer = request.user
        return form

    def save_model(self, request, obj, form, change):
        """The form's verb has written it; say for whom it changes something that they had chosen."""
        number = SpamSettings.objects.no_longer_allowed(obj).count()
        if number:
            text = ngettext(
                "%d mailbox had chosen what is no longer allowed; the default holds there from now on.",
                "%d mailboxes had chosen what is no longer allowed; the default holds there from now on.",
                number,
            )
            self.message_user(request, text % number, messages.WARNING)

    def changelist_view(self, request, extra_context=None):
        """There is one, so nobody has to pick it from a list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect(self.url("change", request.user.tenant_id))

    def response_post_save_change(self, request, obj):
        return redirect(self.url("change", obj.pk))
