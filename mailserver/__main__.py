"""Command line: `python -m mailserver render` writes a configuration, `python -m mailserver check` tries it out."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mailserver import tls
from mailserver.launch import LaunchError, require_programs
from mailserver.render import render
from mailserver.settings import Settings, SettingsError

SAMPLE = Settings(
    mail_ro_password="sample",
    mail_auth_password="sample",
    mail_usage_password="sample",
    doveadm_api_key="sample",
    app_password_pepper="sample" * 6,
    srs_domain="srs.sample.example",
    srs_secret="sample",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m mailserver", description=sys.modules[__package__].__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser("render", help="write the configuration for production into a folder")
    rendering.add_argument(
        "--settings", type=Path, required=True, help="JSON object; keys: see mailserver/settings.py"
    )
    rendering.add_argument("--out", type=Path, required=True)
    checking = commands.add_parser("check", help="let Postfix's and Dovecot's own parsers read the configuration")
    checking.add_argument("--settings", type=Path, help="JSON object; without it the defaults are checked")
    options = parser.parse_args(arguments)
    try:
        if options.command == "render":
            render(Settings.from_json(options.settings.read_text()), options.out)
            print(
                f"written: {options.out}/postfix, {options.out}/dovecot, {options.out}/rspamd, {options.out}/postsrsd"
            )
        else:
            settings = Settings.from_json(options.settings.read_text()) if options.settings else SAMPLE
            check(settings)
            print("Postfix and Dovecot accept the configuration")
    except (SettingsError, LaunchError, OSError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check(settings: Settings) -> None:
    """Render into a scratch folder and let Postfix and Dovecot parse it; raise LaunchError with what they say."""
    require_programs()
    with tempfile.TemporaryDirectory(prefix="ksc-mail-check-") as name:
        out = Path(name)
        certificate, key = tls.self_signed(out / "tls", settings.hostname)
        settings = replace(settings, postfix_config=f"{out}/postfix", dovecot_config=f"{out}/dovecot")
        render(replace(settings, tls_certificate=str(certificate), tls_key=str(key)), out)
        parsers = (
            ["postconf", "-c", str(out / "postfix")],
            ["postconf", "-c", str(out / "postfix"), "-M"],
            ["doveconf", "-c", str(out / "dovecot" / "dovecot.conf"), "-n"],
        )
        for parser in parsers:
            done = subprocess.run(parser, capture_output=True, text=True)
            complaints = [line for line in done.stderr.splitlines() if "warning" in line or "error" in line.lower()]
            if done.returncode or complaints:
                raise LaunchError("\n".join([" ".join(parser), *complaints]) or done.stderr)


if __name__ == "__main__":
    sys.exit(main())
