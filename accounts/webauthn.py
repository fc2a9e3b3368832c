"""Security keys and passkeys (WebAuthn): what a browser is asked for, and whether its answer is true.

Options and answers are JSON texts, as the browser's own functions read and write them; ids and keys are base64url.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

# Milliseconds that a person has to find the key and touch it.
PATIENCE = 300_000
# Characters; the answer of a key with the longest id has about 8,000.
TOO_LONG = 10_000
# Bytes; a challenge that is missing must not be met by an answer to nothing.
SHORTEST_CHALLENGE = 16
# WebAuthn's limit of 1023 bytes, in base64url.
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,1364}")
# Every key has one of them: P-256, Ed25519, and RSA for Windows Hello.
ALGORITHMS = [Algorithm.ECDSA_SHA_256, Algorithm.EDDSA, Algorithm.RSASSA_PKCS1_v1_5_SHA_256]
DEFAULT_PORTS = {"https": 443, "http": 80}


class CeremonyFailed(Exception):
    """The answer is not what a key of ours says to this challenge at this address; the cause tells why."""


@dataclass(frozen=True)
class NewKey:
    """What the portal keeps of a key: nothing secret. Backed up: a passkey that lives on several devices."""

    identifier: str
    public_key: str
    sign_count: int
    backed_up: bool


def relying_party() -> str:
    """The RP ID: the host that keys are bound to."""
    return urlsplit(settings.BASE_URL).hostname or ""


def origin() -> str:
    """Where the ceremony must have taken place, as browsers write it: without the port that goes without saying."""
    base = urlsplit(settings.BASE_URL)
    port = "" if base.port in (None, DEFAULT_PORTS[base.scheme]) else f":{base.port}"
    return f"{base.scheme}://{base.hostname}{port}"


def creation_options(user_handle: bytes, name: str, display_name: str, exclude: list[str], challenge: bytes) -> str:
    """What `navigator.credentials.create` is asked for; the handle (1 to 64 bytes) names the account to the key."""
    options = generate_registration_options(
        rp_id=relying_party(),
        rp_name=settings.PRODUCT_NAME,
        user_id=user_handle,
        user_name=name,
        user_display_name=display_name,
        challenge=challenge,
        timeout=PATIENCE,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_descriptors(exclude),
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json(options)


def created(answer: str, challenge: bytes) -> NewKey:
    """The key that a browser has made for us; raises CeremonyFailed."""
    with _ceremony(challenge):
        credential = _read(answer)
        _refuse_certificates(credential)
        key = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=relying_party(),
            expected_origin=origin(),
            supported_pub_key_algs=ALGORITHMS,
        )
        identifier = bytes_to_base64url(key.credential_id)
        if not IDENTIFIER.fullmatch(identifier):
            raise CeremonyFailed("an id of impossible length")
        # Nothing is signed yet: a key that cannot be read would only be noticed by somebody who is locked out.
        decoded_public_key_to_cryptography(decode_credential_public_key(key.credential_public_key))
    return NewKey(
        identifier=identifier,
        public_key=bytes_to_base64url(key.credential_public_key),
        sign_count=key.sign_count,
        backed_up=key.credential_backed_up,
    )


def request_options(identifiers: list[str], challenge: bytes) -> str:
    """What `navigator.credentials.get` is asked for: an answer by one of these keys."""
    options = generate_authentication_options(
        rp_id=relying_party(),
        challenge=challenge,
        timeout=PATIENCE,
        allow_credentials=_descriptors(identifiers),
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return options_to_json(options)


def answered_by(answer: str) -> str | None:
    """Which key an answer claims to be of, for looking it up; nothing is verified, and nothing raised."""
    try:
        identifier = _read(answer).get("id")
    except (CeremonyFailed, ValueError, RecursionError):
        return None
    return identifier if isinstance(identifier, str) and IDENTIFIER.fullmatch(identifier) else None


def verified(answer: str, challenge: bytes, public_key: str, sign_count: int) -> int:
    """The new count of a key that has signed this challenge; raises CeremonyFailed, also where the count did not grow.

    A key that does not count says 0 each time, which is in order as long as it always did.
    """
    with _ceremony(challenge):
        verification = verify_authentication_response(
            credential=_read(answer),
            expected_challenge=challenge,
            expected_rp_id=relying_party(),
            expected_origin=origin(),
            credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=sign_count,
        )
    return verification.new_sign_count


@contextmanager
def _ceremony(challenge: bytes) -> Iterator[None]:
    """Turns whatever the parsers of JSON, CBOR and keys say about hostile input into the one error of this module."""
    try:
        if len(challenge) < SHORTEST_CHALLENGE:
            raise CeremonyFailed("no challenge was set")
        yield
    except CeremonyFailed:
        raise
    except Exception as error:
        raise CeremonyFailed(type(error).__name__) from error


def _read(answer: str) -> dict:
    """An answer's JSON; raises CeremonyFailed, ValueError or RecursionError."""
    if len(answer) >= TOO_LONG:
        raise CeremonyFailed("longer than any answer")
    credential = json.loads(answer)
    if not isinstance(credential, dict):
        raise CeremonyFailed("not a JSON object")
    return credential


def _refuse_certificates(credential: dict):
    """No certificates were asked for: so browsers leave them out, and nobody makes us read any."""
    attestation = parse_attestation_object(base64url_to_bytes(credential["response"]["attestationObject"]))
    plain = attestation.fmt in (AttestationFormat.NONE, AttestationFormat.PACKED)
    if not plain or attestation.att_stmt.x5c is not None:
        raise CeremonyFailed("an attestation that was not asked for")


def _descriptors(identifiers: list[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(identifier)) for identifier in identifiers]
