from django.urls import path

from . import verdict_views, views

urlpatterns = [
    path("black-whitelist/", views.sender_lists, name="sender_lists"),
    path("spamfilter/", views.spam_settings, name="spam_settings"),
    path("was-wurde-aus-meiner-mail/", verdict_views.verdicts, name="verdicts"),
]
