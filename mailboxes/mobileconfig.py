"""Apple's configuration profile (.mobileconfig) for one mailbox: everything but the person's own password."""

import plistlib
import uuid
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from django.core.exceptions import ImproperlyConfigured

from .models import Mailbox, ServerAddress
from .setup import MailSetup, portal_host

CONTENT_TYPE = "application/x-apple-aspen-config"


@dataclass(frozen=True)
class Signer:
    """PEM files: the key, and the certificate with its chain behind it."""

    key: Path
    certificate: Path


def profile(setup: MailSetup, mailbox: Mailbox, signer: Signer | None = None, app_password: str = "") -> bytes:
    """The profile as a property list, or as CMS signed data around it. Installing it again replaces the account.

    Without an app password the device asks for one.
    """
    plain = plistlib.dumps(_payload(setup, mailbox, app_password))
    return _signed(plain, signer) if signer else plain


def _payload(setup: MailSetup, mailbox: Mailbox, app_password: str) -> dict:
    address = str(mailbox.address.address)
    incoming, outgoing = setup.incoming[0], setup.server(ServerAddress.Protocol.SUBMISSION)
    kinds: dict[str, str] = {ServerAddress.Protocol.IMAP: "EmailTypeIMAP", ServerAddress.Protocol.POP3: "EmailTypePOP"}
    account = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{portal_host()}.{mailbox.public_id}.mail",
        "PayloadUUID": str(uuid.uuid5(mailbox.public_id, "mail")),
        "PayloadDisplayName": address,
        "EmailAccountType": kinds[incoming.protocol],
        "EmailAccountDescription": address,
        "EmailAccountName": mailbox.user.name or address,
        "EmailAddress": address,
        "PreventMove": False,
        "SMIMEEnabled": False,
    }
    account |= _server("Incoming", incoming, address)
    if app_password:
        account["IncomingPassword"] = app_password
    if outgoing:
        account |= _server("Outgoing", outgoing, address)
        account["OutgoingPasswordSameAsIncomingPassword"] = True
    return {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{portal_host()}.{mailbox.public_id}",
        "PayloadUUID": str(mailbox.public_id),
        "PayloadDisplayName": f"{setup.provider}: {address}",
        "PayloadOrganization": setup.provider,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [account],
    }


def _server(direction: str, server: ServerAddress, address: str) -> dict:
    return {
        f"{direction}MailServerAuthentication": "EmailAuthPassword",
        f"{direction}MailServerHostName": server.host,
        f"{direction}MailServerPortNumber": server.port,
        # On a port with STARTTLS the devices begin in the clear and refuse to go on without TLS.
        f"{direction}MailServerUseSSL": True,
        f"{direction}MailServerUsername": address,
    }


def _signed(plain: bytes, signer: Signer) -> bytes:
    key = serialization.load_pem_private_key(signer.key.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ImproperlyConfigured("PROFILE_SIGNING_KEY is neither an RSA nor an elliptic curve key.")
    certificate, *chain = x509.load_pem_x509_certificates(signer.certificate.read_bytes())
    builder = pkcs7.PKCS7SignatureBuilder().set_data(plain).add_signer(certificate, key, hashes.SHA256())
    for each in chain:
        builder = builder.add_certificate(each)
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
