"""A YubiKey's one-time password, judged by a validation service."""

import logging
import time
import traceback
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from accounts.yubikey import (
    OTPRefused,
    Refused,
    Replayed,
    ServiceUnavailable,
    Touch,
    is_configured,
    public_id_of,
    touch,
)
from tests.accounts.validation_service import CLIENT_KEY, Key, ValidationService
from tests.marks import thorough
from tests.promises import LONG, promise

pytestmark = thorough

# Modes of the service in which nobody can tell whether the OTP is good; those that take their time stand apart.
SPOILT = [
    "backend_error",
    "not_enough_answers",
    "unknown_status",
    "other_nonce",
    "other_otp",
    "no_nonce",
    "no_otp",
    "no_counters",
    "odd_counters",
    "unsigned",
    "wrong_signature",
    "garbled_signature",
    "redirects",
    "floods",
    "fails",
    "talks_nonsense",
]
SLOW = ["hangs", "drips"]


@pytest.fixture
def key():
    return Key()


@pytest.fixture
def start(settings):
    """Have services run and be asked in this order."""
    running = []

    def start(*services):
        for service in services:
            running.append(service.__enter__())
        for name, value in services[0].settings.items():
            setattr(settings, name, value)
        settings.YUBIKEY_VALIDATION_URLS = [service.url for service in services]
        return services[0]

    yield start
    for service in running:
        service.stop()


@pytest.fixture
def service(start, key):
    return start(ValidationService(key))


def seconds_of(call):
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        call()
    return time.monotonic() - started


class TestAGoodOtp:
    def test_tells_the_key_and_its_position(self, service, key):
        assert touch(key.press()) == Touch(key.public_id, 1 << 8)

    def test_has_a_greater_position_at_every_touch_and_after_plugging_in(self, service, key):
        positions = []
        for _session in range(3):
            positions += [touch(key.press()).position for _touch in range(3)]
            key.plug_in_again()
        assert positions == [0x100, 0x101, 0x102, 0x200, 0x201, 0x202, 0x300, 0x301, 0x302]

    @pytest.mark.parametrize("typed", ["  {}\n", "\t{}\r\n"])
    def test_may_have_space_around_it(self, service, key, typed):
        assert touch(typed.format(key.press())).public_id == key.public_id

    def test_may_come_with_caps_lock_on(self, service, key):
        assert touch(key.press().upper()).public_id == key.public_id

    def test_is_asked_for_with_a_signature_a_new_nonce_and_the_counters(self, service, key):
        touch(key.press())
        touch(key.press())
        first, second = service.asked
        assert set(first) == {"id", "otp", "timestamp", "nonce", "h"}
        assert first["timestamp"] == "1"
        assert first["nonce"] != second["nonce"] and len(first["nonce"]) == 32


@promise("A-21")
class TestAnOtp:
    def test_that_was_used_is_refused(self, service, key):
        otp = key.press()
        touch(otp)
        with pytest.raises(Replayed):
            touch(otp)

    def test_that_is_older_than_one_that_was_used_is_refused(self, service, key):
        older, newer = key.press(), key.press()
        touch(newer)
        with pytest.raises(Replayed):
            touch(older)

    def test_of_a_session_before_the_last_is_refused(self, service, key):
        older = [key.press() for _touch in range(5)][-1]
        key.plug_in_again()
        touch(key.press())
        with pytest.raises(Replayed):
            touch(older)

    def test_of_a_key_that_the_service_does_not_know_is_refused(self, service):
        with pytest.raises(Refused):
            touch(Key().press())

    def test_made_with_another_keys_name_is_refused(self, service, key):
        with pytest.raises(Refused):
            touch(Key(public_id=key.public_id).press())

    def test_with_one_letter_changed_is_refused(self, service, key):
        otp = key.press()
        with pytest.raises(Refused):
            touch(otp[:-1] + ("c" if otp[-1] != "c" else "d"))

    def test_in_sixteen_hands_at_once_counts_exactly_once(self, service, key):
        def outcome(otp):
            try:
                return touch(otp)
            except OTPRefused as refused:
                return type(refused)

        with ThreadPoolExecutor(16) as pool:
            for _round in range(50 if LONG else 4):
                outcomes = list(pool.map(outcome, [key.press()] * 16))
                assert sum(isinstance(each, Touch) for each in outcomes) == 1
                assert outcomes.count(Replayed) == 15


class TestWhatIsNoOtp:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "123456",
            "c" * 43,
            "c" * 45,
            "c" * 88,
            "c" * 43 + "a",
            "c" * 43 + "\u212a",  # the kelvin sign, whose small letter is k
            "ｃ" * 44,
            "c" * 43 + "&status=OK",
            "c" * 44 + "\n" + "c" * 44,
            "c" * 22 + "\x00" + "c" * 21,
            "c" * 10_000,
            " " * 10_000,
            "\u0441" * 44,  # a Cyrillic letter that looks like c
        ],
    )
    def test_is_refused_without_asking_anybody(self, service, text):
        assert public_id_of(text) is None
        with pytest.raises(Refused):
            touch(text)
        assert service.asked == []

    @given(st.text() | st.text("cbdefghijklnrtuvCBK\u212a", min_size=40, max_size=48))
    def test_whatever_it_is_has_no_public_id_or_one_of_twelve_modhex_letters(self, text):
        public_id = public_id_of(text)
        plain = text.strip().lower()
        if public_id is None:
            assert len(text.strip()) != 44 or not set(text.strip()) <= set("cbdefghijklnrtuvCBDEFGHIJKLNRTUV")
        else:
            assert len(plain) == 44 and plain.startswith(public_id) and set(plain) <= set("cbdefghijklnrtuv")


class TestWithoutABelievableAnswer:
    @promise("A-21")
    @pytest.mark.parametrize("mode", SPOILT)
    def test_nobody_gets_in_whatever_the_only_server_does(self, start, key, mode):
        start(ValidationService(key, mode=mode))
        with pytest.raises(ServiceUnavailable):
            touch(key.press())

    @pytest.mark.parametrize("mode", ["unsigned", "wrong_signature", "garbled_signature", "other_nonce", "other_otp"])
    def test_a_refusal_is_not_believed_either(self, start, key, mode):
        service = start(ValidationService(key))
        otp = key.press()
        touch(otp)
        service.mode = mode
        with pytest.raises(ServiceUnavailable):
            touch(otp)

    @promise("A-21")
    def test_one_that_refuses_the_connection_is_told_at_once(self, service, key):
        service.stop()
        assert seconds_of(lambda: touch(key.press())) < 1

    @promise("A-21")
    @thorough
    @pytest.mark.parametrize("mode", SLOW)
    def test_waiting_ends_within_five_seconds_however_many_servers_there_are(self, start, key, mode):
        start(*[ValidationService(key, mode=mode) for _server in range(3)])
        assert 4 < seconds_of(lambda: touch(key.press())) < 5

    def test_the_portals_own_wrong_key_lets_nobody_in(self, start, key):
        start(ValidationService(key, client_key=b64encode(b"another client's key").decode()))
        with pytest.raises(ServiceUnavailable):
            touch(key.press())

    def test_an_unknown_client_id_lets_nobody_in_and_is_told_to_the_operator(self, service, key, settings, caplog):
        settings.YUBIKEY_CLIENT_ID = "1"
        with pytest.raises(ServiceUnavailable):
            touch(key.press())
        assert "NO_SUCH_CLIENT" in caplog.text


class TestSeveralServers:
    @pytest.mark.parametrize("mode", SPOILT)
    def test_the_second_is_asked_when_the_first_gives_no_answer_to_rely_on(self, start, key, mode):
        start(ValidationService(key, mode=mode), ValidationService(key))
        assert touch(key.press()).public_id == key.public_id

    def test_the_second_is_asked_when_the_first_refuses_the_connection(self, start, key):
        start(ValidationService(key), ValidationService(key)).stop()
        assert touch(key.press()).public_id == key.public_id

    @thorough
    @pytest.mark.parametrize("mode", SLOW)
    def test_the_second_is_asked_when_the_first_takes_too_long(self, start, key, mode):
        start(ValidationService(key, mode=mode), ValidationService(key))
        started = time.monotonic()
        assert touch(key.press()).public_id == key.public_id
        assert time.monotonic() - started < 5

    @pytest.mark.parametrize("good", [True, False])
    def test_the_second_is_not_asked_when_the_first_has_judged(self, start, key, good):
        second = ValidationService(key)
        start(ValidationService(*[key] * good), second)
        try:
            touch(key.press())
        except Refused:
            assert not good
        assert second.asked == []


class TestTheLog:
    @promise("A-29")
    @pytest.mark.parametrize("mode", ["", *SPOILT])
    def test_and_the_errors_never_hold_an_otp(self, start, key, mode, caplog):
        caplog.set_level(logging.DEBUG)
        start(ValidationService(key, mode=mode))
        otp = key.press()
        told = ""
        for _time in range(2):
            try:
                touch(otp)
            except (OTPRefused, ServiceUnavailable) as error:
                told += "".join(traceback.format_exception(error))
        assert otp not in caplog.text + told
        assert ("YubiKey validation service" in caplog.text) == bool(mode)


class TestWithoutAService:
    @override_settings(YUBIKEY_VALIDATION_URLS=[], YUBIKEY_CLIENT_ID="", YUBIKEY_CLIENT_KEY="")
    def test_there_are_no_otps(self, key):
        assert not is_configured()
        with pytest.raises(ServiceUnavailable):
            touch(key.press())

    def test_with_one_there_are(self, service):
        assert is_configured()
        assert service.settings["YUBIKEY_CLIENT_KEY"] == CLIENT_KEY
