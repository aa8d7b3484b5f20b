"""Addresses of the reporting part of the API."""

from django.urls import path

from reporting.api import views

urlpatterns = [
    path("exports/", views.Exports.as_view(), name="api_exports"),
    path("exports/<int:pk>/", views.OneExport.as_view(), name="api_export"),
    path("exports/<int:pk>/download/", views.Download.as_view(), name="api_export_download"),
]
