"""Addresses of the reporting pages."""

from django.urls import path

from reporting import views

urlpatterns = [
    path("exports/", views.exports, name="exports"),
    path("exports/new/", views.export_new, name="export_new"),
    path("exports/<int:pk>/", views.export, name="export"),
    path("exports/<int:pk>/download/", views.export_download, name="export_download"),
]
