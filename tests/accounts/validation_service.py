"""A YubiKey and a validation service like Yubico's, over real HTTP, for tests."""

import secrets
import threading
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from yubiotp.client import param_signature
from yubiotp.modhex import modhex
from yubiotp.otp import YubiKey, decode_otp, encode_otp

CLIENT_ID = "4711"
CLIENT_KEY = b64encode(b"twenty secret bytes!").decode()
# What each mode puts into the fields of an answer before it is signed.
CHANGED = {
    "backend_error": {"status": "BACKEND_ERROR"},
    "not_enough_answers": {"status": "NOT_ENOUGH_ANSWERS"},
    "unknown_status": {"status": "WELL"},
    "other_nonce": {"nonce": "f" * 32},
    "other_otp": {"otp": "c" * 12 + "d" * 32},
    "odd_counters": {"sessionuse": "256"},
}
LEFT_OUT = {"no_counters": ("sessioncounter", "sessionuse"), "no_nonce": ("nonce",), "no_otp": ("otp",)}


def modhex_of(length: int) -> str:
    return modhex(secrets.token_bytes(length)).decode()


@dataclass
class Key:
    """A YubiKey: what it types when it is touched, and what the service knows about it."""

    public_id: str = field(default_factory=lambda: modhex_of(6))
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    session: int = 1

    def __post_init__(self):
        self.private_id = secrets.token_bytes(6)
        self._device = YubiKey(self.private_id, self.session)

    def press(self) -> str:
        return encode_otp(self._device.generate(), self.secret, self.public_id.encode()).decode()

    def plug_in_again(self):
        """Counts as a new session, whose touches are counted from nought."""
        self._device = YubiKey(self.private_id, self._device.session + 1)


class ValidationService:
    """Judges OTPs as Yubico's server does (protocol 2.0), on a port of its own; stopped, it refuses connections.

    `asked` holds the parameters of each request. `mode` spoils answers: a name of the tables above, or unsigned,
    wrong_signature, garbled_signature, redirects, floods, fails, talks_nonsense, hangs, drips.
    """

    def __init__(self, *keys: Key, mode: str = "", client_key: str = CLIENT_KEY):
        self.keys = {key.public_id: key for key in keys}
        self.mode = mode
        self.client_key = b64decode(client_key)
        self.asked: list[dict[str, str]] = []
        self._seen: dict[str, tuple[tuple[int, int], str]] = {}
        self._lock = threading.Lock()
        self._let_go = threading.Event()

    def __enter__(self):
        self._server = Server(("127.0.0.1", 0), handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/wsapi/2.0/verify"
        # It looks often whether it shall end: half a second at each test would be much.
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error):
        self.stop()

    def stop(self):
        self._let_go.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def settings(self) -> dict:
        """What makes the portal ask this service alone, for Django's `override_settings`."""
        return {
            "YUBIKEY_VALIDATION_URLS": [self.url],
            "YUBIKEY_CLIENT_ID": CLIENT_ID,
            "YUBIKEY_CLIENT_KEY": CLIENT_KEY,
        }

    def answer(self, asked: dict[str, str]) -> bytes:
        self.asked.append(asked)
        fields, key = self._judged(asked)
        fields |= CHANGED.get(self.mode, {})
        fields = {name: value for name, value in fields.items() if name not in LEFT_OUT.get(self.mode, ())}
        key = b"somebody else's key" if self.mode == "wrong_signature" else key
        signature = b64encode(param_signature(fields.items(), key)).decode()
        signature = "abc" if self.mode == "garbled_signature" else signature
        if self.mode != "unsigned":
            fields = {"h": signature} | fields
        return "".join(f"{name}={value}\r\n" for name, value in fields.items()).encode()

    def _judged(self, asked: dict[str, str]) -> tuple[dict[str, str], bytes]:
        """The fields of the answer and the key that signs it; which errors hold OTP and nonce is as in Yubico's."""
        stamp = {"t": time.strftime("%Y-%m-%dT%H:%M:%SZ0123", time.gmtime())}
        if not asked.get("nonce") or not asked.get("otp"):
            return stamp | {"status": "MISSING_PARAMETER"}, b""
        if asked.get("id") != CLIENT_ID:
            return stamp | {"status": "NO_SUCH_CLIENT"}, b""
        unsigned = {name: value for name, value in asked.items() if name != "h"}
        if "h" in asked and b64decode(asked["h"]) != param_signature(unsigned.items(), self.client_key):
            return stamp | {"status": "BAD_SIGNATURE"}, self.client_key
        with self._lock:
            status, counters = self._status(asked)
        if status == "BAD_OTP":
            return stamp | {"status": status}, self.client_key
        fields = stamp | {"otp": asked["otp"], "nonce": asked["nonce"], "status": status}
        return fields | (counters if status == "OK" else {}), self.client_key

    def _status(self, asked: dict[str, str]) -> tuple[str, dict[str, str]]:
        key = self.keys.get(asked["otp"][:12])
        if not key:
            return "BAD_OTP", {}
        try:
            _public_id, otp = decode_otp(asked["otp"].encode(), key.secret)
        except ValueError:
            return "BAD_OTP", {}
        if otp.uid != key.private_id:
            return "BAD_OTP", {}
        last, nonce = self._seen.get(key.public_id, ((0, 0), ""))
        now = (otp.session, otp.counter)
        if now == last and asked["nonce"] == nonce:
            return "REPLAYED_REQUEST", {}
        if now <= last:
            return "REPLAYED_OTP", {}
        self._seen[key.public_id] = (now, asked["nonce"])
        if asked.get("timestamp") != "1":
            return "OK", {"sl": "100"}
        counters = {"timestamp": otp.timestamp, "sessioncounter": otp.session, "sessionuse": otp.counter, "sl": 100}
        return "OK", {name: str(value) for name, value in counters.items()}

    def hang(self):
        self._let_go.wait(60)

    def drip(self, write):
        """A byte now and then, so that no single read takes long."""
        while not self._let_go.wait(0.2):
            write(b"X")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Who asked may have gone, which is nothing to talk about."""


def handler(service: ValidationService):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if service.mode == "hangs":
                return service.hang()
            if service.mode == "drips":
                return service.drip(self.wfile.write)
            if service.mode == "talks_nonsense":
                self.wfile.write(b"\x00\xff nonsense\r\n\r\n")
                return None
            body = service.answer(dict(parse_qsl(urlsplit(self.path).query)))
            if service.mode == "floods":
                body += b"x" * 10_000_000
            self.send_response({"redirects": 302, "fails": 500}.get(service.mode, 200))
            if service.mode == "redirects":
                self.send_header("Location", self.path)
                service.mode = ""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return None

        def log_message(self, format, *args):
            """The tests look at what the portal logs."""

    return Handler
