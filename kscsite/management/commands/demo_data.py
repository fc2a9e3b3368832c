import json
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone, translation

from accounts.commands import InstallationCommand
from accounts.models import CredentialState, Deputy, Installation, RecoveryRequest, Tenant, User
from kscsite import sample_mail
from mailboxes.models import Alias, Domain, DomainRequest, Forward, Mailbox, Membership, ServerAddress

IMPRINT = """\
Muster-Hoster (erfundenes Beispiel)
Beispielstraße 1, 12345 Musterstadt

E-Mail: support@hoster.example"""
PRIVACY = """\
Verantwortlich für Ihr Postfach ist Ihre Organisation; Muster-Hoster verarbeitet die Daten in ihrem Auftrag.

Auskunft gibt Ihnen die oder der Datenschutzbeauftragte Ihrer Organisation."""
CUSTOMER_NUMBER = "DEMO-1"
MAILBOXES = [
    # local part, domain, name, state on the first start, alias addresses
    ("max.mustermann", 0, "Max Mustermann", CredentialState.CHANGED, ("info", "kontakt")),
    ("erika.mustermann", 0, "Erika Mustermann", CredentialState.CHANGED, ("buchhaltung",)),
    ("anna.anders", 0, "Anna Anders", CredentialState.ISSUED, ()),
    ("bernd.beispiel", 0, "Bernd Beispiel", CredentialState.ISSUED, ("einkauf",)),
    ("clara.creativ", 0, "Clara Creativ", CredentialState.LOGGED_IN, ()),
    ("dieter.demo", 0, "Dieter Demo", CredentialState.REISSUED, ()),
    ("elke.exempel", 0, "Elke Exempel", CredentialState.EXPIRED, ()),
    ("frieda.frisch", 0, "Frieda Frisch", CredentialState.CREATED, ()),
    ("guenter.gestern", 1, "Günter Gestern", CredentialState.CHANGED, ()),
    ("oezlem.oeffnung", 1, "Özlem Öffnung", CredentialState.CREATED, ("service",)),
]
SHARED = "verkauf"
REQUESTED = "musterverein.example"
LOCKED = "guenter.gestern"
FUNCTION, FUNCTION_NAME, RESPONSIBLE = "kasse", "Kasse", "max.mustermann"
# Whose mail goes where: one inside and in force, one out of the house, which waits for the DVB.
FORWARDS = [
    ("clara.creativ", "erika.mustermann@musterdomain.de"),
    ("max.mustermann", "max.mustermann@privat.example"),
]
# Messages a working day of those who have a month of mail behind them.
MAIL_A_DAY = {"max.mustermann": 12, "erika.mustermann": 6, FUNCTION: 4}
STANDS_IN, STANDS_IN_DAYS = "erika.mustermann", 14
COLLEAGUES = [
    (User.Role.STAFF, "staff@hoster.example", "Steffi Support"),
    (User.Role.DVB, "dvb@musterdomain.de", "Dora Verwalter"),
    (User.Role.DSB, "dsb@musterdomain.de", "Dennis Schutz"),
]
# Protocol → its name among the mail servers' ports, encryption, standard port.
PORTS = {
    "imap": ("imaps", "tls", 993),
    "pop3": ("pop3s", "tls", 995),
    "submission": ("submission", "starttls", 587),
    "sieve": ("sieve", "starttls", 4190),
}


class Command(InstallationCommand):
    help = "Make the demo tenant where it is missing, and print its logins as JSON."

    def add_arguments(self, parser):
        parser.add_argument(
            "--known", type=Path, help="demo.json of an earlier start: passwords are only known from there"
        )
        parser.add_argument(
            "--mail", type=json.loads, default={}, help="JSON object of the mail servers' host and ports"
        )

    def handle(self, *args, **options):
        self.passwords = self.known_passwords(options["known"])
        with transaction.atomic(), translation.override("de"):
            if not Tenant.objects.filter(customer_number=CUSTOMER_NUMBER).exists():
                self.make()
            self.set_servers(options["mail"])
            accounts = [self.describe(user) for user in self.people()]
        self.stdout.write(json.dumps(accounts, ensure_ascii=False, indent=1))

    def known_passwords(self, path):
        if not path or not path.exists():
            return {}
        return {(row["area"], row["address"]): row["password"] for row in json.loads(path.read_text())["accounts"]}

    def people(self):
        people = User.objects.select_related("tenant").order_by("role", "pk")
        return people.filter(tenant__customer_number=CUSTOMER_NUMBER) | people.filter(address=COLLEAGUES[0][1])

    def make(self):
        Installation.objects.get_or_create(
            defaults={
                "provider_name": "Muster-Hoster",
                "support_email": "support@hoster.example",
                "support_phone": "+49 30 23125 000",
                "postmaster_address": "",
                "mx_hosts": "mx1.hoster.example mx2.hoster.example",
                "spf_include": "_spf.hoster.example",
                "mta_sts_host": "mta-sts.hoster.example",
                "tls_reports": "tls@hoster.example",
                "imprint": IMPRINT,
                "privacy": PRIVACY,
            }
        )
        tenant = Tenant.objects.create(customer_number=CUSTOMER_NUMBER, name="Musterfirma GmbH")
        domains = [
            Domain.objects.create(tenant=tenant, name=name) for name in ("musterdomain.de", "xn--mller-kva.example")
        ]
        colleagues = {
            role: User.objects.create_person(
                role=role, address=address, name=name, tenant=None if role == User.Role.STAFF else tenant
            )
            for role, address, name in COLLEAGUES
        }
        for user in colleagues.values():
            self.bring_to(user, CredentialState.CHANGED, by=None)
        dvb = colleagues[User.Role.DVB]
        DomainRequest.objects.ask(tenant=tenant, name=REQUESTED, by=dvb)
        for local_part, domain, name, state, aliases in MAILBOXES:
            mailbox = Mailbox.objects.open_mailbox(
                domain=domains[domain], local_part=local_part, name=name, storage_mb=1024, by=dvb
            )
            for alias in aliases:
                Alias.objects.open_alias(domain=domains[domain], local_part=alias, mailbox=mailbox, by=dvb)
            self.bring_to(mailbox.user, state, by=dvb)
            if local_part == LOCKED:
                mailbox.user.lock(by=dvb, reason="Ausgeschieden")
            if state == CredentialState.EXPIRED:
                RecoveryRequest.objects.ask(User.objects.at_login(User.Area.MAILBOX, mailbox.user.address))
        receivers = list(Mailbox.objects.filter(tenant=tenant)[:2])
        Alias.objects.open_shared(domain=domains[0], local_part=SHARED, receivers=receivers, senders=receivers, by=dvb)
        colleague, responsible = (
            User.objects.get(address=f"{local_part}@{domains[0].name}") for local_part in (STANDS_IN, RESPONSIBLE)
        )
        Deputy.objects.appoint(colleague, until=timezone.localdate() + timedelta(days=STANDS_IN_DAYS), by=dvb)
        function = Mailbox.objects.open_mailbox(
            domain=domains[0], local_part=FUNCTION, name=FUNCTION_NAME, storage_mb=1024, is_function=True, by=dvb
        )
        for local_part, target in FORWARDS:
            mailbox = Mailbox.objects.get(address__address=f"{local_part}@{domains[0].name}")
            Forward.objects.open_forward(mailbox=mailbox, target=target, by=mailbox.user)
        Membership.objects.set_members(function, responsible=responsible, members=[colleague], by=dvb)
        for local_part, a_day in MAIL_A_DAY.items():
            box = Mailbox.objects.select_related("address", "tenant").get(
                address__address=f"{local_part}@{domains[0].name}"
            )
            sample_mail.fill(box, a_day=a_day)

    def bring_to(self, user, state, *, by):
        """Walk the person through the same verbs as in life until the state is reached."""
        if state == CredentialState.CREATED:
            return
        days_ago = 15 if state == CredentialState.EXPIRED else 1
        for _issue in range(2 if state == CredentialState.REISSUED else 1):
            password, encoded = user.draw_initial_password()
            at = timezone.now() - timedelta(days=days_ago)
            user.issue_initial_password(encoded, by=by, issue=user.initial_issues, at=at)
        if state in (CredentialState.LOGGED_IN, CredentialState.CHANGED):
            user.login_recorded()
        if state == CredentialState.CHANGED:
            password, _encoded = user.draw_initial_password()
            user.change_password(password, by=user)
        self.passwords[(str(user.get_area_display()), user.address)] = password

    def describe(self, user):
        area = str(user.get_area_display())
        password = self.passwords.get((area, user.address))
        return {
            "role": user.role,
            "area": area,
            "address": user.address,
            "password": password if password and user.is_current_password(password) else None,
            "state": str(user.credential_state.label),
            "totp": None,
        }

    def set_servers(self, mail):
        """The demo's own mail servers have other ports at each start; without them staff's entries stay."""
        if not mail and ServerAddress.objects.filter(tenant=None).exists():
            return
        for protocol, (name, encryption, standard) in PORTS.items():
            ServerAddress.objects.update_or_create(
                tenant=None,
                protocol=protocol,
                defaults={
                    "host": mail.get("host", "mail.hoster.example"),
                    "port": mail.get(name, standard),
                    "encryption": encryption,
                },
            )
