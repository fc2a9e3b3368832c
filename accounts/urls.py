from django.urls import path

from . import views

urlpatterns = [
    path("anmelden/", views.LoginView.as_view(), name="login"),
    path("abmelden/", views.PortalLogoutView.as_view(), name="logout"),
    path("passwort/aendern/", views.password_change, name="password_change"),
    path("passwort/geaendert/", views.password_changed, name="password_changed"),
    path("passwort/vergessen/", views.password_forgotten, name="password_forgotten"),
]
