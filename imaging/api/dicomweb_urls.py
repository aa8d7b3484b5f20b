"""Addresses of DICOMweb."""

from django.urls import path

from imaging.api import dicomweb

urlpatterns = [
    path("studies", dicomweb.Studies.as_view(), name="dicomweb_studies"),
    path("sites/<int:pk>/studies", dicomweb.SiteStudies.as_view(), name="dicomweb_site"),
    path("scans/<int:pk>/studies", dicomweb.ScanStudies.as_view(), name="dicomweb_scan"),
]
