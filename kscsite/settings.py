"""All settings, from the environment alone; README lists the variables."""

import re
from base64 import b64decode
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

SECRET_KEY = env("SECRET_KEY")
DEBUG = env.bool("DEBUG", default=False)
PRODUCT_NAME = "KundenServiceCenter"

# Where people reach the portal; links, cookies and allowed hosts follow from it, never from a request's Host header.
BASE_URL = env("BASE_URL").rstrip("/")
_base = urlsplit(BASE_URL)
HTTPS = _base.scheme == "https"


def private(address):
    """Whether nobody on the way can read what goes to this address: https, or http that stays on this machine."""
    loopback = address.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(address.hostname) and (address.scheme == "https" or (address.scheme == "http" and loopback))


def is_address_and_port(text):
    host, _colon, port = text.rpartition(":")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return port.isdecimal() and 0 < int(port) < 65536


if not private(_base):
    raise ImproperlyConfigured("BASE_URL must be an https:// address; plain http is for localhost only.")
if DEBUG and HTTPS:
    raise ImproperlyConfigured("DEBUG and an https BASE_URL do not go together.")
ALLOWED_HOSTS = [_base.hostname]
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "kscsite",
    "filters",
    "mailboxes",
    "accounts",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "csp",
    "django_otp",
    # two_factor imports their models; the portal has its own, and these tables stay empty.
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "two_factor",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "kscsite.middleware.fixed_headers",
    "kscsite.middleware.method_not_allowed",
    "kscsite.middleware.no_nul",
    "accounts.middleware.request_context",
    "accounts.middleware.second_wall",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "accounts.middleware.session_life",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.middleware.FirstThings",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "kscsite.urls"
WSGI_APPLICATION = "kscsite.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context_processors.installation",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"


def database(variable):
    """A database URL; a socket folder stands percent-encoded in the host's place, as libpq has it."""
    parsed = env.db_url(variable, engine="django.db.backends.postgresql")
    return parsed | {"HOST": unquote(parsed["HOST"])}


# The serving role may not change the schema; the owner migrates and makes test databases.
_options = {
    "connect_timeout": 5,
    "options": "-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=60s",
    "pool": {"min_size": 0, "max_size": env.int("DATABASE_POOL_SIZE", default=8), "timeout": 3},
}
DATABASES = {
    "default": database("DATABASE_URL")
    | {
        "ATOMIC_REQUESTS": True,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": _options,
        "TEST": {"MIRROR": "owner"},
    },
}
if env("DATABASE_OWNER_URL", default=""):
    DATABASES["owner"] = database("DATABASE_OWNER_URL") | {"OPTIONS": {"options": "-c app.tenant=*"}}
else:
    DATABASES["default"]["TEST"] = {}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.AreaBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "start"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_HASHERS = ["accounts.hashers.PortalArgon2PasswordHasher"]
# Memory and passes of Argon2id; one cost for everybody, since Dovecot verifies the same hash in one process.
ARGON2_MEMORY_KIB = env.int("ARGON2_MEMORY_KIB", default=19456)
ARGON2_TIME_COST = env.int("ARGON2_TIME_COST", default=2)
# A login is unique by area and address together, and the own backend asks for both.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]

SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_NAME = "__Host-ksc" if HTTPS else "ksc"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "kscsite.views.csrf_failure"
# Idle and absolute life of a session, and how often "last seen" is written, in seconds.
SESSION_COOKIE_AGE = 30 * 60
SESSION_ABSOLUTE_AGE = 12 * 60 * 60
SESSION_SEEN_EVERY = 5 * 60
# For how long a login counts as fresh enough to change what protects the account, in seconds.
FRESH_LOGIN_AGE = 5 * 60

SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
# How many reverse proxies of ours stand in front; so many last entries of X-Forwarded-For are believed.
PROXY_HOPS = env.int("PROXY_HOPS", default=0)
if PROXY_HOPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

LANGUAGE_CODE = "de"
LANGUAGES = [("de", _("German")), ("en", _("English"))]
LANGUAGE_COOKIE_NAME = "__Host-language" if HTTPS else "language"
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
# Messages name addresses, so they stay on the server.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "Europe/Berlin"

STATIC_URL = "static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if env.bool("STATIC_UNHASHED", default=False)
        else "kscsite.static.KnownNames"
    },
}

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
# Seconds: a mail server that hangs must not hold the worker, which tries again later.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"noreply@{_base.hostname}")

# What the worker does with each kind of outbox message; accounts imports none of them.
OUTBOX_HANDLERS = {
    "email": "accounts.emails.deliver",
    "end_mail_sessions": "mailboxes.dovecot.end_sessions",
    "password_reset": "accounts.recovery.answer_request",
    "recovery_address": "accounts.recovery.mail_confirmation",
    "prove_domain": "mailboxes.proof.look_again",
    "import_mailboxes": "mailboxes.imports.carry_out",
    "forget_import": "mailboxes.imports.forget",
    "forward_link": "mailboxes.forward_links.mail_link",
    "delete_mailbox": "mailboxes.deletion.delete_due",
    "remove_factors": "accounts.factor_removal.carry_out",
    "announce_app_passwords": "accounts.policy.announce_app_passwords",
    "settle_mail_passwords": "accounts.policy.settle_mail_passwords",
    "renew_rejects": "filters.rejects.renew",
    "spam_digest": "filters.digests.send",
}
# Called with the person after a password was set anew by a mailed link, unless they keep their mail programs' access.
AFTER_PASSWORD_RESET = ["mailboxes.models.app_passwords.revoke_all"]
# Called so after every reset, and when credentials are given out anew: what the owner has to look at first.
HELD_AFTER_PASSWORD_RESET = ["mailboxes.models.forwards.hold_all"]
# What else the worker forgets, or looks after, from time to time.
TIDIED = [
    "mailboxes.models.forget_long_gone",
    "mailboxes.models.forwards.tell_stopped",
    "filters.rejects.keep_whole",
    "filters.models.forget_verdicts",
    "filters.digests.ask_for_due",
]
# Says of a person and an address whether mail to it ends in the very mailbox that the person cannot open.
LEADS_TO_MAILBOX = "mailboxes.models.leads_to_mailbox"
# The resolver that is asked about domains, as address:port; empty: the machine's own.
DNS_RESOLVER = env("DNS_RESOLVER", default="")
if DNS_RESOLVER and not is_address_and_port(DNS_RESOLVER):
    raise ImproperlyConfigured("DNS_RESOLVER must be an IP address and a port, e.g. 127.0.0.1:53 or [::1]:53.")

# Dovecot's doveadm HTTP API; empty where there are no mail servers, and so no mail sessions to end.
DOVEADM_URL = env("DOVEADM_URL", default="")
DOVEADM_API_KEY = env("DOVEADM_API_KEY", default="")

# Where Rspamd reads who rejects spam (redis:// or unix://); empty: nobody's spam is rejected, it goes to the folder.
REDIS_URL = env("REDIS_URL", default="")

# Stands before each app password where it is hashed, here and in Dovecot's configuration: none of its signs in it.
APP_PASSWORD_PEPPER = env("APP_PASSWORD_PEPPER")
if not re.fullmatch(r"[A-Za-z0-9_.~-]{32,}", APP_PASSWORD_PEPPER):
    raise ImproperlyConfigured("APP_PASSWORD_PEPPER must be 32 or more of A-Z a-z 0-9 _ . ~ -, e.g. 64 hex digits.")

# What Rspamd proves itself with when it tells what it said of a message; empty: nobody can tell.
VERDICTS_SECRET = env("VERDICTS_SECRET", default="")
if VERDICTS_SECRET and not re.fullmatch(r"[A-Za-z0-9_.~-]{32,}", VERDICTS_SECRET):
    raise ImproperlyConfigured("VERDICTS_SECRET must be 32 or more of A-Z a-z 0-9 _ . ~ -, e.g. 64 hex digits.")

# PEM files that sign Apple's configuration profiles: the key, and its certificate with the chain; else unsigned.
PROFILE_SIGNING_KEY = env("PROFILE_SIGNING_KEY", default="")
PROFILE_SIGNING_CERTIFICATE = env("PROFILE_SIGNING_CERTIFICATE", default="")

# Who judges YubiKeys' one-time passwords: addresses asked in turn, and the key that signs both ways; empty: nobody.
YUBIKEY_VALIDATION_URLS = [url.strip() for url in env.list("YUBIKEY_VALIDATION_URLS", default=[]) if url.strip()]
YUBIKEY_CLIENT_ID = env("YUBIKEY_CLIENT_ID", default="")
YUBIKEY_CLIENT_KEY = env("YUBIKEY_CLIENT_KEY", default="")
for _url in map(urlsplit, YUBIKEY_VALIDATION_URLS):
    if not private(_url) or _url.query or _url.fragment or _url.username is not None:
        raise ImproperlyConfigured("YUBIKEY_VALIDATION_URLS must be https:// addresses without a query.")
if YUBIKEY_VALIDATION_URLS:
    if not YUBIKEY_CLIENT_ID:
        raise ImproperlyConfigured("YUBIKEY_VALIDATION_URLS needs YUBIKEY_CLIENT_ID.")
    try:
        _key = b64decode(YUBIKEY_CLIENT_KEY, validate=True)
    except ValueError:
        _key = b""
    if len(_key) < 16:
        raise ImproperlyConfigured("YUBIKEY_CLIENT_KEY must be the service's base64 key of 16 bytes or more.")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secret_links": {"()": "accounts.logs.WithoutSecretLinks"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["secret_links"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # It lists the glyphs that it embeds: of a letter these are the characters of the passwords.
    "loggers": {"fontTools": {"level": "ERROR"}},
}
