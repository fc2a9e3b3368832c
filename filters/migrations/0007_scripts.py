"""Each question of Dovecot has one script composed, and reads the lists from indexes alone."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"
READ_ALONG = ["kind", "valid_until"]
LISTS = {
    "filters_sender_rule_once_a_mailbox": (
        ["mailbox", "sender"],
        models.Q(("mailbox__isnull", False)),
        "This sender is on your lists already.",
    ),
    "filters_sender_rule_once_a_domain": (
        ["domain", "sender"],
        models.Q(("domain__isnull", False)),
        "This sender is on the domain's lists already.",
    ),
    "filters_sender_rule_once_a_tenant": (
        ["tenant", "sender"],
        models.Q(("domain", None), ("mailbox", None), ("tenant__isnull", False)),
        "This sender is on the organisation's lists already.",
    ),
    "filters_sender_rule_once_for_all": (
        ["sender"],
        models.Q(("tenant", None)),
        "This sender is on the installation's lists already.",
    ),
}
# The functions and views as the earlier migrations made them.
BEFORE = "".join(
    (SQL / name)
    .read_text()
    .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    .replace("CREATE VIEW", "CREATE OR REPLACE VIEW")
    for name in ("fate.sql", "sieve.sql")
)
NO_SCRIPTS = f"""
DROP VIEW mail.sieve_policies, mail.sieve_marks, mail.sieve_notices;
DROP FUNCTION mail.sieve_script_at(bigint, text), mail.sieve_test(text, text[], text[], text[]);
{BEFORE}
DROP FUNCTION mail.of_nobody(), filters_listed(bigint, bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("filters", "0006_pages")]

    operations = [
        *(
            operation
            for name, (fields, condition, message) in LISTS.items()
            for operation in (
                migrations.RemoveConstraint("senderrule", name),
                migrations.AddConstraint(
                    "senderrule",
                    models.UniqueConstraint(
                        fields=fields,
                        include=READ_ALONG,
                        condition=condition,
                        name=name,
                        violation_error_message=message,
                    ),
                ),
            )
        ),
        migrations.RunSQL((SQL / "scripts.sql").read_text(), NO_SCRIPTS),
    ]
