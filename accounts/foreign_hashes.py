"""Password hashes that people bring along from another installation, as long as Dovecot verifies them too.

Stored as `dovecot$` and then the hash itself: a crypt(3) or Argon2i string, which names its own kind, or a salted
digest behind Dovecot's name for it. Nothing makes such a hash here; the next login to the portal replaces it.
"""

import base64
import ctypes
import hashlib
import re
from functools import cache
from hmac import compare_digest

import argon2
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

PREFIX = "dovecot$"
ARGON2ID = "argon2$argon2id$"
# The column's width.
MOST = 128

NAMED = re.compile(r"\{([A-Za-z0-9-]{1,24})(\.B64)?\}(.*)", re.DOTALL | re.IGNORECASE)
# What stands behind these names says itself of which kind it is.
SELF_NAMING = {"CRYPT", "MD5", "MD5-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "BLF-CRYPT", "ARGON2I", "ARGON2ID"}
DIGESTS = {"SSHA": "sha1", "SSHA256": "sha256", "SSHA512": "sha512"}
# Names that may be repeated to people: any other text in braces might be a password.
REFUSED = {"PLAIN", "CLEAR", "CLEARTEXT", "PLAIN-MD5", "LDAP-MD5", "MD5RAW", "SMD5", "SHA", "SHA1", "SHA256", "SHA512"}
REFUSED |= {"DES-CRYPT", "CRAM-MD5", "DIGEST-MD5", "HMAC-MD5", "PLAIN-MD4", "NTLM", "LANMAN", "PBKDF2", "SCRAM-SHA-1"}
REFUSED |= {"SCRAM-SHA-256", "OTP", "SKEY", "RPA"}

SIGNS = "[./0-9A-Za-z]"
CRYPTS = {
    "MD5-CRYPT": re.compile(rf"\$1\${SIGNS}{{0,8}}\${SIGNS}{{22}}"),
    "SHA256-CRYPT": re.compile(rf"\$5\$(?:rounds=(?P<rounds>[0-9]+)\$)?{SIGNS}{{0,16}}\${SIGNS}{{43}}"),
    "SHA512-CRYPT": re.compile(rf"\$6\$(?:rounds=(?P<rounds>[0-9]+)\$)?{SIGNS}{{0,16}}\${SIGNS}{{86}}"),
    "BLF-CRYPT": re.compile(rf"\$2[aby]\$(?P<cost>[0-9]{{2}})\${SIGNS}{{53}}"),
}
ARGON2 = re.compile(
    r"\$(?P<kind>argon2id?)\$v=19\$m=(?P<memory>[0-9]+),t=(?P<passes>[0-9]+),p=[1-8]\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"
)

# Dearer ones would hold up everybody's mail logins, which Dovecot verifies one after the other: a second each at most.
MOST_ROUNDS = 999_999
MOST_COST = 13
MOST_MEMORY_KIB = 128 * 1024
MOST_WORK_KIB = 1024 * 1024


def stored(hashed: str) -> str:
    """What `User.password` holds of a hash as PostfixAdmin, Modoboa or Dovecot keep it.

    ValidationError says why it cannot be taken over, without repeating anything of a password.
    """
    name, body = parted(hashed)
    if name in DIGESTS:
        found = PREFIX + f"{{{name}}}{digest_checked(name, body)}"
    elif name in SELF_NAMING or not name:
        found = self_naming(body)
    else:
        raise unfit(name)
    if len(found) > MOST:
        raise too_dear()
    return found


def scheme_of(encoded: str) -> str:
    """Dovecot's name for the kind of a stored hash."""
    if encoded.startswith(ARGON2ID):
        return "ARGON2ID"
    body = encoded.removeprefix(PREFIX)
    if body.startswith("$argon2i$"):
        return "ARGON2I"
    return body[1:].partition("}")[0] if body.startswith("{") else kind_of(body)


def is_foreign(encoded: str) -> bool:
    return encoded.startswith(PREFIX)


def matches(password: str, encoded: str) -> bool:
    """Whether a foreign hash is of this password; False for what is no such hash."""
    body = encoded.removeprefix(PREFIX)
    try:
        if body.startswith("$argon2i$"):
            return argon2.PasswordHasher().verify(body, password)
        if body.startswith("{"):
            return digest_matches(password.encode(), body)
        return bool(kind_of(body)) and compare_digest(crypt(password.encode(), body.encode()), body.encode())
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError, ValueError, OSError):
        return False


def parted(hashed: str) -> tuple[str, str]:
    """The name in braces, empty where there is none, and what stands behind it."""
    named = NAMED.fullmatch(hashed.strip())
    if not named:
        return "", hashed.strip()
    name, packed, body = named.groups()
    name = name.upper()
    if packed and name in SELF_NAMING:
        try:
            body = base64.b64decode(body, validate=True).decode("ascii")
        except ValueError as error:
            raise unfit(name) from error
    return name, body


def self_naming(body: str) -> str:
    if argon := ARGON2.fullmatch(body):
        memory, passes = int(argon["memory"]), int(argon["passes"])
        if memory > MOST_MEMORY_KIB or memory * passes > MOST_WORK_KIB:
            raise too_dear()
        # Argon2id at another cost is what the portal has itself.
        return f"argon2{body}" if argon["kind"] == "argon2id" else PREFIX + body
    found = next(filter(None, (pattern.fullmatch(body) for pattern in CRYPTS.values())), None)
    if found is None:
        raise unfit("")
    limits = found.groupdict()
    if int(limits.get("rounds") or 0) > MOST_ROUNDS or int(limits.get("cost") or 0) > MOST_COST:
        raise too_dear()
    return PREFIX + body


def kind_of(body: str) -> str:
    return next((kind for kind, pattern in CRYPTS.items() if pattern.fullmatch(body)), "")


def digest_checked(name: str, body: str) -> str:
    try:
        size = len(base64.b64decode(body, validate=True)) - hashlib.new(DIGESTS[name]).digest_size
    except ValueError as error:
        raise unfit(name) from error
    if not 4 <= size <= 32:
        raise unfit(name)
    return body


def digest_matches(password: bytes, body: str) -> bool:
    name, _brace, packed = body[1:].partition("}")
    made = hashlib.new(DIGESTS.get(name, "sha512"))
    known = base64.b64decode(packed, validate=True)
    made.update(password + known[made.digest_size :])
    return name in DIGESTS and compare_digest(made.digest(), known[: made.digest_size])


def unfit(name: str) -> ValidationError:
    if name in SELF_NAMING or name in REFUSED or name in DIGESTS:
        text = _("The password is kept as %(scheme)s, which is not safe enough or cannot be verified here.")
    else:
        text = _("The password is kept in a form that is not safe enough or cannot be verified here.")
    return ValidationError(text, code="unfit", params={"scheme": name})


def too_dear() -> ValidationError:
    return ValidationError(_("Verifying the password would take the mail servers too long."), code="too_dear")


@cache
def library() -> ctypes.CDLL:
    """The system's libxcrypt, which Dovecot calls as well: portal and mail programs agree in every byte.

    Raises OSError where there is none.
    """
    for name in ("libcrypt.so.1", "libcrypt.so.2"):
        try:
            found = ctypes.CDLL(name)
            found.crypt_rn.restype = ctypes.c_char_p
            found.crypt_rn.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
        except (OSError, AttributeError):
            continue
        return found
    raise OSError("libxcrypt (libcrypt.so.1 or .2) is not installed: foreign password hashes cannot be verified")


def crypt(password: bytes, setting: bytes) -> bytes:
    """What crypt(3) makes of a password; ValueError for what it cannot take."""
    room = ctypes.create_string_buffer(32_768)
    # C reads up to the first NUL, behind which two passwords would look the same.
    made = None if b"\0" in password else library().crypt_rn(password, setting, room, len(room))
    if not made:
        raise ValueError("crypt cannot take this")
    return made
