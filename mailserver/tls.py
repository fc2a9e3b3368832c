"""A self-signed certificate for where none was given: demo, tests, a first look at a new machine."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(folder: Path, hostname: str) -> tuple[Path, Path]:
    """Make certificate and key for `hostname` (and loopback) in `folder` unless they are there; return both paths."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (certificate.exists() and key.exists()):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = sorted({f"DNS:{hostname}", "DNS:localhost", "IP:127.0.0.1"})
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-days", "825", "-subj", f"/CN={hostname}", "-addext", f"subjectAltName={','.join(names)}"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        key.chmod(0o600)
    return certificate, key
