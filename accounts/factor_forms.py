from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from . import challenges, totp, yubikey
from .backends import Throttled
from .forms import password_field
from .models import Brake, Factor
from .names import validate_name
from .seal import Broken, seal, unseal
from .webauthn import CeremonyFailed, created

# How long a page with a new key may lie open.
ENROLMENT_SECONDS = 30 * 60
WRONG_CODE = _(
    "This code did not work. Wait for the next one, and check that the clock of your phone is right. Each code works "
    "once; a backup code is crossed out after its use."
)
WRONG_APP_CODE = _(
    "This is not the code of now. Wait for the next one, and check that the clock of your phone is right."
)
NOT_SIX_DIGITS = _("The code of an authenticator app has six digits. Type all six as it shows them now.")
SERVICE_AWAY = _("The service that checks YubiKeys cannot be reached. Please use another way, or try again later.")
WRONG_KEY = _("The security key did not work here. Please try again, or use another way.")


class CodeInput(forms.TextInput):
    """A field for a code from wherever: digits, the text that a YubiKey types, a backup code."""

    def __init__(self, **attrs):
        common = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
        super().__init__(attrs=common | attrs)


def code_field(label, **kwargs):
    too_long = {"max_length": WRONG_CODE}
    return forms.CharField(label=label, max_length=64, error_messages=too_long, **kwargs)


def answer_field():
    """Filled by static/js/security-key.js with what the browser's authenticator says, as JSON."""
    return forms.CharField(
        required=False,
        max_length=16_384,
        widget=forms.HiddenInput(attrs={"data-security-key-answer": ""}),
        error_messages={"max_length": WRONG_KEY},
    )


def wrong(code):
    """What to say of a code that did not work: nothing of clocks where digits are missing or too many."""
    digits = "".join(code.replace("-", "").split())
    return NOT_SIX_DIGITS if digits.isdecimal() and len(digits) != totp.DIGITS else WRONG_CODE


class SecondFactorForm(forms.Form):
    """The second step: one field for any code, or a security key."""

    # Judged once: a right code is used up by that.
    idempotent = False

    code = code_field(_("One-time code"), widget=CodeInput(autofocus=""))
    answer = answer_field()

    def __init__(self, *args, user, request, **kwargs):
        super().__init__(*args, **kwargs)
        self.user, self.request = user, request
        if self.data.get(self.add_prefix("answer")):
            self.fields["code"].required = False

    def clean(self):
        if not self.errors:
            self.check_factor()

    def check_factor(self):
        """Count the try, then judge it; what was right becomes the user's `otp_device`."""
        if wait := Brake.objects.count_code(self.user, ip=self.request.client_ip):
            raise Throttled(wait)
        challenge = challenges.take(self.request.session)
        answer, code = self.cleaned_data.get("answer"), self.cleaned_data.get("code", "")
        factor = self.answered(answer, challenge) if answer else self.typed(code)
        if factor is None:
            raise ValidationError(WRONG_KEY if answer else wrong(code), code="factor")
        Brake.objects.forgive_codes(self.user, ip=self.request.client_ip)
        self.user.otp_device = factor

    def answered(self, answer, challenge):
        return self.user.factors.answered_with(answer, challenge) if challenge else None

    def typed(self, code):
        try:
            return self.user.factors.used_with(code)
        except yubikey.ServiceUnavailable as error:
            raise ValidationError(SERVICE_AWAY, code="service") from error


class ConfirmForm(SecondFactorForm):
    """Who is logged in shows it once more: password, and the second factor where there is one."""

    password = password_field(_("Current password:"), "current-password")
    field_order = ("password", "code", "answer")

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, user=user, **kwargs)
        if not user.has_factor:
            del self.fields["code"], self.fields["answer"]

    def clean_password(self):
        if wait := Brake.objects.count_change(self.user):
            raise Throttled(wait)
        if not self.user.is_current_password(self.cleaned_data["password"]):
            raise ValidationError(_("This is not your current password."), code="current")

    def check_factor(self):
        if self.user.has_factor:
            super().check_factor()


class NewFactorForm(forms.Form):
    """What all kinds have: a name, by which people know their things."""

    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        validators=[validate_name],
        help_text=_("So that you know it again, for example “My phone”."),
    )
    suggested = ""

    def __init__(self, *args, user, request, **kwargs):
        super().__init__(*args, initial={"name": self.suggested}, **kwargs)
        self.user, self.request = user, request


class NewAppForm(NewFactorForm):
    """An authenticator app: the page carries its key, sealed for this person, until the first code proves it."""

    suggested = _("My phone")
    code = code_field(_("Code that the app shows"), widget=CodeInput(inputmode="numeric", pattern="[0-9 ]*", size="7"))
    field_order = ("code", "name")

    def __init__(self, *args, user, request, **kwargs):
        super().__init__(*args, user=user, request=request, **kwargs)
        self.purpose = f"new totp key of {user.pk}"
        self.carried = self.carried_key()
        self.key = self.carried or totp.new_key()

    def carried_key(self):
        try:
            return unseal(self.purpose, self.data.get("sealed", ""), seconds=ENROLMENT_SECONDS)
        except Broken:
            return None

    @property
    def sealed_key(self):
        return seal(self.purpose, self.key)

    def clean(self):
        if not self.carried:
            raise ValidationError(
                _("This page was open for too long. Please scan the new code below."), code="expired"
            )
        if "code" not in self.cleaned_data:
            return
        code = "".join(self.cleaned_data["code"].split())
        self.step = totp.step_of(self.key, code)
        if self.step is None:
            six = totp.CODE.fullmatch(code)
            self.add_error("code", ValidationError(WRONG_APP_CODE if six else NOT_SIX_DIGITS, code="factor"))

    def save(self):
        name = self.cleaned_data["name"]
        return Factor.objects.add_app(self.user, key=self.key, step=self.step, name=name, by=self.user)


class NewYubikeyForm(NewFactorForm):
    """A YubiKey, by one touch."""

    suggested = _("My YubiKey")
    code = code_field(_("Touch the YubiKey now"), widget=CodeInput(autofocus=""))
    field_order = ("code", "name")

    def clean_code(self):
        try:
            return yubikey.touch("".join(self.cleaned_data["code"].split()).lower())
        except yubikey.OTPRefused as error:
            raise ValidationError(
                _("This is not what a YubiKey types as it comes. Click into the field and touch the key again."),
                code="factor",
            ) from error
        except yubikey.ServiceUnavailable as error:
            raise ValidationError(SERVICE_AWAY, code="service") from error

    def save(self):
        name, touch = self.cleaned_data["name"], self.cleaned_data["code"]
        return Factor.objects.add(
            self.user,
            Factor.Kind.YUBIKEY,
            name=name,
            identifier=touch.public_id,
            position=touch.position,
            by=self.user,
        )


class NewSecurityKeyForm(NewFactorForm):
    """A security key or passkey, by the browser's own ceremony."""

    suggested = _("My security key")
    answer = answer_field()

    def clean_answer(self):
        challenge = challenges.take(self.request.session)
        try:
            if challenge is None:
                raise CeremonyFailed
            return created(self.cleaned_data["answer"], challenge.value), challenge
        except CeremonyFailed as error:
            raise ValidationError(WRONG_KEY, code="factor") from error

    def save(self):
        key, challenge = self.cleaned_data["answer"]
        return Factor.objects.add(
            self.user,
            Factor.Kind.SECURITY_KEY,
            name=self.cleaned_data["name"],
            identifier=key.identifier,
            secret=key.public_key,
            position=challenge.at,
            sign_count=key.sign_count,
            by=self.user,
        )
