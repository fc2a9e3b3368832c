"""A security key in software, together with the browser that it is plugged into, for tests."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

TOUCHED, VERIFIED, CAN_BE_BACKED_UP, BACKED_UP, WITH_KEY = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "===")


def cose(public_key: ec.EllipticCurvePublicKey, algorithm: int = -7) -> dict:
    """A P-256 key as COSE has it: type EC2, algorithm ES256, curve and both coordinates."""
    point = public_key.public_numbers()
    return {1: 2, 3: algorithm, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}


class SoftwareKey:
    """Makes one ES256 credential and signs with it, counting its uses; the knobs make it lie.

    `rp_id`: the host that it claims instead of the asked one. `counts`: 1, or 0 for a stuck counter.
    `flips_signature`, `touched`, `backed_up`: as they say. `algorithm`: what it claims its key to be.
    """

    def __init__(self, *, rp_id=None, counts=1, flips_signature=False, touched=True, backed_up=False, algorithm=-7):
        self.rp_id = rp_id
        self.counts = counts
        self.flips_signature = flips_signature
        self.touched = touched
        self.backed_up = backed_up
        self.algorithm = algorithm
        self.uses = 0
        self.identifier = secrets.token_bytes(32)
        self.private_key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options_json: str, origin: str) -> str:
        """The answer of `navigator.credentials.create`, as JSON."""
        options = json.loads(options_json)
        public_key = cbor2.dumps(cose(self.private_key.public_key(), self.algorithm))
        credential = bytes(16) + len(self.identifier).to_bytes(2, "big") + self.identifier + public_key
        data = self.authenticator_data(options["rp"]["id"], WITH_KEY) + credential
        return self.answer(
            clientDataJSON=client_data("webauthn.create", options["challenge"], origin),
            attestationObject=cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}),
        )

    def get(self, options_json: str, origin: str) -> str:
        """The answer of `navigator.credentials.get`, as JSON; fails where this key is not among those asked for."""
        options = json.loads(options_json)
        assert b64(self.identifier) in [each["id"] for each in options["allowCredentials"]]
        return self.sign(options["rpId"], client_data("webauthn.get", options["challenge"], origin))

    def sign(self, rp_id: str, client: bytes) -> str:
        self.uses += self.counts
        data = self.authenticator_data(rp_id)
        return self.answer(clientDataJSON=client, authenticatorData=data, signature=self.signature(data, client))

    def signature(self, data: bytes, client: bytes) -> bytes:
        signature = self.private_key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return signature[:-1] + bytes([signature[-1] ^ self.flips_signature])

    def authenticator_data(self, rp_id: str, flags: int = 0) -> bytes:
        flags |= VERIFIED | TOUCHED * self.touched | (CAN_BE_BACKED_UP | BACKED_UP) * self.backed_up
        host = hashlib.sha256((self.rp_id or rp_id).encode()).digest()
        return host + bytes([flags]) + self.uses.to_bytes(4, "big")

    def answer(self, **response: bytes) -> str:
        identifier = b64(self.identifier)
        parts = {name: b64(raw) for name, raw in response.items()}
        return json.dumps({"id": identifier, "rawId": identifier, "type": "public-key", "response": parts})


def client_data(kind: str, challenge: str, origin: str) -> bytes:
    """What the browser writes down about a ceremony, and the key signs."""
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()
