from datetime import timedelta

from django import forms
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

from .addresses import normalise_address
from .logos import redrawn
from .models import Logo, Tenant, User
from .passwords import Fault, as_given_out, faults

MAX_PASSWORD_INPUT = 4096


class PasswordInput(forms.PasswordInput):
    """A password field with its show/hide button, understood by password managers."""

    def __init__(self, autocomplete):
        super().__init__(attrs={"autocomplete": autocomplete, "data-show-password": "", "spellcheck": "false"})


def password_field(label, autocomplete, **kwargs):
    return forms.CharField(
        label=label, strip=False, widget=PasswordInput(autocomplete), max_length=MAX_PASSWORD_INPUT, **kwargs
    )


class LoginForm(forms.Form):
    """The login of SCREENS: area, address, password; one neutral message for whatever is wrong."""

    area = forms.ChoiceField(
        label=_("Login area"), choices=User.Area, initial=User.Area.MAILBOX, widget=forms.RadioSelect
    )
    address = forms.CharField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "inputmode": "email", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = password_field(_("Password"), "current-password")

    def __init__(self, *args, request=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.request, self.user_cache = request, None

    def clean_address(self):
        """That no address is without an @ says nothing of anybody's."""
        address = self.cleaned_data["address"]
        if "@" not in address:
            raise ValidationError(
                _("The @ is missing. Enter the complete address, for example max.mustermann@musterdomain.de."),
                code="at_missing",
            )
        return address

    def clean_password(self):
        return as_given_out(self.cleaned_data["password"])

    def clean(self):
        if self.errors:
            return
        self.user_cache = authenticate(self.request, **self.cleaned_data)
        if self.user_cache is None:
            raise ValidationError(
                _(
                    "This login did not work. Please check: Is the login area right? Most people choose “single "
                    "mailbox”. Is the address complete, with @ and domain? Is the password typed exactly, including "
                    "capital letters and without a space at the end? An initial password that was not changed in time "
                    "has expired. If you cannot get on, ask your mail administrator (DVB) or our support."
                ),
                code="login",
            )


class PasswordChangeForm(forms.Form):
    """Passwort ändern: all faults of a new password named at once."""

    current_password = password_field(_("Current password:"), "current-password")
    new_password = password_field(_("New password:"), "new-password")
    repeated_password = password_field(_("Repeat password:"), "new-password")

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.user = user
        if user.initial_password:
            del self.fields["current_password"]

    def clean_current_password(self):
        password = self.cleaned_data["current_password"]
        if not self.user.is_current_password(password):
            raise ValidationError(_("This is not your current password."), code="current")
        return password

    def clean_new_password(self):
        password = self.cleaned_data["new_password"]
        found = faults(password, self.user.password_context)
        if self.user.is_current_password(password):
            found.append(Fault.reused())
        if found:
            raise ValidationError([ValidationError(fault.message, code=fault.code) for fault in found])
        return password

    def clean(self):
        new, repeated = self.cleaned_data.get("new_password"), self.cleaned_data.get("repeated_password")
        if new and repeated and new != repeated:
            self.add_error("repeated_password", _("The two passwords differ. Type the new one again."))


class SupportConsentForm(forms.Form):
    """For how long support may see a person's settings."""

    HOURS = (
        (1, _("1 hour")),
        (4, _("4 hours")),
        (24, _("1 day")),
        (72, _("3 days")),
        (168, _("7 days")),
    )

    lasting = forms.TypedChoiceField(
        label=_("For how long"),
        choices=HOURS,
        initial=1,
        coerce=lambda hours: timedelta(hours=int(hours)),
        help_text=_("You can end it earlier at any time."),
    )


# How long before their password ends for mail programs people are told, at least.
NOTICE = timedelta(days=3)


class RulesForm(forms.ModelForm):
    """Rules for a customer's logins."""

    def clean_app_passwords_from(self):
        """Whoever reads mail with the password is told before it ends."""
        day, earliest = self.cleaned_data["app_passwords_from"], timezone.localdate() + NOTICE
        if day and self.instance.pk and "app_passwords_from" in self.changed_data and day < earliest:
            raise ValidationError(
                _("Give people time to prepare: choose %(day)s or later."),
                params={"day": formats.date_format(earliest)},
            )
        return day


class PolicyForm(RulesForm):
    """What a DVB decides about logins."""

    def clean_factor_removal_hours(self):
        """The pause protects people from whoever got hold of a DVB's session, so that cannot shorten it."""
        hours = self.cleaned_data["factor_removal_hours"]
        if hours < self.initial["factor_removal_hours"]:
            raise ValidationError(_("You can make the pause longer here. To make it shorter, please ask our support."))
        return hours


class TenantForm(RulesForm):
    """A customer, with the logo that its people see."""

    logo = forms.FileField(
        label=_("Logo"),
        required=False,
        help_text=_("PNG, JPEG or WebP, at most 512 KB; shown 40 pixels high."),
    )
    remove_logo = forms.BooleanField(label=_("Remove the logo"), required=False)

    class Meta:
        model = Tenant
        fields = (
            *("customer_number", "name", "max_domains", "max_mailboxes", "max_aliases", "max_storage_mb"),
            *("initial_password_days", "password_rule", "second_factor", "second_factor_from"),
            *("factor_removal_hours", "app_passwords_from"),
            *("forwards_outside", "max_forwards"),
            *("support_email", "support_phone", "accent"),
            *("contract_number", "contract_from", "contract_until", "cancelled_on"),
            *("contact_name", "contact_email", "contact_phone", "remark"),
        )
        widgets = {"remark": forms.Textarea({"rows": 4})}

    def clean_logo(self):
        upload = self.cleaned_data["logo"]
        return redrawn(upload) if upload else None

    def save_logo(self):
        """Keep or remove the logo; what was uploaded does not go into the trail, its digest does."""
        png = self.cleaned_data["logo"]
        if png or self.cleaned_data["remove_logo"]:
            Logo.objects.put(self.instance, png)
            self.cleaned_data["logo"] = self.instance.logo_digest


class PersonForm(forms.ModelForm):
    """A DVB, a deputy, a DSB or a colleague, entered by staff; the login area follows from the role."""

    class Meta:
        model = User
        fields = ("role", "tenant", "address", "name", "language", "valid_until")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            self.fields["role"].choices = [choice for choice in User.Role.choices if choice[0] != User.Role.USER]

    def clean_address(self):
        return normalise_address(self.cleaned_data["address"])

    def _post_clean(self):
        self.instance.area = User.Area.KSC
        super()._post_clean()
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error)
