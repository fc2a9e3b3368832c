"""The portal's own tables in a private PostgreSQL, with a pgbouncer in front, for tests of the mail servers."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import psycopg
from argon2 import PasswordHasher
from psycopg.conninfo import make_conninfo

from local import environment, folders
from local.cluster import Cluster
from local.pgbouncer import Pgbouncer
from mailboxes.models.app_passwords import draw_token, hash_of
from tests import clusters

ROOT = Path(__file__).parents[2]
# The real cost: it is Dovecot that has to bear it.
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
NEW_USER = """
INSERT INTO accounts_user (area, address, tenant_id, role, name, language, password, password_changed_at,
    initial_password, initial_issues, mail_password_enabled, lock_reason, created_at)
VALUES ('mailbox', %s, %s, 'user', '', 'de', %s, now(), false, 0, %s, '', now()) RETURNING id
"""
NEW_ADDRESS = """
INSERT INTO mailboxes_address (tenant_id, domain_id, local_part, address, kind)
VALUES (%s, %s, %s, %s, %s) RETURNING id
"""
NEW_MAILBOX = """
INSERT INTO mailboxes_mailbox (tenant_id, public_id, address_id, user_id, storage_mb, delivery, created_at)
VALUES (%s, %s, %s, %s, %s, 'accept', now()) RETURNING id
"""
NEW_ALIAS = "INSERT INTO mailboxes_alias (tenant_id, address_id, created_at) VALUES (%s, %s, now()) RETURNING id"
NEW_TARGET = """
INSERT INTO mailboxes_aliastarget (tenant_id, alias_id, mailbox_id, receives, may_send)
SELECT m.tenant_id, %s, m.id, %s, %s
FROM mailboxes_mailbox m JOIN mailboxes_address a ON a.id = m.address_id WHERE a.address = %s
"""
NEW_APP_PASSWORD = """
INSERT INTO mailboxes_apppassword (tenant_id, public_id, mailbox_id, holder_id, name, protocols, valid_until, networks,
    token_hash, created_at, last_used_by)
SELECT m.tenant_id, gen_random_uuid(), m.id, holder.id, 'Gerät', %s, %s, %s::cidr[], %s, now(), ''
FROM mailboxes_mailbox m JOIN mailboxes_address a ON a.id = m.address_id JOIN accounts_user holder
    ON holder.address = %s
WHERE a.address = %s RETURNING id
"""
OF_ADDRESS = "(SELECT id FROM mailboxes_address WHERE address = %s)"
OF_MAILBOX = f"(SELECT m.id FROM mailboxes_mailbox m WHERE m.address_id = {OF_ADDRESS})"


class Database:
    """One cluster below `state`, reached by the mail servers through pgbouncer and by tests as its owner."""

    def __init__(self, state: Path) -> None:
        self.cluster = Cluster(state)
        self.bouncer = Pgbouncer(self.cluster)

    def create(self) -> None:
        """Make the cluster with the portal's migrations, and the mail servers' way to it."""
        clusters.lay(self.cluster.state)
        folders.make_runtime(self.cluster.state)
        self.cluster.start()
        self.bouncer.start()
        self._connect()
        self.tenant = self._new(
            "INSERT INTO accounts_tenant (customer_number, name, status, max_domains, max_mailboxes, max_aliases,"
            " max_storage_mb, initial_password_days, password_rule, created_at)"
            " VALUES ('1', 'Musterfirma', 'active', 9, 9, 9, 9, 14, 'classes', now()) RETURNING id"
        )

    def pause(self) -> None:
        """Take PostgreSQL away; pgbouncer stays."""
        self.connection.close()
        self.cluster.stop()

    def resume(self) -> None:
        self.cluster.start()
        self._connect()

    def wait_for_bouncer(self, patience: float = 60) -> None:
        """pgbouncer refuses for a second after it could not reach the database itself."""
        deadline = time.monotonic() + patience
        while True:
            try:
                with psycopg.connect(make_conninfo(**self.bouncer.dsn("mail_ro"))) as connection:
                    connection.execute("SELECT FROM mail.domain_of('bouncer.example')")
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def remove(self) -> None:
        self.connection.close()
        self.bouncer.stop()
        self.cluster.stop()
        folders.remove_runtime(self.cluster.state)

    def secret(self, role: str) -> str:
        return folders.kept_secret(self.cluster.state, role)

    def mailbox(self, address: str, password: str | None = None, *, quota_mb: int = 100) -> None:
        """Make a mailbox whose owner has chosen this password, or none yet."""
        stored = "argon2" + HASHER.hash(password) if password else "!"
        user = self._new(NEW_USER, address, self.tenant, stored, bool(password))
        address_id = self._address(address, "mailbox")
        self._new(NEW_MAILBOX, self.tenant, uuid.uuid4(), address_id, user, quota_mb)

    def alias(self, address: str, *receivers: str, senders: Sequence[str] | None = None) -> None:
        """Make an alias of mailboxes; all of them may send as it unless it is said who may."""
        alias = self._new(NEW_ALIAS, self.tenant, self._address(address, "alias"))
        may_send = receivers if senders is None else senders
        for target in dict.fromkeys((*receivers, *may_send)):
            self.run(NEW_TARGET, alias, target in receivers, target in may_send, target)

    def may_send(self, address: str, *senders: str) -> None:
        """Let just these mailboxes send as an alias."""
        self.run(
            "UPDATE mailboxes_aliastarget lead SET may_send = own.address = ANY (%s)"
            " FROM mailboxes_mailbox m, mailboxes_address own, mailboxes_alias alias"
            " WHERE m.id = lead.mailbox_id AND own.id = m.address_id AND alias.id = lead.alias_id"
            f" AND alias.address_id = {OF_ADDRESS}",
            list(senders),
            address,
        )

    def last_day(self, address: str, day: date) -> None:
        """Let an alias end with this day."""
        self.run(f"UPDATE mailboxes_alias SET valid_until = %s WHERE address_id = {OF_ADDRESS}", day, address)

    def leaves(self, address: str, day: date, *, reads_until: date, write_to: str = "") -> None:
        """The person behind a mailbox leaves; it is deleted a year later."""
        plan = f"leaves_on = %s, deletes_on = %s, write_to = %s WHERE address_id = {OF_ADDRESS}"
        self.run(f"UPDATE mailboxes_mailbox SET {plan}", day, day + timedelta(days=365), write_to, address)
        self.run("UPDATE accounts_user SET valid_until = %s WHERE address = %s", reads_until, address)

    def home(self, address: str) -> str:
        """The end of the path of a mailbox's folder."""
        query = f"SELECT 't' || tenant_id || '/' || public_id FROM mailboxes_mailbox WHERE address_id = {OF_ADDRESS}"
        row = self.run(query, address).fetchone()
        assert row
        return str(row[0])

    def close(self, address: str) -> None:
        """Take an address away, which stays behind as retired."""
        self.run("UPDATE mailboxes_address SET retired_at = now() WHERE address = %s", address)

    def catch_all(self, domain: str, address: str) -> None:
        """Lead to a mailbox what is sent to nobody of a domain."""
        self.run(
            "UPDATE mailboxes_domain SET catch_all_id ="
            f" (SELECT id FROM mailboxes_mailbox WHERE address_id = {OF_ADDRESS}) WHERE name = %s",
            address,
            domain,
        )

    def alias_domain(self, name: str, other: str) -> None:
        """Make a domain that stands for another one."""
        self.run(
            "INSERT INTO mailboxes_domain (tenant_id, name, created_at, alias_of_id)"
            " SELECT tenant_id, %s, now(), id FROM mailboxes_domain WHERE name = %s",
            name,
            other,
        )

    def rename(self, before: str, after: str) -> None:
        """Give a mailbox another address; the one before stays as its alias."""
        new = self._address(after, "mailbox")
        self.run(f"UPDATE mailboxes_mailbox SET address_id = %s WHERE address_id = {OF_ADDRESS}", new, before)
        self.run("UPDATE mailboxes_address SET kind = 'alias' WHERE address = %s", before)
        old = self._new("SELECT id FROM mailboxes_address WHERE address = %s", before)
        self.run(NEW_TARGET, self._new(NEW_ALIAS, self.tenant, old), True, True, after)
        self.run("UPDATE accounts_user SET address = %s WHERE address = %s", after, before)

    def password(self, address: str, password: str) -> None:
        """Replace a person's password."""
        self.hash(address, "argon2" + HASHER.hash(password))

    def hash(self, address: str, encoded: str) -> None:
        """Store a person's password as this hash in Django's form."""
        self.run("UPDATE accounts_user SET password = %s WHERE address = %s", encoded, address)

    def app_password(
        self,
        address: str,
        *protocols: str,
        holder: str = "",
        valid_until: date | None = None,
        networks: Sequence[str] = (),
    ) -> str:
        """Make an app password of a mailbox, for its own person or another holder, and return its token."""
        token = draw_token()
        digest = hash_of(token)
        self._new(NEW_APP_PASSWORD, list(protocols), valid_until, list(networks), digest, holder or address, address)
        return token

    def member(self, address: str, person: str) -> None:
        """Make a person a member of a mailbox."""
        self.run(
            "INSERT INTO mailboxes_membership (tenant_id, mailbox_id, user_id, responsible, since)"
            f" SELECT tenant_id, id, (SELECT id FROM accounts_user WHERE address = %s), false, now()"
            f" FROM mailboxes_mailbox WHERE address_id = {OF_ADDRESS}",
            person,
            address,
        )

    def function(self, address: str, responsible: str) -> None:
        """Make a mailbox for a purpose, for which a person is responsible."""
        self.mailbox(address)
        self.run("UPDATE accounts_user SET is_function = true WHERE address = %s", address)
        self.member(address, responsible)
        self.run(f"UPDATE mailboxes_membership SET responsible = true WHERE mailbox_id = {OF_MAILBOX}", address)

    def revoke(self, token: str) -> None:
        self.run("UPDATE mailboxes_apppassword SET revoked_at = now() WHERE token_hash = %s", hash_of(token))

    def mail_password(self, address: str, enabled: bool) -> None:
        """Let a person's own password open mail programs, or not."""
        self.run("UPDATE accounts_user SET mail_password_enabled = %s WHERE address = %s", enabled, address)

    def spam(self, address: str, **chosen: object) -> None:
        """Set what a mailbox's owner chose by column; what is not named is default."""
        self.run(f"DELETE FROM filters_spamsettings WHERE mailbox_id = {OF_MAILBOX}", address)
        names, places = "".join(f", {name}" for name in chosen), ", %s" * len(chosen)
        self.run(
            f"INSERT INTO filters_spamsettings (tenant_id, mailbox_id{names}) VALUES (%s, {OF_MAILBOX}{places})",
            self.tenant,
            address,
            *chosen.values(),
        )

    def listed(self, kind: str, *senders: str, mailbox: str = "", domain: str = "", tenant: bool = False) -> None:
        """Put senders on the allow or block list of a mailbox, a domain, the tenant, or of everybody."""
        self.run(
            "INSERT INTO filters_senderrule (tenant_id, mailbox_id, domain_id, kind, sender, created_at)"
            f" SELECT %s, {OF_MAILBOX}, (SELECT id FROM mailboxes_domain WHERE name = %s), %s, sender, now()"
            " FROM unnest(%s::text[]) AS sender",
            self.tenant if mailbox or domain or tenant else None,
            mailbox,
            domain,
            kind,
            list(senders),
        )

    def no_lists(self) -> None:
        self.run("DELETE FROM filters_senderrule")

    def notice(self, address: str, **written: object) -> None:
        """Switch a mailbox's notice on, or leave it to what is written."""
        written = {"is_on": True, "subject": "", "text": "Ich bin nicht da.", **written}
        self.run(f"DELETE FROM filters_absence WHERE mailbox_id = {OF_MAILBOX}", address)
        names, places = ", ".join(written), ", %s" * len(written)
        self.run(
            f"INSERT INTO filters_absence (tenant_id, mailbox_id, {names}) VALUES (%s, {OF_MAILBOX}{places})",
            self.tenant,
            address,
            *written.values(),
        )

    def forward(self, address: str, *targets: str, keeps_copy: bool = True, **chosen: object) -> None:
        """Send a mailbox's mail on to just these addresses, each with what is chosen by column."""
        self.run(f"DELETE FROM mailboxes_forward WHERE mailbox_id = {OF_MAILBOX}", address)
        self.run(f"UPDATE mailboxes_mailbox SET keeps_copy = %s WHERE id = {OF_MAILBOX}", keeps_copy, address)
        names, places = "".join(f", {name}" for name in chosen), ", %s" * len(chosen)
        self.run(
            f"INSERT INTO mailboxes_forward (tenant_id, public_id, mailbox_id, target, created_at{names})"
            f" SELECT %s, gen_random_uuid(), {OF_MAILBOX}, target, now(){places} FROM unnest(%s::text[]) AS target",
            self.tenant,
            address,
            *chosen.values(),
            list(targets),
        )

    def forwards_outside(self, rule: str) -> None:
        """What the tenant thinks of forwards that leave the house: forbidden, approval or warning."""
        self.run("UPDATE accounts_tenant SET forwards_outside = %s", rule)

    def script(self, address: str, name: str = "policy") -> str:
        """The script that Dovecot would be given now; empty where there is none."""
        row = self.run(
            "SELECT script FROM mail.sieve_scripts WHERE username = %s AND name = %s", address, name
        ).fetchone()
        return str(row[0]) if row else ""

    def senders(self, address: str) -> dict[str, str]:
        """What that script includes, by name."""
        return dict(self.run("SELECT name, script FROM mail.sieve_senders WHERE username = %s", address).fetchall())

    def manage(self, *arguments: str, **variables: str) -> str:
        """Run a command of the portal on this database and return what it says."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment.base(self.cluster.state) | self.cluster.environment() | variables,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def initial(self, address: str, *, expired: bool = False) -> None:
        """Make a person's password an initial one."""
        self.run(
            "UPDATE accounts_user SET initial_password = true, mail_password_enabled = false,"
            " initial_expires_at = now() + %s::interval WHERE address = %s",
            "-1 day" if expired else "14 days",
            address,
        )

    def lock(self, address: str) -> None:
        """Take sign-in and sending away; the mailbox still receives."""
        self.run("UPDATE accounts_user SET locked_at = now() WHERE address = %s", address)

    def unlock(self, address: str) -> None:
        self.run("UPDATE accounts_user SET locked_at = NULL WHERE address = %s", address)

    def deliver(self, address: str, delivery: str) -> None:
        """Accept, defer or refuse mail to a mailbox."""
        self.run(f"UPDATE mailboxes_mailbox SET delivery = %s WHERE address_id = {OF_ADDRESS}", delivery, address)

    def tenant_status(self, status: str) -> None:
        self.run("UPDATE accounts_tenant SET status = %s", status)

    def run(self, sql: str, *parameters: object) -> psycopg.Cursor:
        return self.connection.execute(sql, parameters)

    def _new(self, sql: str, *parameters: object) -> int:
        row = self.run(sql, *parameters).fetchone()
        assert row
        return int(row[0])

    def _address(self, address: str, kind: str) -> int:
        local_part, _, domain = address.partition("@")
        self.run(
            "INSERT INTO mailboxes_domain (tenant_id, name, created_at) VALUES (%s, %s, now()) ON CONFLICT DO NOTHING",
            self.tenant,
            domain,
        )
        domain_id = self._new("SELECT id FROM mailboxes_domain WHERE name = %s", domain)
        return self._new(NEW_ADDRESS, self.tenant, domain_id, local_part, address, kind)

    def _connect(self) -> None:
        self.connection = psycopg.connect(self.cluster.url("ksc_owner"), autocommit=True, options="-c app.tenant=*")
