from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from .addresses import MAX_ADDRESS, normalise_address, normalise_outside_address, without_tag
from .forms import LoginForm, PasswordChangeForm, password_field


class ForgottenForm(LoginForm):
    """Whose password is forgotten: the login form without the password."""

    password = None

    def clean_address(self):
        return normalise_address(self.cleaned_data["address"])

    def clean(self):
        """Nothing more: whether the account exists is not asked here."""


class FreshLoginForm(forms.Form):
    """A form that asks once more who it is: an open session alone must not change the ways back in.

    Here belongs whatever else proves it, beside the password.
    """

    current_password = password_field(_("Current password:"), "current-password")

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_current_password(self):
        password = self.cleaned_data["current_password"]
        if not self.user.is_current_password(password):
            raise ValidationError(_("This is not your current password."), code="current")
        return password


class RecoveryAddressForm(FreshLoginForm):
    address = forms.CharField(
        label=_("New recovery address:"),
        max_length=MAX_ADDRESS,
        help_text=_("An address of yours at another provider, which you can open without this mailbox."),
        widget=forms.TextInput(
            attrs={"autocomplete": "email", "inputmode": "email", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    field_order = ("address", "current_password")

    def clean_address(self):
        address = normalise_outside_address(self.cleaned_data["address"])
        leads_to_mailbox = import_string(settings.LEADS_TO_MAILBOX)
        if without_tag(address) == self.user.address or leads_to_mailbox(self.user, address):
            raise ValidationError(
                _("Mail to this address ends in the mailbox that you could not open. Choose one at another provider."),
                code="own_mailbox",
            )
        return address


class PasswordNewForm(PasswordChangeForm):
    """A new password by a mailed link: the same rule, without the password that is forgotten."""

    keep_programs = forms.BooleanField(label=_("Keep my app passwords"), required=False)

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, user=user, **kwargs)
        self.fields.pop("current_password", None)
        if not settings.AFTER_PASSWORD_RESET or user.area != user.Area.MAILBOX:
            del self.fields["keep_programs"]
