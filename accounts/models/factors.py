import secrets

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models, transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device

from .. import totp, yubikey
from ..challenges import Challenge
from ..digests import keyed
from ..emails import tell
from ..names import validate_name
from ..seal import seal, unseal
from ..webauthn import CeremonyFailed, answered_by, verified
from .trail import AuditEvent
from .users import User

# Letters and digits that nobody takes for another one, whatever their case.
CODE_ALPHABET = "acdefhkmnprtwxy347"
CODE_LENGTH, CODE_GROUP, CODES = 12, 4, 10
TOTP_KEY = "totp key"


class LastFactor(Exception):
    """A second factor is required, and this is the only one."""


class FactorQuerySet(models.QuerySet["Factor"]):
    def visible_to(self, viewer):
        """Nobody sees more of another person's factors than that there are some."""
        return self.filter(user=viewer) if viewer.is_authenticated else self.none()

    def devices(self):
        """What a person holds in hand; codes on paper only help when it is lost."""
        return self.exclude(kind=Factor.Kind.CODES)

    def of_kind(self, kind):
        return self.filter(kind=kind)

    def used_with(self, typed: str) -> "Factor | None":
        """The factor whose code this is, which is used up by that; None for a wrong or used code.

        What was typed tells by its form whose it can be. Raises yubikey.ServiceUnavailable.
        """
        code = "".join(typed.split()).lower()
        if totp.CODE.fullmatch(code):
            return self._used_app(code)
        if public_id := yubikey.public_id_of(code):
            return self._used_yubikey(public_id, code)
        return self._used_paper(code.replace("-", ""))

    def answered_with(self, answer: str, challenge: Challenge) -> "Factor | None":
        """The security key that signed this challenge, which no key can sign for us again; else None."""
        factor = self.filter(kind=Factor.Kind.SECURITY_KEY, identifier=answered_by(answer) or "").first()
        if factor is None:
            return None
        try:
            sign_count = verified(answer, challenge.value, factor.secret, factor.sign_count)
        except CeremonyFailed:
            return None
        return factor if factor.spend(challenge.at, sign_count=sign_count) else None

    def _used_app(self, code):
        for factor in self.of_kind(Factor.Kind.TOTP):
            step = totp.step_of(unseal(TOTP_KEY, factor.secret), code)
            if step is not None and factor.spend(step):
                return factor
        return None

    def _used_yubikey(self, public_id, code):
        factor = self.filter(kind=Factor.Kind.YUBIKEY, identifier=public_id).first()
        if factor is None:
            return None
        try:
            touch = yubikey.touch(code)
        except yubikey.OTPRefused:
            return None
        return factor if factor.spend(touch.position) else None

    def _used_paper(self, code):
        if len(code) != CODE_LENGTH:
            return None
        for factor in self.of_kind(Factor.Kind.CODES):
            # Who deletes the row has used the code; of many at once that is one.
            if BackupCode.objects.filter(factor=factor, digest=keyed("factor", str(factor.user_id), code)).delete()[0]:
                factor.used()
                tell(factor.user, "backup_code_used", left=factor.codes.count())
                return factor
        return None


class FactorManager(models.Manager.from_queryset(FactorQuerySet)):
    def add(self, user, kind, *, name, identifier, by, **shown) -> "Factor":
        """A factor whose first code was right; `shown` holds that code's position, so that it opens nothing again.

        The first one closes the mail password. Raises ValidationError for one that the person has already.
        """
        with transaction.atomic():
            User.objects.select_for_update().get(pk=user.pk)
            factor = self.model(user=user, kind=kind, name=name, identifier=identifier, **shown)
            factor.validate_constraints()
            factor.save()
            AuditEvent.objects.record(AuditEvent.Deed.FACTOR_ADDED, user, by=by, new={"kind": kind, "name": name})
            tell(user, "factor_added", factor=factor)
            user.keep_factors(by=by)
            user.settle_mail_password()
        return factor

    def add_app(self, user, *, key, step, name, by) -> "Factor":
        """An authenticator app with its key; the same key twice is refused by the database."""
        identifier = keyed("factor", str(user.pk), key)[:32]
        secret = seal(TOTP_KEY, key)
        return self.add(user, Factor.Kind.TOTP, name=name, identifier=identifier, secret=secret, position=step, by=by)

    def draw_codes(self, user, *, by) -> list[str]:
        """Ten new backup codes, to be shown once; the old ones die."""
        codes = ["".join(secrets.choice(CODE_ALPHABET) for _i in range(CODE_LENGTH)) for _j in range(CODES)]
        with transaction.atomic():
            User.objects.select_for_update().get(pk=user.pk)
            self.filter(user=user, kind=Factor.Kind.CODES).delete()
            factor = self.create(user=user, kind=Factor.Kind.CODES, name="", identifier="")
            BackupCode.objects.bulk_create(
                BackupCode(factor=factor, digest=keyed("factor", str(user.pk), code)) for code in codes
            )
            AuditEvent.objects.record(AuditEvent.Deed.CODES_DRAWN, user, by=by)
            tell(user, "backup_codes_drawn")
        return ["-".join(code[at : at + CODE_GROUP] for at in range(0, CODE_LENGTH, CODE_GROUP)) for code in codes]


class Factor(Device):
    """One second factor of a person. What it shows counts once: `position` only grows.

    `position` is an app's time step, a YubiKey's counters, or the microsecond in which a security key was asked.
    """

    class Kind(models.TextChoices):
        TOTP = "totp", _("authenticator app")
        YUBIKEY = "yubikey", "YubiKey"
        SECURITY_KEY = "webauthn", _("security key or passkey")
        CODES = "codes", _("backup codes")

    user = models.ForeignKey(User, models.CASCADE, related_name="factors", verbose_name=_("person"))
    name = models.CharField(_("name"), max_length=60, blank=True, validators=[validate_name])
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    # A YubiKey's public id, a security key's credential id (base64url), a keyed digest of an app's key.
    identifier = models.CharField(max_length=1400, blank=True)
    # An app's key, sealed; a security key's public key (COSE, base64url).
    secret = models.TextField(blank=True)
    position = models.BigIntegerField(default=0)
    sign_count = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    objects = FactorManager()

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind", "identifier"],
                name="accounts_factor_once",
                violation_error_message=_("You have added this one already."),
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["totp", "yubikey", "webauthn", "codes"]), name="accounts_factor_kind_known"
            ),
        ]

    def __str__(self):
        return self.name or self.get_kind_display()

    def spend(self, position: int, **fields) -> bool:
        """Use up what stands at `position`; False if that or a later one was used before, by whomever."""
        unused = Factor.objects.filter(pk=self.pk, position__lt=position)
        now = timezone.now()
        if not unused.update(position=position, last_used_at=now, **fields):
            return False
        self.position, self.last_used_at = position, now
        return True

    def used(self):
        self.last_used_at = timezone.now()
        self.save(update_fields=["last_used_at"])

    @property
    def is_last_needed(self) -> bool:
        """Whether without this one the person would lack a factor that is required."""
        return self.user.needs_factor and not self.user.factors.devices().exclude(pk=self.pk).exists()

    def remove(self, *, by):
        """Take the factor away, by its owner; the codes on paper go with the last one. Raises LastFactor."""
        with transaction.atomic():
            user = User.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=self.user_id)
            if self.is_last_needed:
                raise LastFactor(self)
            label = {"kind": self.kind, "name": self.name}
            Factor.objects.filter(pk=self.pk).delete()
            if not user.factors.devices().exists():
                user.factors.all().delete()
            AuditEvent.objects.record(AuditEvent.Deed.FACTOR_REMOVED, user, by=by, old=label)
            tell(user, "factor_removed", factor=self)
            user.settle_mail_password()


class BackupCode(models.Model):
    """One unused backup code, as a keyed digest; using it deletes the row."""

    factor = models.ForeignKey(Factor, models.CASCADE, related_name="codes")
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("backup code")
        verbose_name_plural = _("backup codes")
        constraints = [models.UniqueConstraint(fields=["factor", "digest"], name="accounts_backup_code_once")]

    def __str__(self):
        return self.digest[:8]


def coverage(person: str) -> dict:
    """Annotations for a list of people: which kinds of factors they have, and since when; `person` is their column."""
    devices = Factor.objects.devices().filter(user=OuterRef(person)).order_by("created_at")
    kinds = devices.order_by("kind").distinct("kind").values("kind")
    return {"factor_since": Subquery(devices.values("created_at")[:1]), "factor_kinds": ArraySubquery(kinds)}
