"""Departures are planned whole, and what was deleted leaves a record."""

from pathlib import Path

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from accounts.walled import walled
from mailboxes.contract import remade_contract

SQL = Path(__file__).resolve().parents[1] / "sql"

GOES = """
CREATE FUNCTION mailboxes_usage_goes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    DELETE FROM mailboxes_usage WHERE username = (SELECT address FROM mailboxes_address WHERE id = OLD.address_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER mailboxes_usage_goes AFTER DELETE ON mailboxes_mailbox
    FOR EACH ROW EXECUTE FUNCTION mailboxes_usage_goes();
"""
STAYS = """
DROP TRIGGER mailboxes_usage_goes ON mailboxes_mailbox;
DROP FUNCTION mailboxes_usage_goes();
"""

APP_LOGIN = (SQL / "app_login_of_members.sql").read_text()
# An app password opens no mailbox past its last day, whoever holds it.
BEFORE, AFTER = (
    "AND own.locked_at IS NULL",
    """AND own.locked_at IS NULL
      AND (own.valid_until IS NULL OR own.valid_until >= (now() AT TIME ZONE 'Europe/Berlin')::date)""",
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0018_departures"),
        ("mailboxes", "0015_alias_targets"),
    ]

    operations = [
        *remade_contract(
            SQL,
            new="0004",
            old="0003",
            around=[
                migrations.AddField(
                    model_name="mailbox",
                    name="leaves_on",
                    field=models.DateField(editable=False, null=True, verbose_name="leaves on"),
                ),
                migrations.AddField(
                    model_name="mailbox",
                    name="deletes_on",
                    field=models.DateField(editable=False, null=True, verbose_name="is deleted on"),
                ),
                migrations.AddField(
                    model_name="mailbox",
                    name="write_to",
                    field=models.CharField(
                        db_default="", default="", editable=False, max_length=254, verbose_name="write to instead"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="mailbox",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deletes_on", None), ("leaves_on", None), ("write_to", "")),
                            models.Q(("deletes_on__gt", models.F("leaves_on")), ("leaves_on__isnull", False)),
                            _connector="OR",
                        ),
                        name="mailboxes_mailbox_plan_whole",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(APP_LOGIN.replace(BEFORE, AFTER), APP_LOGIN),
        migrations.CreateModel(
            name="DeletedMailbox",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("address", models.CharField(max_length=254, verbose_name="e-mail address")),
                ("name", models.CharField(blank=True, max_length=120, verbose_name="name")),
                ("left_on", models.DateField(verbose_name="left on")),
                ("read_until", models.DateField(verbose_name="mail could be read until")),
                ("deleted_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="deleted")),
                ("messages", models.BigIntegerField(verbose_name="messages")),
                ("bytes", models.BigIntegerField(verbose_name="bytes")),
            ],
            options={
                "verbose_name": "deleted mailbox",
                "verbose_name_plural": "deleted mailboxes",
                "ordering": ["-deleted_at", "-pk"],
            },
        ),
        migrations.AddField(
            model_name="deletedmailbox",
            name="tenant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
                verbose_name="tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="deletedmailbox",
            index=models.Index(fields=["tenant", "-deleted_at"], name="mailboxes_deleted_tenant"),
        ),
        walled("mailboxes_deletedmailbox"),
        migrations.RunSQL(GOES, STAYS),
    ]
