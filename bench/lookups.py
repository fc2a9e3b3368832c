"""What Postfix and Dovecot ask, word for word from their templates, sent by pgbench beside its own `-S`.

Both go by PostgreSQL's simple protocol, as the real programs do (Postfix calls PQexec, Dovecot PQsendQuery with the
values in the text), on the cluster's socket and by as many clients: a parsed, planned and run query each time.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.clients import Refused
from bench.seed import Size

CLIENTS, THREADS = 4, 2
SECONDS = 2
TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


@dataclass(frozen=True)
class Lookup:
    """One query of a template: who asks it, and what stands for the placeholders of Postfix or Dovecot."""

    name: str
    template: str
    key: str
    role: str = "mail_ro"
    asked: Mapping[str, str] | None = None

    def sql(self, templates: Path) -> str:
        """The query for the mailbox that pgbench draws."""
        found = re.search(rf"^{self.key} = (.*)$", (templates / self.template).read_text(), re.MULTILINE)
        if not found:
            raise Refused(f"{self.template} has no {self.key}")
        query = found[1].replace("@{mail_root}", "/srv/mail")
        for placeholder, value in (self.asked or POSTFIX).items():
            query = query.replace(placeholder, value)
        return query + ";"


LOCAL_PART, DOMAIN = "post:n", "kunde:t.example"
ADDRESS = f"{LOCAL_PART}@{DOMAIN}"
POSTFIX = {"%u": LOCAL_PART, "%d": DOMAIN, "%s": ADDRESS}
PEPPERED = "encode(sha256('" + ADDRESS + "'), 'hex')"
DOVECOT = {
    "'%{sha256;salt=@{app_password_pepper}:user}'": PEPPERED,
    "'%{sha256;salt=@{app_password_pepper}:password}'": PEPPERED,
    "'%{sha256;truncate=32,salt=@{app_password_pepper}:password}'": f"left({PEPPERED}, 8)",
    "%u": ADDRESS,
    "%r": "192.0.2.7",
}
DOMAINS = Lookup("domain", "postfix/virtual_domains.cf", "query", asked={"%s": DOMAIN})
MAILBOXES = Lookup("mailbox", "postfix/virtual_mailboxes.cf", "query")
ALIASES = Lookup("alias", "postfix/virtual_aliases.cf", "query")
ACCESS = Lookup("recipient access", "postfix/recipient_access.cf", "query")
SENDER = Lookup("sender login", "postfix/sender_logins.cf", "query")
MAY_SEND = Lookup("sender may send", "postfix/sasl_access.cf", "query")
USER = Lookup("Dovecot's user", "dovecot/users.conf.ext", "user_query", asked=DOVECOT)
PASSWORD = Lookup("Dovecot's password", "dovecot/passwords.conf.ext", "password_query", "mail_auth", DOVECOT)
APP_PASSWORD = Lookup(
    "Dovecot's app password",
    "dovecot/apps.conf.ext",
    "password_query",
    "mail_auth",
    # Each seeded mailbox has one whose password is its address, used from here just now.
    {"%s": "imap", **DOVECOT},
)
LOOKUPS = (DOMAINS, MAILBOXES, ALIASES, ACCESS, USER, APP_PASSWORD, PASSWORD, SENDER, MAY_SEND)

# What Dovecot's dict asks about a mailbox at each message, in its source's words: each script's id, and by what is
# behind the name in it the script itself, where it has compiled another one.
POLICY = "SELECT script_id FROM mail.sieve_policies WHERE username = 'post:n@kunde:t.example'"
MARK = "SELECT script_id FROM mail.sieve_marks WHERE username = 'post:n@kunde:t.example'"
NOTICE = "SELECT script_id FROM mail.sieve_notices WHERE username = 'post:n@kunde:t.example'"
DIGEST = "SELECT digest FROM mail.sieve_policies WHERE username = 'post:n@kunde:t.example'"
BY_DIGEST = "SELECT script FROM mail.sieve_policies WHERE digest = ':digest' AND username = 'post:n@kunde:t.example'"
# By what they are about; each answer is to take a millisecond at most.
SCRIPTS = {
    "policy script by its name": (f"{POLICY};",),
    "policy script by name, then id": (f"{DIGEST} \\gset", f"{BY_DIGEST};"),
    "mark script by its name": (f"{MARK};",),
    "notice by its name": (f"{NOTICE};",),
}


def script(size: Size, *queries: str, every: int = 1) -> str:
    """A pgbench script that draws a mailbox, one of so many, and asks about it."""
    drawn = f"\\set t random(1, {size.tenants})\n\\set n {every} * random(1, {size.mailboxes // every})\n"
    return drawn + "\n".join(queries) + "\n"


@dataclass(frozen=True)
class Pgbench:
    """The program, and how it reaches the cluster as each role."""

    program: Path
    environment: Mapping[str, Mapping[str, str]]
    yardstick: str  # database of its own in the same cluster
    folder: Path

    def prepare(self, role: str) -> None:
        """Fill the yardstick: as many rows as there are mailboxes."""
        self._run(role, self.yardstick, "--initialize", "--quiet", "--scale=1")

    def select_only(self, role: str) -> float:
        """Transactions a second of `pgbench -S`."""
        return self._tps(role, self.yardstick, "--select-only")

    def scripted(self, role: str, database: str, name: str, text: str, clients: int = CLIENTS) -> float:
        """Transactions a second of a script."""
        path = self.folder / f"{name.replace(' ', '_')}.sql"
        path.write_text(text)
        return self._tps(role, database, f"--file={path}", clients=clients)

    def _tps(self, role: str, database: str, *options: str, clients: int = CLIENTS) -> float:
        counted = (f"--client={clients}", f"--jobs={min(clients, THREADS)}", f"--time={SECONDS}")
        output = self._run(role, database, "--no-vacuum", "--protocol=simple", *counted, *options)
        found = TPS.search(output)
        if not found or "number of failed transactions: 0 " not in output:
            raise Refused(output)
        return float(found[1])

    def _run(self, role: str, database: str, *options: str) -> str:
        environment = {**self.environment[role], "PGDATABASE": database}
        done = subprocess.run(
            [self.program, *options], env=environment, capture_output=True, text=True, cwd=self.folder, check=False
        )
        if done.returncode:
            raise Refused(done.stderr)
        return done.stdout
