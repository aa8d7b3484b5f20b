"""Every address: the pages, the API below /api/v1/, DICOMweb below /dicom-web/."""

from __future__ import annotations

from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from config import views
from config.api import ApiDocs, UnknownAddress

api = [
    path("", include("trials.api.urls")),
    path("", include("imaging.api.urls")),
    path("", include("reporting.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    # A page: whoever is not logged in is sent to log in.
    path("docs/", login_required(ApiDocs.as_view(url_name="schema")), name="docs"),
]

urlpatterns = [
    path("", views.home, name="home"),
    path("login/", views.LoginPage.as_view(), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("password/", views.password_change, name="password_change"),
    path("", include("trials.urls")),
    path("", include("imaging.urls")),
    path("", include("reporting.urls")),
    path("api/v1/", include(api)),
    path("dicom-web/", include("imaging.api.dicomweb_urls")),
    path("dicom-web/<path:rest>", UnknownAddress.as_view(), name="dicomweb_unknown"),
    path("api/<path:rest>", UnknownAddress.as_view(), name="api_unknown"),
]

handler500 = "config.api.server_error"
