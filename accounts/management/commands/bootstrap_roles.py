from pathlib import Path

import environ
import psycopg
from django.core.management.base import BaseCommand, CommandError
from psycopg import sql

ROLES_SQL = Path(__file__).resolve().parents[2] / "sql" / "roles.sql"
env = environ.Env()


class Command(BaseCommand):
    help = "Make the database roles of portal and mail servers, once per cluster; safe to run again."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--sql", action="store_true", help="print the SQL for a DBA instead of running it")

    def handle(self, *args, **options):
        if options["sql"]:
            self.stdout.write(
                ROLES_SQL.read_text() + "-- Then set a password for each role that logs in: \\password ksc_app\n"
            )
            return
        admin_url = env("DATABASE_ADMIN_URL", default="")
        if not admin_url:
            raise CommandError("DATABASE_ADMIN_URL must name a superuser; or use --sql and hand it to your DBA.")
        with psycopg.connect(admin_url) as connection:
            connection.execute(ROLES_SQL.read_text())
            for role, password in self.passwords().items():
                connection.execute(
                    sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
                )
        self.stdout.write("Roles are in place.")

    def passwords(self):
        """Passwords from the environment; a role whose variable is not set keeps the one it has."""
        found = {
            "ksc_app": env.db_url("DATABASE_URL")["PASSWORD"],
            "ksc_owner": env.db_url("DATABASE_OWNER_URL")["PASSWORD"] if env("DATABASE_OWNER_URL", default="") else "",
            "mail_ro": env("MAIL_RO_PASSWORD", default=""),
            "mail_auth": env("MAIL_AUTH_PASSWORD", default=""),
            "mail_usage": env("MAIL_USAGE_PASSWORD", default=""),
        }
        return {role: password for role, password in found.items() if password}
