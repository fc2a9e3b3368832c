from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.generic import RedirectView

from . import views

to_change = login_not_required(RedirectView.as_view(pattern_name="password_change"))

urlpatterns = [
    # Password managers ask here where a password is changed (W3C, Change Password URL).
    path(".well-known/change-password", to_change, name="change_password"),
    path("anmelden/", views.LoginView.as_view(), name="login"),
    path("sitzung/", views.session, name="session"),
    path("abmelden/", views.PortalLogoutView.as_view(), name="logout"),
    path("passwort/aendern/", views.password_change, name="password_change"),
    path("passwort/geaendert/", views.password_changed, name="password_changed"),
    path("marke/<str:colour>.css", views.accent, name="accent"),
    path("marke/<str:digest>/logo.png", views.logo, name="logo"),
    path("impressum/", views.imprint, name="imprint"),
    path("datenschutz/", views.privacy, name="privacy"),
    path("barrierefreiheit/", views.accessibility, name="accessibility"),
    path("passwort/vergessen/", views.password_forgotten, name="password_forgotten"),
]
