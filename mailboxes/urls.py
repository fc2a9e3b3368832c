from django.urls import path

from . import app_password_views, forward_views, trail_views, views

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
    path("weiterleitungen/", forward_views.forwards, name="forwards"),
    path("weiterleitungen/neu/", forward_views.forward_new, name="forward_new"),
    path("weiterleitungen/kopie/", forward_views.forward_copy, name="forward_copy"),
    path("weiterleitungen/bestaetigen/<str:token>/", forward_views.forward_link, name="forward_link"),
    path("weiterleitungen/<uuid:public_id>/", forward_views.forward_change, name="forward_change"),
    path("weiterleitungen/<uuid:public_id>/schalten/", forward_views.forward_switch, name="forward_switch"),
    path("weiterleitungen/<uuid:public_id>/fortsetzen/", forward_views.forward_release, name="forward_release"),
    path("weiterleitungen/<uuid:public_id>/link/", forward_views.forward_mail_link, name="forward_mail_link"),
    path("weiterleitungen/<uuid:public_id>/beenden/", forward_views.forward_end, name="forward_end"),
    path("einrichtung/", views.help_page, name="help"),
    path("einrichtung/anmeldungen/", views.mail_logins, name="mail_logins"),
    path("einrichtung/apple.mobileconfig", views.apple_profile, name="apple_profile"),
    path("einrichtung/telefon.svg", views.phone_code, name="phone_code"),
    path("einrichtung/telefon/<str:token>/", views.phone, name="phone"),
    path("einrichtung/telefon/<str:token>/apple.mobileconfig", views.phone_profile, name="phone_profile"),
]
