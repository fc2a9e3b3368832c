"""What staff note of a customer's contract."""

from django.db import migrations, models
from django.db.models import F, Q

import accounts.names

COMMENTS = """
COMMENT ON COLUMN accounts_tenant.contract_until IS 'Last day of the contract; NULL: no end is known. Nothing ends by it.';
COMMENT ON COLUMN accounts_tenant.cancelled_on IS 'Day on which notice was given; NULL: it was not.';
COMMENT ON COLUMN accounts_tenant.remark IS 'For staff alone; neither the customer''s people nor the audit trail get to see it.';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0020_imported_passwords"),
    ]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="contract_number",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                max_length=40,
                validators=[accounts.names.validate_name],
                verbose_name="contract number",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="contract_from",
            field=models.DateField(blank=True, null=True, verbose_name="contract from"),
        ),
        migrations.AddField(
            model_name="tenant",
            name="contract_until",
            field=models.DateField(
                blank=True,
                help_text="Last day; empty: no end is known. Nothing ends by itself then: suspend the customer.",
                null=True,
                verbose_name="contract until",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="cancelled_on",
            field=models.DateField(
                blank=True, help_text="Day on which the notice arrived.", null=True, verbose_name="cancelled on"
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="contact_name",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Whom you ask about the contract; often not the DVB.",
                max_length=120,
                validators=[accounts.names.validate_name],
                verbose_name="contact person",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="contact_email",
            field=models.EmailField(
                blank=True, db_default="", default="", max_length=254, verbose_name="contact's e-mail"
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="contact_phone",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                max_length=40,
                validators=[accounts.names.validate_name],
                verbose_name="contact's phone",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="remark",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="For staff alone: no one of the customer reads it, and the trail says only that it was changed.",
                max_length=2000,
                verbose_name="remark",
            ),
        ),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.CheckConstraint(
                condition=Q(contract_from=None) | Q(contract_until=None) | Q(contract_until__gte=F("contract_from")),
                name="accounts_tenant_contract_days_in_order",
                violation_error_message="The contract's last day is before its first one.",
            ),
        ),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.CheckConstraint(
                condition=Q(cancelled_on=None) | Q(contract_until__isnull=False),
                name="accounts_tenant_cancelled_has_end",
                violation_error_message="Say with which day a contract ends that was cancelled.",
            ),
        ),
        migrations.RunSQL(COMMENTS, migrations.RunSQL.noop),
    ]
