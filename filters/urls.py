from django.urls import path

from . import absence_views, sender_views, spam_views, verdict_views, views

urlpatterns = [
    path("", views.start, name="start"),
    path("black-whitelist/", sender_views.sender_lists, name="sender_lists"),
    path("black-whitelist/neu/", sender_views.sender_rule_add, name="sender_rule_add"),
    path("black-whitelist/verschieben/", sender_views.sender_rule_move, name="sender_rule_move"),
    path("black-whitelist/entfernen/", sender_views.sender_rule_remove, name="sender_rule_remove"),
    path("black-whitelist/mehrere/", sender_views.sender_rules_many, name="sender_rules_many"),
    path("black-whitelist/export/", sender_views.sender_rules_export, name="sender_rules_export"),
    path("spamfilter/", spam_views.spam_settings, name="spam_settings"),
    path("spamfilter/standard/", spam_views.spam_settings_reset, name="spam_settings_reset"),
    path("was-wurde-aus-meiner-mail/", verdict_views.verdicts, name="verdicts"),
    path("abwesenheit/", absence_views.absence, name="absence"),
    path("abwesenheit/ende/", absence_views.absence_end, name="absence_end"),
]
