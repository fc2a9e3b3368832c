"""Security keys and passkeys: their answers, true ones and others."""

import json
from contextlib import suppress

import cbor2
import pytest
from hypothesis import given
from hypothesis import settings as counts
from hypothesis import strategies as st

from accounts.webauthn import (
    CeremonyFailed,
    NewKey,
    answered_by,
    created,
    creation_options,
    request_options,
    verified,
)
from tests.accounts.software_key import SoftwareKey, b64, client_data, cose, unb64
from tests.marks import thorough
from tests.promises import LONG, promise

pytestmark = thorough

HOST = "portal.example.org"
ORIGIN = f"https://{HOST}"
CHALLENGE = bytes(range(32))
ANOTHER_CHALLENGE = bytes(32)


@pytest.fixture(autouse=True, scope="module")
def portal():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.BASE_URL", ORIGIN)
        yield


def options(exclude=(), challenge=CHALLENGE):
    return creation_options(b"handle", "anna@musterdomain.de", "Anna Amsel", list(exclude), challenge)


def registered(key: SoftwareKey) -> NewKey:
    return created(key.create(options(), ORIGIN), CHALLENGE)


def signed(key: SoftwareKey, challenge=CHALLENGE, origin=ORIGIN) -> str:
    return key.get(request_options([b64(key.identifier)], challenge), origin)


def changed(answer: str, **parts) -> str:
    """An answer with other parts in it; bytes become base64url."""
    whole = json.loads(answer)
    response = whole["response"]
    for name, value in parts.items():
        place = response if name in response else whole
        place[name] = b64(value) if isinstance(value, bytes) else value
    return json.dumps(whole)


def attested(key: SoftwareKey, *, rp_id=HOST, flags=0x41, public_key=None, statement=None, fmt="none") -> str:
    """The answer of a new key, put together by hand."""
    public_key = cbor2.dumps(cose(key.private_key.public_key())) if public_key is None else public_key
    credential = bytes(16) + len(key.identifier).to_bytes(2, "big") + key.identifier + public_key
    data = key.authenticator_data(rp_id, flags) + credential
    attestation = cbor2.dumps({"fmt": fmt, "attStmt": statement or {}, "authData": data})
    client = client_data("webauthn.create", b64(CHALLENGE), ORIGIN)
    return key.answer(clientDataJSON=client, attestationObject=attestation)


class TestWhatTheBrowserIsAskedFor:
    def test_a_new_key_for_this_host_and_person(self):
        assert json.loads(options(exclude=["a2V5"])) == {
            "rp": {"id": HOST, "name": "KundenServiceCenter"},
            "user": {"id": b64(b"handle"), "name": "anna@musterdomain.de", "displayName": "Anna Amsel"},
            "challenge": b64(CHALLENGE),
            "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in (-7, -8, -257)],
            "timeout": 300000,
            "excludeCredentials": [{"id": "a2V5", "type": "public-key"}],
            "authenticatorSelection": {
                "residentKey": "preferred",
                "requireResidentKey": False,
                "userVerification": "preferred",
            },
            "attestation": "none",
        }

    def test_an_answer_of_one_of_the_persons_keys(self):
        assert json.loads(request_options(["a2V5", "a2V6"], CHALLENGE)) == {
            "rpId": HOST,
            "challenge": b64(CHALLENGE),
            "timeout": 300000,
            "allowCredentials": [{"id": "a2V5", "type": "public-key"}, {"id": "a2V6", "type": "public-key"}],
            "userVerification": "preferred",
        }


class TestAKey:
    def test_is_set_up_and_answers(self):
        key = SoftwareKey()
        new = registered(key)
        assert (new.identifier, new.sign_count, new.backed_up) == (b64(key.identifier), 0, False)
        answer = signed(key)
        assert answered_by(answer) == new.identifier
        assert verified(answer, CHALLENGE, new.public_key, new.sign_count) == 1

    def test_counts_its_uses(self):
        key = SoftwareKey()
        new = registered(key)
        count = new.sign_count
        for use in range(1, 4):
            count = verified(signed(key), CHALLENGE, new.public_key, count)
            assert count == use

    def test_that_never_counts_may_answer_again(self):
        key = SoftwareKey(counts=0)
        new = registered(key)
        assert [verified(signed(key), CHALLENGE, new.public_key, 0) for _use in range(2)] == [0, 0]

    def test_says_whether_it_lives_on_several_devices(self):
        assert registered(SoftwareKey(backed_up=True)).backed_up

    @pytest.mark.parametrize(
        ("base_url", "origin", "host"),
        [
            ("http://localhost:8000", "http://localhost:8000", "localhost"),
            ("https://Portal.Example.org:443", "https://portal.example.org", "portal.example.org"),
            ("https://portal.example.org:8443/ksc", "https://portal.example.org:8443", "portal.example.org"),
        ],
    )
    def test_is_bound_to_the_address_in_the_settings(self, settings, base_url, origin, host):
        settings.BASE_URL = base_url
        key = SoftwareKey()
        assert json.loads(options())["rp"]["id"] == host
        new = created(key.create(options(), origin), CHALLENGE)
        assert verified(signed(key, origin=origin), CHALLENGE, new.public_key, 0) == 1

    def test_may_vouch_for_itself(self):
        key = SoftwareKey()
        plain = attested(key)
        data = cbor2.loads(unb64(json.loads(plain)["response"]["attestationObject"]))["authData"]
        statement = {"alg": -7, "sig": key.signature(data, unb64(json.loads(plain)["response"]["clientDataJSON"]))}
        assert created(attested(key, fmt="packed", statement=statement), CHALLENGE).identifier == b64(key.identifier)


@promise("A-20")
class TestAnAnswer:
    @pytest.fixture
    def key(self):
        return SoftwareKey()

    @pytest.fixture
    def refused(self, key):
        """The answer is refused, where that of the same key without fault is taken."""
        new = registered(key)

        def refused(answer, challenge=CHALLENGE, sign_count=0):
            with pytest.raises(CeremonyFailed):
                verified(answer, challenge, new.public_key, sign_count)
            key.__dict__.update(rp_id=None, flips_signature=False, touched=True, counts=1)
            assert verified(signed(key), CHALLENGE, new.public_key, sign_count) > 0

        return refused

    def test_that_was_recorded_is_nothing_to_another_challenge(self, key, refused):
        refused(signed(key), challenge=ANOTHER_CHALLENGE)

    def test_that_was_recorded_counts_once(self, key, refused):
        refused(signed(key), sign_count=1)

    def test_given_on_another_site_is_refused(self, key, refused):
        refused(signed(key, origin="https://portal.example.net"))

    @pytest.mark.parametrize("origin", ["http://portal.example.org", f"{ORIGIN}:8443", "https://a.portal.example.org"])
    def test_given_on_an_address_much_like_ours_is_refused(self, key, refused, origin):
        refused(signed(key, origin=origin))

    def test_for_another_host_is_refused(self, key, refused):
        key.rp_id = "example.org"
        refused(signed(key))

    def test_with_a_signature_that_does_not_fit_is_refused(self, key, refused):
        key.flips_signature = True
        refused(signed(key))

    def test_without_a_touch_is_refused(self, key, refused):
        key.touched = False
        refused(signed(key))

    def test_whose_count_stands_still_or_goes_back_is_refused(self, key, refused):
        key.uses, key.counts = 5, 0
        stuck = signed(key)
        refused(stuck, sign_count=5)
        key.uses = 9
        refused(stuck, sign_count=6)

    def test_of_another_persons_key_is_refused(self, key, refused):
        stranger = SoftwareKey()
        refused(signed(stranger))
        stranger.identifier = key.identifier
        refused(signed(stranger))

    def test_of_making_a_key_is_none_of_using_it(self, key, refused):
        refused(key.create(options(), ORIGIN))
        refused(key.sign(HOST, client_data("webauthn.create", b64(CHALLENGE), ORIGIN)))

    @pytest.mark.parametrize("challenge", [b"", b"short"])
    def test_to_no_challenge_is_refused(self, key, refused, challenge):
        refused(key.sign(HOST, client_data("webauthn.get", b64(challenge), ORIGIN)), challenge=challenge)

    def test_that_is_very_long_is_refused(self, key, refused):
        answer = signed(key)
        refused(answer + " " * (10_000 - len(answer)))


@promise("A-20")
class TestANewKey:
    @pytest.mark.parametrize("origin", ["https://portal.example.net", "http://portal.example.org"])
    def test_made_on_another_site_is_refused(self, origin):
        with pytest.raises(CeremonyFailed):
            created(SoftwareKey().create(options(), origin), CHALLENGE)

    def test_made_for_another_challenge_is_refused(self):
        with pytest.raises(CeremonyFailed):
            created(SoftwareKey().create(options(challenge=ANOTHER_CHALLENGE), ORIGIN), CHALLENGE)

    def test_made_for_no_challenge_is_refused(self):
        key = SoftwareKey()
        answer = key.create(options(), ORIGIN)
        empty = client_data("webauthn.create", "", ORIGIN)
        with pytest.raises(CeremonyFailed):
            created(changed(answer, clientDataJSON=empty), b"")

    @pytest.mark.parametrize("lie", [{"rp_id": "example.net"}, {"touched": False}, {"algorithm": -36}])
    def test_of_another_host_without_touch_or_of_an_odd_algorithm_is_refused(self, lie):
        with pytest.raises(CeremonyFailed):
            registered(SoftwareKey(**lie))

    def test_is_not_made_by_an_answer_to_a_login(self):
        key = SoftwareKey()
        for answer in (
            signed(key),
            changed(attested(key), clientDataJSON=client_data("webauthn.get", b64(CHALLENGE), ORIGIN)),
        ):
            with pytest.raises(CeremonyFailed):
                created(answer, CHALLENGE)

    def test_that_is_no_point_of_its_curve_is_refused(self):
        off = cose(SoftwareKey().private_key.public_key()) | {-3: bytes(32)}
        with pytest.raises(CeremonyFailed):
            created(attested(SoftwareKey(), public_key=cbor2.dumps(off)), CHALLENGE)

    def test_with_an_id_longer_than_the_standard_allows_is_refused(self):
        key = SoftwareKey()
        key.identifier = bytes(1023)
        assert len(registered(key).identifier) == 1364
        key.identifier = bytes(1024)
        with pytest.raises(CeremonyFailed):
            registered(key)

    @pytest.mark.parametrize("fmt", ["packed", "fido-u2f", "tpm", "android-key", "android-safetynet", "apple", "new"])
    def test_with_certificates_that_nobody_asked_for_is_refused_unread(self, fmt):
        statement = {"x5c": [b"not a certificate"], "sig": b"x", "alg": -7, "ver": "2.0", "response": b"x"}
        with pytest.raises(CeremonyFailed, match="an attestation that was not asked for"):
            created(attested(SoftwareKey(), fmt=fmt, statement=statement), CHALLENGE)


def of_examples(number):
    """More of them when the promises' own counts are asked for."""
    return counts(max_examples=number * 10 if LONG else number, deadline=None)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
cbor = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.binary(max_size=40)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-4, 4) | st.text(max_size=8), inner, max_size=5)
        | st.builds(cbor2.CBORTag, st.sampled_from([0, 2, 4, 5, 25, 28, 29, 30, 35, 36, 37, 258, 260, 55799]), inner)
    ),
).map(cbor2.dumps)
odd = st.text() | st.binary(max_size=200) | anything
KEY = SoftwareKey()
GOOD = [attested(KEY), KEY.sign(HOST, client_data("webauthn.get", b64(CHALLENGE), ORIGIN))]
AROUND = ["id", "rawId", "type", "response", "authenticatorAttachment"]


@st.composite
def bent(draw, whole: bytes) -> bytes:
    """Bytes with a piece taken out and another put in."""
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(start + 4, len(whole))))
    return whole[:start] + draw(st.binary(max_size=4)) + whole[end:]


def calmly(answer: str):
    """Nothing but the one error comes out, whichever way the answer goes in."""
    assert len(answered_by(answer) or "") <= 1364
    with suppress(CeremonyFailed):
        created(answer, CHALLENGE)
    with suppress(CeremonyFailed):
        verified(answer, CHALLENGE, b64(cbor2.dumps(cose(KEY.private_key.public_key()))), 0)


@promise("A-55")
class TestHostileInput:
    @pytest.mark.parametrize(
        "answer",
        [
            "",
            "null",
            "[]",
            "{}",
            '{"id": null}',
            '{"id": "\\ud800"}',
            '{"id": ["a"]}',
            "\x00",
            "[" * 9_999,
            '{"id":' * 1_600,
            "9" * 9_000,
            "x" * 10_000,
            "x" * 5_000_000,
        ],
    )
    def test_that_is_no_answer_is_refused_and_of_nobody(self, answer):
        assert answered_by(answer) is None
        with pytest.raises(CeremonyFailed):
            created(answer, CHALLENGE)
        with pytest.raises(CeremonyFailed):
            verified(answer, CHALLENGE, "", 0)

    @pytest.mark.parametrize("identifier", ["", "a b", "a=", "ä", "\ud800", "a\n", "a" * 1365, 7, None, ["a"], {}])
    def test_in_the_place_of_an_id_is_of_nobody(self, identifier):
        assert answered_by(json.dumps({"id": identifier})) is None

    def test_is_of_whom_it_says_before_it_is_verified(self):
        assert answered_by('{"id": "a_-9"}') == "a_-9"
        assert answered_by(json.dumps({"id": "a" * 1364})) == "a" * 1364

    @pytest.mark.parametrize("nested", [b"\x81" * 7000, b"\xa1\x61a" * 2300, b"\xd9\x01\x02" * 2300, b"\x9f" * 7000])
    def test_that_is_nested_deeply_is_refused(self, nested):
        with pytest.raises(CeremonyFailed):
            created(changed(KEY.create(options(), ORIGIN), attestationObject=nested), CHALLENGE)

    @of_examples(100)
    @given(st.text() | anything.map(json.dumps))
    def test_of_any_kind_gets_the_one_error(self, answer):
        calmly(answer)

    @of_examples(100)
    @given(st.data())
    def test_in_any_part_of_a_good_answer_gets_the_one_error(self, data):
        answer = data.draw(st.sampled_from(GOOD))
        places = st.sampled_from(
            ["id", "rawId", "type", "response", "authenticatorAttachment", *json.loads(answer)["response"]]
        )
        calmly(changed(answer, **data.draw(st.dictionaries(places, odd, min_size=1, max_size=2))))

    @of_examples(200)
    @given(st.data())
    def test_in_single_bytes_of_a_good_answer_gets_the_one_error(self, data):
        answer = data.draw(st.sampled_from(GOOD))
        name, text = data.draw(st.sampled_from(sorted(json.loads(answer)["response"].items())))
        calmly(changed(answer, **{name: data.draw(bent(unb64(text)))}))

    @of_examples(200)
    @given(cbor | st.binary(max_size=60), st.integers(0, 255))
    def test_as_a_public_key_gets_the_one_error(self, public_key, flags):
        calmly(attested(KEY, public_key=public_key, flags=flags | 0x41))

    @of_examples(200)
    @given(
        st.dictionaries(
            st.sampled_from([1, 3, -1, -2, -3]), st.integers(-300, 10) | st.binary(max_size=66), min_size=3
        ),
        st.sampled_from([1, 2, 3]),
        st.sampled_from([-7, -8, -257]),
    )
    def test_as_what_looks_like_a_public_key_gets_the_one_error(self, fields, kind, algorithm):
        calmly(attested(KEY, public_key=cbor2.dumps(fields | {1: kind, 3: algorithm})))

    @of_examples(100)
    @given(st.sampled_from(["none", "packed"]), st.dictionaries(st.sampled_from(["sig", "alg", "ver", "x"]), odd))
    def test_as_an_attestation_gets_the_one_error(self, fmt, statement):
        calmly(attested(KEY, fmt=fmt, statement=statement))

    @of_examples(100)
    @given(cbor)
    def test_as_a_stored_key_gets_the_one_error(self, public_key):
        with suppress(CeremonyFailed):
            verified(signed(KEY), CHALLENGE, b64(public_key), 0)
