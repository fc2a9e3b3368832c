from django.urls import include, path

from . import views
from .sites import desk, staff

handler400 = "kscsite.views.bad_request"
handler500 = "kscsite.views.server_error"

urlpatterns = [
    path("", include("mailboxes.urls")),
    path("", include("filters.urls")),
    path("", include("accounts.urls")),
    path("sprache/", views.set_language, name="set_language"),
    path("healthz", views.health, name="health"),
    path("desk/", desk.urls),
    path("staff/", staff.urls),
]
