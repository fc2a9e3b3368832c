"""Writes the servers' configuration: every template filled in, with the modes that its secrets need."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path

from mailserver.settings import Settings, SettingsError

TEMPLATES = Path(__file__).parent / "templates"
# `@{name}`: all three servers have a meaning of their own for `$` and `%`.
VARIABLE = re.compile(r"@\{(\w+)\}")
# Rspamd's modules that are nothing without DNS (and wait for it).
DNS_MODULES = ("arc", "asn", "dkim", "dkim_signing", "dmarc", "fuzzy_check", "mx_check", "phishing", "rbl", "spf")
EXPORTER = Path("rspamd/local.d/metadata_exporter.conf")
DISABLED = "enabled = false;\n"
NO_DNS = """# Nobody answers there: without names to resolve nothing may wait for an answer.
dns {
  nameserver = ["127.0.0.1:9"];
  timeout = 0.1s;
  retransmits = 1;
}
"""


def variables(settings: Settings) -> dict[str, str]:
    """Return every variable of the templates: the settings, the ports as `<name>_port`, and what follows from them."""
    values = {name: str(value) for name, value in asdict(settings).items() if name != "ports"}
    values |= {f"{name}_port": str(port) for name, port in asdict(settings.ports).items()}
    dns, slow, srs = settings.use_dns, settings.delay_failed_logins, bool(settings.srs_domain)
    return values | {
        "dovecot_listen": "*, ::" if settings.listen == "all" else settings.listen,
        "inet_protocols": "all" if settings.listen == "all" else "ipv4",
        "hostname_pattern": settings.hostname.replace(".", r"\."),
        "postfix_log_prefix": str(Path(settings.postfix_log or "/var/log/mail.log").parent),
        "smtp_dns_support_level": "enabled" if dns else "disabled",
        "smtp_host_lookup": "dns" if dns else "native",
        "smtpd_peername_lookup": "yes" if dns else "no",
        "auth_failure_delay": "2 secs" if slow else "0",
        "smtpd_error_sleep_time": "1s" if slow else "0",
        "auth_penalty_mode": "0600" if slow else "0",
        # Without a next hop it is the recipient's own domain.
        "outward_transport": settings.default_transport + ("" if ":" in settings.default_transport else ":"),
        "first_transport": f"srs:[127.0.0.1]:{settings.ports.srs_hop}" if srs else "$outward_transport",
        "sender_transports": "$sql/sender_transports.cf" if srs else "",
        "srs_senders": f"tcp:127.0.0.1:{settings.ports.srs_forward}" if srs else "",
        "srs_recipients": f"tcp:127.0.0.1:{settings.ports.srs_reverse}" if srs else "",
    }


def render(settings: Settings, out: Path) -> None:
    """Write `postfix/`, `dovecot/`, `rspamd/` and, with an SRS domain, `postsrsd/` into `out`.

    Needs root and the servers' groups for the secrets.
    """
    if not settings.tls_certificate:
        raise SettingsError("tls_certificate and tls_key: the servers cannot do without")
    values = variables(settings)
    for template in sorted(path for path in TEMPLATES.rglob("*") if path.is_file()):
        name = template.relative_to(TEMPLATES)
        if name.parts[0] == "postsrsd" and not settings.srs_domain:
            continue
        text = VARIABLE.sub(lambda match: values[match[1]], template.read_text())
        _write(out / name, text, *_permissions(name))
    if not settings.use_dns:
        rspamd = out / "rspamd" / "local.d"
        _write(rspamd / "options.inc", NO_DNS)
        for module in DNS_MODULES:
            _write(rspamd / f"{module}.conf", DISABLED)
    if not settings.verdicts_url:
        _write(out / EXPORTER, DISABLED)


def _permissions(name: Path) -> tuple[int, str | None]:
    """Return mode and group of a rendered file: secrets are for root and the one process that must read them."""
    if name.parts[0] == "postfix" and "mail_ro" in (TEMPLATES / name).read_text():
        return 0o640, "postfix"
    if name == EXPORTER:
        return 0o640, "_rspamd"
    # Dovecot's dict process is not root; its other files are read before it gives up root.
    if name.name in ("quota.conf.ext", "sieve.conf.ext", "senders.conf.ext"):
        return 0o640, "dovecot"
    return (0o600, None) if name.parts[0] in ("dovecot", "postsrsd") else (0o644, None)


def _write(path: Path, text: str, mode: int = 0o644, group: str | None = None) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    if group:
        shutil.chown(path, group=group)
    path.chmod(mode)
