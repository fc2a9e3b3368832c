from datetime import datetime, timedelta

from django.apps import apps
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.db.models import Exists, F, Func, OuterRef, Q, Subquery, Value
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from ..addresses import display_address, normalise_address
from ..emails import tell
from ..foreign_hashes import scheme_of
from ..hashers import verify
from ..names import validate_name
from ..passwords import PasswordContext, Rule, generate_initial_password
from ..sorting import SortKey
from ..wall import EVERYBODY
from .credential_states import CredentialState, has_own_password
from .outbox import OutboxMessage
from .tenants import Tenant
from .trail import AuditEvent

# For staff, who have no tenant to say otherwise.
INITIAL_PASSWORD_DAYS = 14


class StaleCredentials(Exception):
    """The credentials were given out or changed in the meantime; nothing was changed now."""


class MaySignIn(Func):
    """The one rule of who may sign in, as the SQL function that the mail servers' views call too."""

    function = "accounts_may_sign_in"
    output_field = models.BooleanField()

    def __init__(self, status=None):
        """`status` stands in for the tenant's own."""
        own = (F("locked_at"), F("valid_until"), F("initial_password"), F("initial_expires_at"))
        super().__init__(*own, status or F("tenant__status"))


def _has_factor() -> Exists:
    return Exists(apps.get_model("accounts.Factor").objects.devices().filter(user=OuterRef("pk")))


def _support_until() -> Subquery:
    """Until when the person lets support see their settings; NULL: not now."""
    consents = apps.get_model("accounts.SupportConsent").objects.open()
    return Subquery(consents.filter(user=OuterRef("pk")).values("until"))


class UserQuerySet(models.QuerySet):
    def visible_to(self, viewer):
        """Staff see everybody; DVB and DSB the mailbox users of their tenant; anybody themselves."""
        if not viewer.is_authenticated:
            return self.none()
        if viewer.role == User.Role.STAFF:
            return self
        if viewer.role in (User.Role.DVB, User.Role.DSB):
            return self.filter(Q(tenant_id=viewer.tenant_id, role=User.Role.USER) | Q(pk=viewer.pk))
        return self.filter(pk=viewer.pk)

    def colleagues(self):
        """Everybody who logs in under KundenServiceCenter: staff, DVBs and DSBs."""
        return self.filter(area=User.Area.KSC)

    def may_get_credentials_from(self, viewer):
        """A DVB gives credentials to the tenant's mailbox users, staff to colleagues: never to a mailbox."""
        if viewer.role == User.Role.DVB:
            return self.filter(tenant_id=viewer.tenant_id, role=User.Role.USER, is_function=False)
        return self.colleagues() if viewer.role == User.Role.STAFF else self.none()

    def needing_identity_check(self) -> set[int]:
        """Ids of those who had a password of their own already, or asked for new credentials from outside."""
        asks = Q(recovery_requests__outcome="open")
        return set(self.filter(has_own_password() | asks).values_list("pk", flat=True))

    def helpers_of(self, person):
        """Who may give a person new credentials: the tenant's DVBs a mailbox user, staff everybody else."""
        if person.role == User.Role.USER:
            return self.for_sign_in().filter(tenant_id=person.tenant_id, role=User.Role.DVB, may_sign_in=True)
        return self.for_sign_in().filter(role=User.Role.STAFF, may_sign_in=True)

    def for_sign_in(self):
        """With the tenant, `accounts_may_sign_in`, and what each page asks about the person, in one query."""
        return self.select_related("tenant").annotate(
            may_sign_in=MaySignIn(), has_factor=_has_factor(), support_until=_support_until()
        )

    def settle_mail_passwords(self):
        """Decide anew whose password opens mail programs; where it no longer does, open sessions end.

        Closed by an initial password, by the tenant's wish and by a second factor, which no mail program asks for.
        """
        boxes = self.filter(area=User.Area.MAILBOX)
        chosen = Q(initial_password=False) & has_own_password()
        # Named by a subquery: an UPDATE that joins is written as one of the table with itself, and planned badly.
        wanted = Tenant.objects.filter(Q(app_passwords_from=None) | Q(app_passwords_from__gt=timezone.localdate()))
        opens = chosen & Q(tenant__in=wanted) & ~_has_factor()
        closing = boxes.filter(mail_password_enabled=True).exclude(opens)
        OutboxMessage.objects.end_mail_sessions(closing.values_list("address", flat=True))
        closing.update(mail_password_enabled=False)
        boxes.filter(opens, mail_password_enabled=False).update(mail_password_enabled=True)

    def bring_passwords(self, hashes):
        """Give people who never had one the password that they had elsewhere, as `foreign_hashes.stored` says it.

        `hashes` by ids of people. Whose password opens mail programs is decided as for everybody.
        """
        with transaction.atomic():
            people = self.filter(pk__in=hashes).select_for_update(of=("self",))
            fresh = list(people.filter(initial_issues=0, password_changed_at=None, password_imported_at=None))
            for person in fresh:
                person.password, person.password_imported_at = hashes[person.pk], timezone.now()
            self.bulk_update(fresh, ["password", "password_imported_at"], batch_size=500)
            draft, deed = AuditEvent.objects.draft, AuditEvent.Deed.PASSWORD_IMPORTED
            AuditEvent.objects.bulk_create(draft(deed, each, new={"kind": scheme_of(each.password)}) for each in fresh)
            self.filter(pk__in=hashes).settle_mail_passwords()

    def at_login(self, area, address):
        """The account behind a login form's area and canonical address, whatever its tenant.

        With `waits_for_tenant`: by the same rule only the suspension of the organisation keeps the person out.
        """
        waits = Q(MaySignIn(Value("active"))) & Q(tenant__status="suspended")
        return self.for_sign_in().annotate(waits_for_tenant=waits).filter(area=area, address=address).first()


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):
    def get_by_natural_key(self, area, address):
        return self.get(area=area, address=address)

    def create_person(self, *, role, address, tenant=None, name="", language="de", by=None, **fields) -> "User":
        """A person without a usable password; credentials are made when they are given out."""
        area = User.Area.MAILBOX if role == User.Role.USER else User.Area.KSC
        user = User(
            area=area,
            role=role,
            address=normalise_address(address),
            tenant=tenant,
            name=name,
            language=language,
            **fields,
        )
        user.set_unusable_password()
        with transaction.atomic():
            user.save()
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, user, by=by, new={"role": role})
        return user


class User(AbstractBaseUser):
    """A login: one address in one login area. A person with a mailbox and a DVB account has two."""

    class Area(models.TextChoices):
        KSC = "ksc", "KundenServiceCenter"
        MAILBOX = "mailbox", _("single mailbox")

    class Role(models.TextChoices):
        STAFF = "staff", _("staff")
        DVB = "dvb", _("DVB (mail administrator)")
        DSB = "dsb", _("DSB (data protection officer)")
        USER = "user", _("mailbox user")

    class Language(models.TextChoices):
        GERMAN = "de", "Deutsch"
        ENGLISH = "en", "English"

    area = models.CharField(_("login area"), max_length=8, choices=Area)
    address = models.CharField(_("e-mail address"), max_length=254)
    tenant = models.ForeignKey(
        "accounts.Tenant", models.PROTECT, null=True, blank=True, related_name="people", verbose_name=_("tenant")
    )
    role = models.CharField(_("role"), max_length=8, choices=Role)
    name = models.CharField(_("name"), max_length=120, blank=True, validators=[validate_name])
    # Empty until the person chooses one in the portal; until then the browser's counts.
    portal_language = models.CharField(max_length=8, blank=True, default="", db_default="", editable=False)
    sort_key = models.GeneratedField(
        expression=SortKey(F("name")), output_field=models.TextField(), db_persist=True, editable=False
    )
    language = models.CharField(_("language"), max_length=2, choices=Language, default=Language.GERMAN)
    # Of a mailbox for a purpose: nobody logs in as it, its members open it with app passwords of their own.
    is_function = models.BooleanField(_("for a purpose"), default=False, db_default=False, editable=False)
    password_changed_at = models.DateTimeField(_("last password change"), null=True, editable=False)
    # Of a password that came from another installation, as a hash that nobody here has judged.
    password_imported_at = models.DateTimeField(_("password brought along"), null=True, editable=False)
    initial_password = models.BooleanField(_("still the initial password"), default=False, editable=False)
    initial_issued_at = models.DateTimeField(_("given out on"), null=True, editable=False)
    initial_expires_at = models.DateTimeField(_("valid until"), null=True, editable=False)
    initial_used_at = models.DateTimeField(_("first login"), null=True, editable=False)
    initial_issues = models.PositiveIntegerField(_("times given out"), default=0, editable=False)
    mail_password_enabled = models.BooleanField(_("password opens mail programs"), default=False, editable=False)
    # While the person can still object to a removal that a DVB has asked for.
    factors_end_at = models.DateTimeField(_("second factors end"), null=True, editable=False)
    locked_at = models.DateTimeField(_("locked"), null=True, editable=False)
    locked_by = models.ForeignKey("self", models.SET_NULL, null=True, editable=False, related_name="+")
    lock_reason = models.CharField(_("reason"), max_length=200, blank=True, editable=False)
    # The last day on which a deputy may log in, or whose mailbox is going to be deleted.
    valid_until = models.DateField(
        _("deputy until"), null=True, blank=True, help_text=_("Last day on which a deputy may log in.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    # Locking is `locked_at`; Django's own switch is not used.
    is_active = True

    objects = UserManager()

    USERNAME_FIELD = "address"
    REQUIRED_FIELDS = ["area", "role"]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ["sort_key", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["area", "address"],
                name="accounts_user_area_address",
                violation_error_message=_("There is already a login with this address in this login area."),
            ),
            models.UniqueConstraint(fields=["tenant", "id"], name="accounts_user_tenant_id"),
            models.CheckConstraint(
                condition=Q(role="staff", tenant=None) | (~Q(role="staff") & Q(tenant__isnull=False)),
                name="accounts_user_tenant_unless_staff",
                violation_error_message=_("Staff belong to no tenant, everybody else to exactly one."),
            ),
            models.CheckConstraint(
                condition=Q(role="user", area="mailbox") | Q(role__in=["staff", "dvb", "dsb"], area="ksc"),
                name="accounts_user_role_fits_area",
                violation_error_message=_(
                    "Mailbox users log in under “single mailbox”, all others under KundenServiceCenter."
                ),
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(role__in=["dvb", "user"]),
                name="accounts_user_only_deputies_end",
                violation_error_message=_("Only a deputy of the DVB has an end date."),
            ),
            models.CheckConstraint(
                condition=Q(is_function=False)
                | Q(role="user", password__startswith="!", initial_password=False, mail_password_enabled=False),
                name="accounts_user_function_has_no_password",
                violation_error_message=_("Nobody logs in as a mailbox for a purpose: its members have passwords."),
            ),
            models.CheckConstraint(
                condition=Q(mail_password_enabled=False) | Q(area="mailbox", initial_password=False),
                name="accounts_user_initial_password_opens_no_mail",
                violation_error_message=_("An initial password opens only the portal."),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "role", "sort_key"], name="accounts_user_tenant_role")]

    def __str__(self):
        return display_address(self.address)

    def natural_key(self):
        return (self.area, self.address)

    @property
    def is_staff(self) -> bool:
        """Whether this person works in one of the two admin sites."""
        return self.role != self.Role.USER

    @property
    def is_deputy(self) -> bool:
        """Whether this person stands in for the DVB until a day."""
        return self.role == self.Role.DVB and self.valid_until is not None

    @property
    def acting_role(self) -> str:
        """The role that the audit trail names."""
        return "deputy" if self.is_deputy else self.role

    @property
    def is_locked(self) -> bool:
        return self.locked_at is not None

    @property
    def reach(self) -> str:
        """Whose rows the database shows this person."""
        return EVERYBODY if self.role == self.Role.STAFF else str(self.tenant_id)

    @property
    def reached_at(self) -> list[str]:
        """Where this person reads what the portal has to tell."""
        return [self.address, *self.recovery_addresses.in_force().values_list("address", flat=True)]

    @property
    def needs_factor(self) -> bool:
        """Whether this person may go on only with a second factor."""
        return self.role != self.Role.USER or bool(self.tenant and self.tenant.factor_is_due)

    @property
    def credential_state(self) -> CredentialState:
        if not self.initial_password:
            if self.password_changed_at:
                return CredentialState.CHANGED
            return CredentialState.IMPORTED if self.password_imported_at else CredentialState.CREATED
        if self.initial_expires_at is None or self.initial_expires_at <= timezone.now():
            return CredentialState.EXPIRED
        if self.initial_used_at:
            return CredentialState.LOGGED_IN
        return CredentialState.REISSUED if self.initial_issues > 1 else CredentialState.ISSUED

    @property
    def password_set_at(self) -> datetime | None:
        """Since when the person has a password of their own, chosen here or brought along."""
        return self.password_changed_at or self.password_imported_at

    @property
    def password_rule(self) -> Rule:
        return Rule(self.tenant.password_rule) if self.tenant else Rule.CLASSES

    @property
    def password_context(self) -> PasswordContext:
        """What a password of this person must not contain, and the tenant's rule."""
        names = (self.name, self.tenant.name if self.tenant else "", settings.PRODUCT_NAME)
        return PasswordContext(rule=self.password_rule, address=self.address, names=tuple(filter(None, names)))

    def has_perm(self, perm, obj=None) -> bool:
        """Rights follow the role alone; the admin sites ask their own ModelAdmins."""
        return False

    def has_module_perms(self, app_label) -> bool:
        return False

    def choose_language(self, language):
        """Speak this language to the person from now on, in whatever browser they log in."""
        self.portal_language = language
        self.save(update_fields=["portal_language"])

    def login_recorded(self):
        """Note a finished login; the first one with an initial password moves its state on."""
        if self.initial_password and not self.initial_used_at:
            self.initial_used_at = timezone.now()
            self.save(update_fields=["initial_used_at"])
        self.password_resets.unused().delete()
        AuditEvent.objects.record(AuditEvent.Deed.LOGGED_IN, self, by=self, new={"area": self.area})

    def draw_initial_password(self) -> tuple[str, str]:
        """A new initial password and its hash; nothing is stored, so draw outside any transaction."""
        password = generate_initial_password(self.password_context)
        return password, make_password(password)

    def initial_expiry(self, issued_at: datetime) -> datetime:
        days = self.tenant.initial_password_days if self.tenant else INITIAL_PASSWORD_DAYS
        return issued_at + timedelta(days=days)

    def issue_initial_password(self, encoded: str, *, by, issue: int, at: datetime, check: dict | None = None):
        """Make the drawn password the only valid one; `issue` is how often the caller saw it given out.

        `check` says for the trail how it was found out who the person is. What the person before may have left goes:
        recovery address, app passwords, known places, support access, a removal of factors that waits for objection.
        Raises StaleCredentials when somebody was faster, e.g. when a form is sent twice.
        """
        reached, had_one = self.reached_at, self.password_set_at is not None
        with transaction.atomic():
            self._swap(
                User.objects.filter(pk=self.pk, initial_issues=issue),
                password=encoded,
                initial_password=True,
                initial_issued_at=at,
                initial_expires_at=self.initial_expiry(at),
                initial_used_at=None,
                initial_issues=issue + 1,
                mail_password_enabled=False,
            )
            new = {"issue": issue + 1, **(check or {})}
            AuditEvent.objects.record(AuditEvent.Deed.CREDENTIALS_ISSUED, self, by=by, new=new)
            self.recovery_addresses.remove_for(self, by=by)
            self.recovery_requests.waiting().close("done", by=by)
            self.places.all().delete()
            apps.get_model("accounts.SupportConsent").objects.end(self, by=by)
            self.keep_factors(by=by)
            for name in settings.AFTER_PASSWORD_RESET:
                import_string(name)(self)
            if had_one:
                tell(self, "credentials_issued", at=reached, by=by)
                for name in settings.HELD_AFTER_PASSWORD_RESET:
                    import_string(name)(self)
            self.end_mail_sessions()

    def change_password(self, password: str, *, by):
        """Replace the password that was just verified by one of the person's own.

        Raises StaleCredentials when another change came first: old or new, never a mixture.
        """
        self.take_password(make_password(password), by=by, deed=AuditEvent.Deed.PASSWORD_CHANGED)

    def take_password(self, encoded: str, *, by, deed):
        """Make the hash of a password of the person's own the one that counts; the deed also names the e-mail.

        Raises StaleCredentials when the password is no longer the one that this object was read with.
        """
        with transaction.atomic():
            self._swap(
                User.objects.filter(pk=self.pk, password=self.password),
                password=encoded,
                password_changed_at=timezone.now(),
                initial_password=False,
            )
            self.settle_mail_password()
            AuditEvent.objects.record(deed, self, by=by)
            tell(self, deed.value)
            self.end_mail_sessions()

    def settle_mail_password(self):
        """Decide anew whether the password opens mail programs."""
        User.objects.filter(pk=self.pk).settle_mail_passwords()
        self.refresh_from_db(fields=["mail_password_enabled"])

    def ask_factor_removal(self, *, by, check: dict):
        """Take all second factors away for somebody who lost them: at once, or after the tenant's pause.

        `check` says for the trail how it was made sure who asks.
        """
        hours = self.tenant.factor_removal_hours if self.tenant else 0
        if not hours:
            self.remove_factors(by=by, check=check)
            return
        with transaction.atomic():
            self.factors_end_at = timezone.now() + timedelta(hours=hours)
            self.save(update_fields=["factors_end_at"])
            AuditEvent.objects.record(AuditEvent.Deed.FACTORS_REMOVAL_ASKED, self, by=by, new=check)
            OutboxMessage.objects.add(OutboxMessage.Kind.REMOVE_FACTORS, due=self.factors_end_at, user=self.pk)
            tell(self, "factors_removal", by=by)

    def keep_factors(self, *, by):
        """The person objects: nothing is removed."""
        with transaction.atomic():
            if User.objects.filter(pk=self.pk, factors_end_at__isnull=False).update(factors_end_at=None):
                AuditEvent.objects.record(AuditEvent.Deed.FACTORS_KEPT, self, by=by)

    def remove_factors(self, *, by, check: dict):
        """No second factor from now on, and no session that was opened with one."""
        with transaction.atomic():
            self.factors.all().delete()
            self.factors_end_at = None
            self.save(update_fields=["factors_end_at"])
            self.sessions.all().delete()
            self.places.all().delete()
            AuditEvent.objects.record(AuditEvent.Deed.FACTORS_REMOVED, self, by=by, new=check)
            tell(self, "factors_removed", by=by)
            self.settle_mail_password()

    def refresh_hash(self, password: str):
        """Store the same password at today's cost, unless it was changed in the meantime."""
        encoded = make_password(password)
        if User.objects.filter(pk=self.pk, password=self.password).update(password=encoded):
            self.password = encoded

    def is_current_password(self, password: str) -> bool:
        return verify(password, self.password)[0]

    def lock(self, *, by, reason=""):
        """No sign-in to portal or mail; mail is still received, open sessions end."""
        with transaction.atomic():
            if not self._switch_lock(True, timezone.now(), by, reason):
                return
            self.password_resets.unused().delete()
            self.sessions.all().delete()
            self.keep_factors(by=by)
            AuditEvent.objects.record(AuditEvent.Deed.LOCKED, self, by=by, new={"reason": reason})
            self.end_mail_sessions()

    def unlock(self, *, by):
        with transaction.atomic():
            if not self._switch_lock(False, None, None, ""):
                return
            AuditEvent.objects.record(AuditEvent.Deed.UNLOCKED, self, by=by)

    def end_mail_sessions(self):
        if self.area == self.Area.MAILBOX:
            OutboxMessage.objects.end_mail_sessions([self.address])

    def _switch_lock(self, lock: bool, at, by, reason) -> bool:
        """Lock what is open, or open what is locked; a second time changes nothing and loses no reason."""
        others = User.objects.filter(pk=self.pk, locked_at__isnull=lock)
        changed = others.update(locked_at=at, locked_by=by, lock_reason=reason)
        self.refresh_from_db(fields=["locked_at", "locked_by", "lock_reason"])
        return bool(changed)

    def _swap(self, unchanged, **fields):
        """Store a new password where the row is still as it was seen; links mailed before and open sessions end."""
        if not unchanged.update(**fields):
            raise StaleCredentials(self)
        self.password_resets.unused().delete()
        self.recovery_addresses.filter(verified_at=None).delete()
        self.sessions.all().delete()
        for name, value in fields.items():
            setattr(self, name, value)
