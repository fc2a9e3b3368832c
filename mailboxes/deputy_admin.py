"""Deputies on the DVB's desk: who stands in, until when."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.addresses import normalise_address
from accounts.models import Deputy, User

from .forms import ViewerForm
from .models import Mailbox
from .people_admin import ColleagueAdmin, lock_shown


def last_day_field():
    return forms.DateField(
        label=_("Last day"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        help_text=_("The login ends by itself with this day. You can change it at any time."),
    )


class DeputyCreateForm(ViewerForm):
    """A colleague with a mailbox here, whose name and language are known: nothing to mistype."""

    valid_until = last_day_field()

    class Meta:
        model = Deputy
        fields = ("address",)
        help_texts = {
            "address": _(
                "Of a person with a mailbox in your domains. The login under KundenServiceCenter is another one."
            )
        }

    field_order = ("address", "valid_until")

    def clean_address(self):
        address = normalise_address(self.cleaned_data["address"])
        box = Mailbox.objects.visible_to(self.viewer).filter(address__address=address).select_related("user__tenant")
        if not (found := box.first()):
            raise ValidationError(_("None of your mailboxes has this address."), code="no_mailbox")
        return found.user

    def perform(self, *, address, valid_until):
        return Deputy.objects.appoint(address, until=valid_until, by=self.viewer)


class DeputyChangeForm(ViewerForm):
    valid_until = last_day_field()

    class Meta:
        model = Deputy
        fields = ("valid_until",)

    def perform(self, *, valid_until):
        self.instance.stay_until(valid_until, by=self.viewer)
        return self.instance


class DeputyDesk(ColleagueAdmin):
    """Deputies see who the others are; only the DVB appoints them, gives them credentials and ends them."""

    viewers = adders = changers = (User.Role.DVB,)
    nothing_yet = _(
        "Nobody stands in for the mail administrator (DVB). A deputy is somebody with a mailbox in your domains, "
        "until a day that you choose."
    )
    list_display = ("address", "name", "last_day", "state", "second_factor", "locked")
    list_filter = ()
    list_select_related = False
    autocomplete_fields = ()
    search_fields = ("address", "name")
    ordering = ("-valid_until", "sort_key", "pk")

    def get_form(self, request, obj=None, change=False, **kwargs):
        kwargs["form"] = DeputyChangeForm if obj else DeputyCreateForm
        form = super().get_form(request, obj, change, **kwargs)
        form.viewer = request.user
        return form

    def get_fields(self, request, obj=None):
        if obj is None:
            return ("address", "valid_until")
        shown = ("address", "name", "state", "initial_issued_at", "initial_expires_at", "second_factor", "locked")
        return (*shown, "valid_until")

    def get_readonly_fields(self, request, obj=None):
        return self.get_fields(request, obj)[:-1] if obj else ()

    def may_get_credentials(self, viewer):
        return Deputy.objects.may_get_credentials_from(viewer)

    def save_model(self, request, obj, form, change):
        """The form's verb has written it."""

    def has_add_permission(self, request):
        return super().has_add_permission(request) and not request.user.is_deputy

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and not request.user.is_deputy

    @admin.display(description=_("deputy until"), ordering="valid_until")
    def last_day(self, obj):
        day = formats.date_format(obj.valid_until)
        return gettext("%s (over)") % day if obj.is_over else day

    @admin.display(description=_("login"))
    def locked(self, obj):
        return gettext("over") if obj.is_over else lock_shown(obj)
