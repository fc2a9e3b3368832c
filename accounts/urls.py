from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.generic import RedirectView

from .views import devices, factors, login, look, passwords, recovery, support

to_change = login_not_required(RedirectView.as_view(pattern_name="password_change"))

urlpatterns = [
    # Password managers ask here where a password is changed (W3C, Change Password URL).
    path(".well-known/change-password", to_change, name="change_password"),
    path("anmelden/", login.LoginView.as_view(), name="login"),
    path("anmelden/bestaetigen/", login.confirm, name="confirm"),
    path("anmeldungen/beenden/", devices.end_one, name="end_session"),
    path("anmeldungen/andere-beenden/", devices.end_others, name="end_other_sessions"),
    path("zwei-faktor/", factors.factors, name="factors"),
    path("zwei-faktor/app/", factors.factor_app, name="factor_app"),
    path("zwei-faktor/yubikey/", factors.factor_yubikey, name="factor_yubikey"),
    path("zwei-faktor/sicherheitsschluessel/", factors.factor_security_key, name="factor_security_key"),
    path("zwei-faktor/ersatz-codes/", factors.backup_codes, name="backup_codes"),
    path("zwei-faktor/behalten/", factors.factors_keep, name="factors_keep"),
    path("zwei-faktor/<int:pk>/entfernen/", factors.factor_remove, name="factor_remove"),
    path("sitzung/", login.session, name="session"),
    path("abmelden/", login.PortalLogoutView.as_view(), name="logout"),
    path("passwort/aendern/", passwords.password_change, name="password_change"),
    path("passwort/geaendert/", passwords.password_changed, name="password_changed"),
    path("marke/<str:colour>.css", look.accent, name="accent"),
    path("marke/<str:digest>/logo.png", look.logo, name="logo"),
    path("impressum/", look.imprint, name="imprint"),
    path("datenschutz/", look.privacy, name="privacy"),
    path("barrierefreiheit/", look.accessibility, name="accessibility"),
    path("passwort/vergessen/", recovery.password_forgotten, name="password_forgotten"),
    path("passwort/vergessen/gefragt/", recovery.password_asked, name="password_asked"),
    path("passwort/neu/<str:token>/", recovery.password_new, name="password_new"),
    path("support-zugriff/", support.support_access, name="support_access"),
    path("support-zugriff/erlauben/", support.support_allow, name="support_allow"),
    path("support-zugriff/beenden/", support.support_end, name="support_end"),
    path("wiederherstellung/", recovery.recovery_address, name="recovery_address"),
    path("wiederherstellung/entfernen/", recovery.recovery_remove, name="recovery_remove"),
    path("wiederherstellung/bestaetigen/<str:token>/", recovery.recovery_confirm, name="recovery_confirm"),
]
