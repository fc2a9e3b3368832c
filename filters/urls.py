from django.urls import path

from . import views

urlpatterns = [
    path("black-whitelist/", views.sender_lists, name="sender_lists"),
    path("spamfilter/", views.spam_settings, name="spam_settings"),
]
