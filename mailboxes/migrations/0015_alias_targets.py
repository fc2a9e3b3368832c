"""Aliases lead to several mailboxes until a day; domains stand for others or catch what does not exist."""

import re
from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from accounts.walled import walled
from mailboxes.contract import remade_contract

SQL = Path(__file__).resolve().parents[1] / "sql"

# On the way back: what other functions need, which the second version of the contract knows nothing of.
[PASSWORD_OF] = re.findall(
    r"CREATE FUNCTION mail\.password_of.*?\$\$;\nCOMMENT .*?;\n", (SQL / "brakes.sql").read_text(), re.DOTALL
)
BESIDES = [
    "DROP FUNCTION mail.password_of(text)",
    "GRANT SELECT (password_changed_at, sort_key) ON accounts_user TO mail_owner",
    "SET LOCAL ROLE mail_owner",
    PASSWORD_OF,
    "REVOKE EXECUTE ON FUNCTION mail.password_of FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION mail.password_of TO mail_auth",
    "RESET ROLE",
]

# The new rows are checked at once, for a table with checks to come cannot be altered.
MOVED = """
INSERT INTO mailboxes_aliastarget (tenant_id, alias_id, mailbox_id, receives, may_send)
SELECT tenant_id, id, mailbox_id, true, true FROM mailboxes_alias;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
# Of several mailboxes the first that receives is kept.
MOVED_BACK = """
UPDATE mailboxes_alias alias SET mailbox_id = (
    SELECT mailbox_id FROM mailboxes_aliastarget WHERE alias_id = alias.id AND receives ORDER BY id LIMIT 1
);
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
ONE_TARGET = """
ALTER TABLE mailboxes_alias ADD CONSTRAINT mailboxes_alias_mailbox_id_same_tenant
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes_mailbox (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
"""

SAME_TENANT = """
ALTER TABLE mailboxes_aliastarget
    ADD CONSTRAINT mailboxes_aliastarget_alias_id_same_tenant
    FOREIGN KEY (tenant_id, alias_id) REFERENCES mailboxes_alias (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT mailboxes_aliastarget_mailbox_id_same_tenant
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes_mailbox (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON TABLE mailboxes_aliastarget IS 'The mailboxes that an alias leads to, and those that may send as it.';
ALTER TABLE mailboxes_domain
    ADD CONSTRAINT mailboxes_domain_catch_all_id_same_tenant
    FOREIGN KEY (tenant_id, catch_all_id) REFERENCES mailboxes_mailbox (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
FREE_TENANT = """
ALTER TABLE mailboxes_domain DROP CONSTRAINT mailboxes_domain_catch_all_id_same_tenant;
ALTER TABLE mailboxes_aliastarget DROP CONSTRAINT mailboxes_aliastarget_mailbox_id_same_tenant,
    DROP CONSTRAINT mailboxes_aliastarget_alias_id_same_tenant;
"""
# A key that refers only to domains that stand alone: whoever is first, nobody makes a chain of two.
NO_CHAIN = """
ALTER TABLE mailboxes_domain
    ADD stands_alone boolean GENERATED ALWAYS AS (alias_of_id IS NULL) STORED,
    ADD other_stands_alone boolean GENERATED ALWAYS AS (CASE WHEN alias_of_id IS NOT NULL THEN true END) STORED,
    ADD CONSTRAINT mailboxes_domain_stands_alone UNIQUE (tenant_id, id, stands_alone),
    ADD CONSTRAINT mailboxes_domain_no_chain FOREIGN KEY (tenant_id, alias_of_id, other_stands_alone)
    REFERENCES mailboxes_domain (tenant_id, id, stands_alone);
COMMENT ON COLUMN mailboxes_domain.stands_alone IS 'Whether it is no alias domain; what mailboxes_domain_no_chain refers to.';
COMMENT ON COLUMN mailboxes_domain.other_stands_alone IS 'True for an alias domain: what is asked of the domain that it stands for.';
"""
CHAIN = """
ALTER TABLE mailboxes_domain DROP CONSTRAINT mailboxes_domain_no_chain, DROP CONSTRAINT mailboxes_domain_stands_alone,
    DROP other_stands_alone, DROP stands_alone;
"""
[FOUND] = re.findall(
    r"CREATE FUNCTION mailboxes_aliases_found.*?\$\$;\nCOMMENT .*?;\n", (SQL / "search.sql").read_text(), re.DOTALL
)
FOUND_BEFORE = f"""
GRANT CREATE ON SCHEMA public TO mail_owner;
SET LOCAL ROLE mail_owner;
{FOUND.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")}
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM mail_owner;
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0014_imports")]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, BESIDES),
        *remade_contract(
            SQL,
            new="0003",
            old="0002",
            around=[
                migrations.CreateModel(
                    name="AliasTarget",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("receives", models.BooleanField(default=True, verbose_name="receives")),
                        ("may_send", models.BooleanField(default=False, verbose_name="may send")),
                        (
                            "tenant",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.tenant",
                                verbose_name="tenant",
                            ),
                        ),
                        (
                            "alias",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="targets",
                                to="mailboxes.alias",
                                verbose_name="alias address",
                            ),
                        ),
                        (
                            "mailbox",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="alias_targets",
                                to="mailboxes.mailbox",
                                verbose_name="mailbox",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "mailbox of an alias address",
                        "verbose_name_plural": "mailboxes of alias addresses",
                        "ordering": ["pk"],
                        "constraints": [
                            models.UniqueConstraint(fields=("tenant", "id"), name="mailboxes_alias_target_tenant_id"),
                            models.UniqueConstraint(
                                fields=("alias", "mailbox"),
                                name="mailboxes_alias_target_once",
                                violation_error_message="The alias address leads to this mailbox already.",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("receives", True), ("may_send", True), _connector="OR"),
                                name="mailboxes_alias_target_receives_or_sends",
                                violation_error_message="A mailbox of an alias address receives, sends, or does both.",
                            ),
                        ],
                    },
                ),
                migrations.RunSQL(migrations.RunSQL.noop, ONE_TARGET),
                migrations.AlterField(
                    model_name="alias",
                    name="mailbox",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="aliases",
                        to="mailboxes.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                migrations.RunSQL((SQL / "aliases_found.sql").read_text(), FOUND_BEFORE),
                migrations.RunSQL(MOVED, MOVED_BACK),
                migrations.RemoveField(model_name="alias", name="mailbox"),
                migrations.AddField(
                    model_name="alias",
                    name="mailboxes",
                    field=models.ManyToManyField(
                        related_name="aliases",
                        through="mailboxes.AliasTarget",
                        to="mailboxes.mailbox",
                        verbose_name="mailboxes",
                    ),
                ),
                migrations.AddField(
                    model_name="alias",
                    name="valid_until",
                    field=models.DateField(blank=True, null=True, verbose_name="last day"),
                ),
                migrations.AddField(
                    model_name="domain",
                    name="alias_of",
                    field=models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alias_domains",
                        to="mailboxes.domain",
                        verbose_name="stands for",
                    ),
                ),
                migrations.AddField(
                    model_name="domain",
                    name="catch_all",
                    field=models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="caught_domains",
                        to="mailboxes.mailbox",
                        verbose_name="catch-all address leads to",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="domain",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("alias_of", None), ("catch_all", None), _connector="OR"),
                        name="mailboxes_domain_alias_catches_nothing",
                        violation_error_message="A domain that stands for another one has no catch-all address of its own.",
                    ),
                ),
                migrations.RunSQL(SAME_TENANT, FREE_TENANT),
                migrations.RunSQL(NO_CHAIN, CHAIN),
                walled("mailboxes_aliastarget", mail="mail_owner"),
            ],
        ),
    ]
