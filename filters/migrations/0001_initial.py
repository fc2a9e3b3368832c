"""Settings of the spam filter, lists of senders, notices of absence, and what became of mail."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import filters.models.settings
from accounts.walled import walled

SAME_TENANT = """
ALTER TABLE {table} ADD CONSTRAINT {table}_{parent}_id_same_tenant
    FOREIGN KEY (tenant_id, {parent}_id) REFERENCES mailboxes_{parent} (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
"""
FREE_TENANT = "ALTER TABLE {table} DROP CONSTRAINT {table}_{parent}_id_same_tenant"
COMMENTS = """
COMMENT ON TABLE filters_spampolicy IS 'A tenant''s defaults of the spam filter, and what its people may choose.';
COMMENT ON COLUMN filters_spampolicy.threshold IS 'Rspamd score from which on a message is spam, where a mailbox chose none.';
COMMENT ON COLUMN filters_spampolicy.highest_threshold IS 'Highest score that counts of what a mailbox chose.';
COMMENT ON COLUMN filters_spampolicy.lowest_threshold IS 'Lowest score that counts of what a mailbox chose.';
COMMENT ON COLUMN filters_spampolicy.verdict_days IS 'Days after which filters_verdict is forgotten, 1 to 30.';
COMMENT ON TABLE filters_spamsettings IS 'What a mailbox''s owner chose; NULL is the tenant''s default.';
COMMENT ON COLUMN filters_spamsettings.junk_days IS 'Days after which Dovecot deletes what is in the spam folder; NULL: never.';
COMMENT ON TABLE filters_senderrule IS 'Senders on a list: a mailbox''s, a domain''s, a tenant''s (both NULL) or the installation''s (all NULL).';
COMMENT ON COLUMN filters_senderrule.sender IS 'a@b, @b for a domain, @*.b for all below one; lower case, domain as A-label.';
COMMENT ON COLUMN filters_senderrule.valid_until IS 'Last day on the list, in Europe/Berlin; NULL: no end.';
COMMENT ON TABLE filters_absence IS 'Notices that the mail server answers with while somebody is away.';
COMMENT ON COLUMN filters_absence.starts_on IS 'First day, in Europe/Berlin; NULL: at once.';
COMMENT ON COLUMN filters_absence.ends_on IS 'Last day, in Europe/Berlin; NULL: until it is switched off.';
COMMENT ON COLUMN filters_absence.every_days IS 'Days in which a sender is answered once.';
COMMENT ON TABLE filters_verdict IS 'What Rspamd said of a message and what became of it in a mailbox; written by the portal, forgotten after a month at most.';
COMMENT ON COLUMN filters_verdict.symbols IS 'Rspamd''s names of the three that weighed most.';
COMMENT ON COLUMN filters_verdict.score IS 'Rspamd''s score.';
"""


def same_tenant(table, parent="mailbox"):
    names = {"table": table, "parent": parent}
    return migrations.RunSQL(SAME_TENANT.format(**names), FREE_TENANT.format(**names))


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0019_forwards"),
        ("mailboxes", "0017_forwards"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpamPolicy",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="spam_policy",
                        serialize=False,
                        to="accounts.tenant",
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("off", "spam filter off"),
                            ("mark", "mark the subject"),
                            ("junk", "move to the spam folder"),
                            ("reject", "reject"),
                            ("discard", "delete"),
                        ],
                        db_default="junk",
                        default="junk",
                        max_length=7,
                        verbose_name="what happens to spam",
                    ),
                ),
                (
                    "threshold",
                    models.PositiveSmallIntegerField(
                        choices=[(12, "low"), (8, "moderate"), (6, "medium"), (4, "high")],
                        db_default=6,
                        default=6,
                        verbose_name="sensitivity",
                    ),
                ),
                (
                    "allowed_actions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("off", "spam filter off"),
                                ("mark", "mark the subject"),
                                ("junk", "move to the spam folder"),
                                ("reject", "reject"),
                                ("discard", "delete"),
                            ],
                            max_length=7,
                        ),
                        db_default=["off", "mark", "junk", "reject", "discard"],
                        default=filters.models.settings.every_action,
                        size=None,
                        verbose_name="what people may choose",
                    ),
                ),
                (
                    "highest_threshold",
                    models.PositiveSmallIntegerField(
                        choices=[(12, "low"), (8, "moderate"), (6, "medium"), (4, "high")],
                        db_default=12,
                        default=12,
                        verbose_name="lowest sensitivity that people may choose",
                    ),
                ),
                (
                    "lowest_threshold",
                    models.PositiveSmallIntegerField(
                        choices=[(12, "low"), (8, "moderate"), (6, "medium"), (4, "high")],
                        db_default=4,
                        default=4,
                        verbose_name="highest sensitivity that people may choose",
                    ),
                ),
                (
                    "verdict_days",
                    models.PositiveSmallIntegerField(
                        db_default=30,
                        default=30,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(30),
                        ],
                        verbose_name="days that is kept what became of mail",
                    ),
                ),
                (
                    "keeps_subjects",
                    models.BooleanField(db_default=False, default=False, verbose_name="keep the subjects of mail"),
                ),
                (
                    "max_mailbox_rules",
                    models.PositiveSmallIntegerField(
                        db_default=100,
                        default=100,
                        validators=[django.core.validators.MaxValueValidator(1000)],
                        verbose_name="senders in a mailbox's lists at most",
                    ),
                ),
                (
                    "max_domain_rules",
                    models.PositiveSmallIntegerField(
                        db_default=1000,
                        default=1000,
                        validators=[django.core.validators.MaxValueValidator(1000)],
                        verbose_name="senders in a domain's lists at most",
                    ),
                ),
            ],
            options={
                "verbose_name": "spam filter of the organisation",
                "verbose_name_plural": "spam filter of the organisation",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("allowed_actions__contains", [models.F("action")])),
                        name="filters_spam_policy_default_allowed",
                        violation_error_message="The default is one of what people may choose.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("threshold__gte", models.F("lowest_threshold")),
                            ("threshold__lte", models.F("highest_threshold")),
                        ),
                        name="filters_spam_policy_default_in_range",
                        violation_error_message="The default sensitivity is within what people may choose.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("verdict_days__gte", 1), ("verdict_days__lte", 30)),
                        name="filters_spam_policy_verdict_days",
                        violation_error_message="What became of mail is kept for 1 to 30 days.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Absence",
            fields=[
                (
                    "mailbox",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="absence",
                        serialize=False,
                        to="mailboxes.mailbox",
                    ),
                ),
                ("is_on", models.BooleanField(db_default=False, default=False, verbose_name="switched on")),
                ("starts_on", models.DateField(blank=True, null=True, verbose_name="first day")),
                ("ends_on", models.DateField(blank=True, null=True, verbose_name="last day")),
                ("subject", models.CharField(blank=True, max_length=200, verbose_name="subject")),
                ("text", models.TextField(max_length=5000, verbose_name="text")),
                (
                    "every_days",
                    models.PositiveSmallIntegerField(
                        db_default=7,
                        default=7,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(30),
                        ],
                        verbose_name="answer each sender once in (days)",
                    ),
                ),
                (
                    "by_dvb",
                    models.BooleanField(
                        db_default=False, default=False, editable=False, verbose_name="set by the DVB"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "notice of absence",
                "verbose_name_plural": "notices of absence",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("starts_on", None),
                            ("ends_on", None),
                            ("ends_on__gte", models.F("starts_on")),
                            _connector="OR",
                        ),
                        name="filters_absence_days_in_order",
                        violation_error_message="The last day is before the first one.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("every_days__gte", 1), ("every_days__lte", 30)),
                        name="filters_absence_every_days",
                        violation_error_message="Each sender is answered once in 1 to 30 days.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SenderRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("allow", "allowed"), ("block", "blocked")], max_length=5, verbose_name="kind"
                    ),
                ),
                (
                    "sender",
                    models.CharField(
                        help_text="An address, @domain for all of a domain, or @*.domain for all below a domain.",
                        max_length=254,
                        verbose_name="sender",
                    ),
                ),
                ("note", models.CharField(blank=True, db_default="", default="", max_length=120, verbose_name="note")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="added"),
                ),
                ("valid_until", models.DateField(blank=True, null=True, verbose_name="until")),
                (
                    "domain",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sender_rules",
                        to="mailboxes.domain",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sender_rules",
                        to="mailboxes.mailbox",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "sender on a list",
                "verbose_name_plural": "senders on lists",
                "ordering": ["sender", "pk"],
                "indexes": [models.Index(fields=["tenant", "sender"], name="filters_sender_rule_tenant")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("mailbox", None), ("domain", None), _connector="OR"),
                        name="filters_sender_rule_one_list",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("tenant__isnull", False), models.Q(("domain", None), ("mailbox", None)), _connector="OR"
                        ),
                        name="filters_sender_rule_list_of_tenant",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["allow", "block"])), name="filters_sender_rule_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "sender__regex",
                                "^([a-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@|@(\\*\\.)?)[a-z0-9-]+(\\.[a-z0-9-]+)+$",
                            )
                        ),
                        name="filters_sender_rule_plain",
                        violation_error_message="Enter an address, @domain, or @*.domain.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("mailbox__isnull", False)),
                        fields=("mailbox", "sender"),
                        name="filters_sender_rule_once_a_mailbox",
                        violation_error_message="This sender is on your lists already.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("domain__isnull", False)),
                        fields=("domain", "sender"),
                        name="filters_sender_rule_once_a_domain",
                        violation_error_message="This sender is on the domain's lists already.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("domain", None), ("mailbox", None), ("tenant__isnull", False)),
                        fields=("tenant", "sender"),
                        name="filters_sender_rule_once_a_tenant",
                        violation_error_message="This sender is on the organisation's lists already.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("tenant", None)),
                        fields=("sender",),
                        name="filters_sender_rule_once_for_all",
                        violation_error_message="This sender is on the installation's lists already.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SpamSettings",
            fields=[
                (
                    "mailbox",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="spam_settings",
                        serialize=False,
                        to="mailboxes.mailbox",
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("off", "spam filter off"),
                            ("mark", "mark the subject"),
                            ("junk", "move to the spam folder"),
                            ("reject", "reject"),
                            ("discard", "delete"),
                        ],
                        max_length=7,
                        null=True,
                        verbose_name="what happens to spam",
                    ),
                ),
                (
                    "threshold",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        choices=[(12, "low"), (8, "moderate"), (6, "medium"), (4, "high")],
                        null=True,
                        verbose_name="sensitivity",
                    ),
                ),
                (
                    "block_effect",
                    models.CharField(
                        choices=[("junk", "spam folder"), ("discard", "not delivered")],
                        db_default="junk",
                        default="junk",
                        max_length=7,
                        verbose_name="blocked senders' mail",
                    ),
                ),
                (
                    "junk_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Empty: nothing is deleted by itself.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                        verbose_name="empty the spam folder after (days)",
                    ),
                ),
                (
                    "digest",
                    models.CharField(
                        choices=[("never", "never"), ("daily", "daily"), ("weekly", "weekly")],
                        db_default="never",
                        default="never",
                        max_length=6,
                        verbose_name="report of what went to the spam folder",
                    ),
                ),
                ("digest_sent_at", models.DateTimeField(editable=False, null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "spam filter settings",
                "verbose_name_plural": "spam filter settings",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("junk_days", None),
                            models.Q(("junk_days__gte", 1), ("junk_days__lte", 365)),
                            _connector="OR",
                        ),
                        name="filters_spam_settings_junk_days",
                        violation_error_message="The spam folder is emptied after 1 to 365 days.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Verdict",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="time")),
                ("sender", models.CharField(blank=True, max_length=254, verbose_name="sender")),
                ("envelope_sender", models.CharField(blank=True, max_length=254, verbose_name="envelope sender")),
                (
                    "subject",
                    models.CharField(blank=True, db_default="", default="", max_length=200, verbose_name="subject"),
                ),
                ("score", models.DecimalField(decimal_places=2, max_digits=6, verbose_name="score")),
                (
                    "symbols",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), default=list, size=3
                    ),
                ),
                ("authenticated", models.BooleanField(db_default=False, default=False, verbose_name="sender proved")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("delivered", "delivered"),
                            ("marked", "delivered, subject marked"),
                            ("junk", "spam folder"),
                            ("rejected", "rejected"),
                            ("discarded", "deleted"),
                            ("allowed", "delivered: sender on a whitelist"),
                            ("blocked", "spam folder: sender on a blacklist"),
                            ("dropped", "not delivered: sender on a blacklist"),
                        ],
                        max_length=9,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="verdicts", to="mailboxes.mailbox"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "what became of a message",
                "verbose_name_plural": "what became of messages",
                "ordering": ["-at", "-pk"],
                "indexes": [
                    models.Index(fields=["mailbox", "-at"], name="filters_verdict_mailbox"),
                    models.Index(fields=["tenant", "at"], name="filters_verdict_tenant"),
                ],
            },
        ),
        same_tenant("filters_spamsettings"),
        same_tenant("filters_absence"),
        same_tenant("filters_verdict"),
        same_tenant("filters_senderrule"),
        same_tenant("filters_senderrule", "domain"),
        migrations.RunSQL(COMMENTS, migrations.RunSQL.noop),
        walled("filters_spampolicy", mail="mail_owner"),
        walled("filters_spamsettings", mail="mail_owner"),
        walled("filters_senderrule", mail="mail_owner"),
        walled("filters_absence", mail="mail_owner"),
        walled("filters_verdict"),
    ]
