from django.urls import path

from . import app_password_views, trail_views, views

urlpatterns = [
    path("anmeldungen/", views.devices, name="devices"),
    path("app-passwoerter/", app_password_views.app_passwords, name="app_passwords"),
    path("app-passwoerter/neu/", app_password_views.app_password_new, name="app_password_new"),
    path("app-passwoerter/profil/", app_password_views.app_password_profile, name="app_password_profile"),
    path(
        "app-passwoerter/<uuid:public_id>/widerrufen/",
        app_password_views.app_password_revoke,
        name="app_password_revoke",
    ),
    path("protokoll/", trail_views.own_trail, name="own_trail"),
    path("weiterleitungen/", views.forwards, name="forwards"),
    path("einrichtung/", views.help_page, name="help"),
    path("einrichtung/anmeldungen/", views.mail_logins, name="mail_logins"),
    path("einrichtung/apple.mobileconfig", views.apple_profile, name="apple_profile"),
    path("einrichtung/telefon.svg", views.phone_code, name="phone_code"),
    path("einrichtung/telefon/<str:token>/", views.phone, name="phone"),
    path("einrichtung/telefon/<str:token>/apple.mobileconfig", views.phone_profile, name="phone_profile"),
]
