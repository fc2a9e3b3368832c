"""Who opens a mailbox for a purpose: members, each with app passwords of their own, which Dovecot asks about."""

from importlib import import_module
from pathlib import Path

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from accounts.walled import walled

SQL = Path(__file__).resolve().parents[1] / "sql"

HELD = """
UPDATE mailboxes_apppassword row SET holder_id = box.user_id FROM mailboxes_mailbox box WHERE box.id = row.mailbox_id;
SET CONSTRAINTS ALL IMMEDIATE;
"""
SAME_TENANT = """
ALTER TABLE mailboxes_apppassword ADD CONSTRAINT mailboxes_apppassword_holder_id_same_tenant
    FOREIGN KEY (tenant_id, holder_id) REFERENCES accounts_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE mailboxes_membership ADD CONSTRAINT mailboxes_membership_mailbox_id_same_tenant
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes_mailbox (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE mailboxes_membership ADD CONSTRAINT mailboxes_membership_user_id_same_tenant
    FOREIGN KEY (tenant_id, user_id) REFERENCES accounts_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE mailboxes_membership IS 'Who opens a mailbox for a purpose, by app passwords of their own.';
COMMENT ON COLUMN mailboxes_apppassword.holder_id IS 'Who uses it: the mailbox''s own person, or a member.';
"""
LOOSE = """
ALTER TABLE mailboxes_apppassword DROP CONSTRAINT mailboxes_apppassword_holder_id_same_tenant;
"""
# Before there were members, every app password was of the mailbox's own person.
BEFORE = import_module("mailboxes.migrations.0010_mapped_addresses").APP_LOGIN_UNMAPPED
OWN_ALONE = f"SET LOCAL ROLE mail_owner; {BEFORE} RESET ROLE; REVOKE ALL ON mailboxes_membership FROM mail_owner;"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0016_functions"),
        ("mailboxes", "0012_usage_follows"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="apppassword",
            name="holder",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="app_passwords",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("responsible", models.BooleanField(default=False, verbose_name="responsible")),
                (
                    "since",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="since"),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="mailboxes.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "member",
                "verbose_name_plural": "members",
                "ordering": ["-responsible", "user__sort_key", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("mailbox", "user"), name="mailboxes_membership_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("responsible", True)),
                        fields=("mailbox",),
                        name="mailboxes_membership_one_responsible",
                    ),
                ],
            },
        ),
        migrations.RunSQL(HELD, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="apppassword",
            name="holder",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="app_passwords",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
        migrations.RunSQL(SAME_TENANT, LOOSE),
        walled("mailboxes_membership", mail="mail_owner"),
        migrations.RunSQL((SQL / "app_login_of_members.sql").read_text(), OWN_ALONE),
    ]
