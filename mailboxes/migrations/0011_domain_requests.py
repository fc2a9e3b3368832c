"""Domains that are asked for and proved by DNS, and the keys that sign a domain's mail."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.names
import mailboxes.models.requests
from accounts.walled import walled

SAME_TENANT = """
ALTER TABLE mailboxes_domainrequest ADD CONSTRAINT mailboxes_domainrequest_asked_by_same_tenant
    FOREIGN KEY (tenant_id, asked_by_id) REFERENCES accounts_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE mailboxes_dkimkey ADD CONSTRAINT mailboxes_dkimkey_domain_id_same_tenant
    FOREIGN KEY (tenant_id, domain_id) REFERENCES mailboxes_domain (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE mailboxes_dkimkey IS 'Keys that sign a domain''s mail; the private part is sealed with the portal''s key.';
"""
FREE_TENANT = """
ALTER TABLE mailboxes_dkimkey DROP CONSTRAINT mailboxes_dkimkey_domain_id_same_tenant;
ALTER TABLE mailboxes_domainrequest DROP CONSTRAINT mailboxes_domainrequest_asked_by_same_tenant;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_dns"),
        ("mailboxes", "0010_mapped_addresses"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DkimKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "algorithm",
                    models.CharField(
                        choices=[("rsa", "RSA"), ("ed25519", "Ed25519")], max_length=8, verbose_name="algorithm"
                    ),
                ),
                ("day", models.DateField(verbose_name="made on")),
                ("selector", models.CharField(max_length=63, verbose_name="selector")),
                ("public", models.TextField(verbose_name="public key")),
                ("sealed", models.TextField(editable=False)),
                (
                    "domain",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dkim_keys",
                        to="mailboxes.domain",
                        verbose_name="domain",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "DKIM key",
                "verbose_name_plural": "DKIM keys",
                "ordering": ["-day", "-algorithm"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="mailboxes_dkim_key_tenant_id"),
                    models.UniqueConstraint(
                        fields=("domain", "selector"),
                        name="mailboxes_dkim_key_selector",
                        violation_error_message="There is a key pair of today already. The next one can be made tomorrow.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("algorithm__in", ["rsa", "ed25519"])),
                        name="mailboxes_dkim_key_known_algorithm",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("selector__regex", "^[a-z0-9-]+$")),
                        name="mailboxes_dkim_key_selector_plain",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DomainRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="For example musterdomain.de. You show that it is yours by a record in its DNS.",
                        max_length=253,
                        verbose_name="domain",
                    ),
                ),
                (
                    "token",
                    models.CharField(default=mailboxes.models.requests.draw_token, editable=False, max_length=32),
                ),
                (
                    "asked_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="asked on"),
                ),
                (
                    "expires_at",
                    models.DateTimeField(
                        default=mailboxes.models.requests.prove_deadline,
                        editable=False,
                        verbose_name="can be proved until",
                    ),
                ),
                ("checked_at", models.DateTimeField(editable=False, null=True, verbose_name="last look")),
                (
                    "finding",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("proved", "The record is there."),
                            (
                                "no_name",
                                "The record is not there yet. Set it as shown; it can take hours until it is seen.",
                            ),
                            (
                                "no_record",
                                "The name is there, but without a TXT record. Set one with the value shown.",
                            ),
                            ("other", "There is a TXT record, but with another value. Compare it with the one shown."),
                            (
                                "timeout",
                                "The name servers of the domain did not answer in time. We try again by ourselves.",
                            ),
                            (
                                "servfail",
                                "The name servers answered with an error. Have your DNS provider check the domain.",
                            ),
                            (
                                "broken",
                                "The answer of the name servers cannot be read. Have your DNS provider check the domain.",
                            ),
                            (
                                "limit",
                                "The record is there, but all domains of your contract are in use. Please ask our support.",
                            ),
                        ],
                        editable=False,
                        max_length=16,
                        verbose_name="found",
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("open", "waits for the proof"),
                            ("proved", "proved"),
                            ("confirmed", "confirmed by support"),
                            ("lost", "refused: in use here by somebody else"),
                            ("dismissed", "refused by support"),
                        ],
                        default="open",
                        editable=False,
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        editable=False,
                        max_length=200,
                        validators=[accounts.names.validate_name],
                        verbose_name="reason",
                    ),
                ),
                ("closed_at", models.DateTimeField(editable=False, null=True, verbose_name="closed on")),
                (
                    "asked_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked by",
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="closed by",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "domain request",
                "verbose_name_plural": "domain requests",
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="mailboxes_domain_request_tenant_id"),
                    models.UniqueConstraint(
                        condition=models.Q(("outcome", "open")),
                        fields=("tenant", "name"),
                        name="mailboxes_domain_request_one_open",
                        violation_error_message="You have asked for this domain already. Open that request.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name__regex", "^[a-z0-9-]+(\\.[a-z0-9-]+)+$")),
                        name="mailboxes_domain_request_a_label",
                        violation_error_message="A domain is stored in its ASCII form, for example xn--mller-kva.de.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("token__regex", "^[0-9a-f]{32}$")),
                        name="mailboxes_domain_request_token_in_hex",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("outcome", "open")),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("outcome__in", ["proved", "confirmed", "lost", "dismissed"]),
                            ),
                            _connector="OR",
                        ),
                        name="mailboxes_domain_request_closed_once",
                        violation_error_message="A request is open, or closed at a moment.",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SAME_TENANT, FREE_TENANT),
        walled("mailboxes_domainrequest"),
        walled("mailboxes_dkimkey"),
    ]
