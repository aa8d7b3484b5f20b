"""Addresses of DICOMweb, as PS3.18 draws them; and two that say where images are stored."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from imaging.api import dicomweb


class UidConverter(StringConverter):
    regex = "[0-9.]{1,64}"


register_converter(UidConverter, "uid")

STUDY = "studies/<uid:study>"
SERIES = f"{STUDY}/series/<uid:series>"
INSTANCE = f"{SERIES}/instances/<uid:instance>"

urlpatterns = [
    path("studies", dicomweb.Studies.as_view(), name="dicomweb_studies"),
    path("series", dicomweb.AllSeries.as_view(), name="dicomweb_series_list"),
    path("instances", dicomweb.AllInstances.as_view(), name="dicomweb_instances"),
    path(STUDY, dicomweb.Study.as_view(), name="dicomweb_study"),
    path(f"{STUDY}/metadata", dicomweb.StudyMetadata.as_view(), name="dicomweb_study_metadata"),
    path(f"{STUDY}/series", dicomweb.SeriesOfStudy.as_view(), name="dicomweb_study_series"),
    path(
        f"{STUDY}/instances", dicomweb.InstancesOfStudy.as_view(), name="dicomweb_study_instances"
    ),
    path(SERIES, dicomweb.OneSeries.as_view(), name="dicomweb_series"),
    path(f"{SERIES}/metadata", dicomweb.SeriesMetadata.as_view(), name="dicomweb_series_metadata"),
    path(
        f"{SERIES}/instances",
        dicomweb.InstancesOfSeries.as_view(),
        name="dicomweb_series_instances",
    ),
    path(INSTANCE, dicomweb.Instance.as_view(), name="dicomweb_instance"),
    path(
        f"{INSTANCE}/metadata",
        dicomweb.InstanceMetadata.as_view(),
        name="dicomweb_instance_metadata",
    ),
    path(
        f"{INSTANCE}/frames/<str:frames>",
        dicomweb.Frames.as_view(),
        name="dicomweb_frames",
    ),
    path(
        f"{INSTANCE}/frames/<str:frames>/rendered",
        dicomweb.RenderedFrames.as_view(),
        name="dicomweb_rendered_frames",
    ),
    path(f"{INSTANCE}/rendered", dicomweb.RenderedInstance.as_view(), name="dicomweb_rendered"),
    path(f"{INSTANCE}/thumbnail", dicomweb.InstanceThumbnail.as_view(), name="dicomweb_thumbnail"),
    path(
        f"{SERIES}/thumbnail",
        dicomweb.SeriesThumbnail.as_view(),
        name="dicomweb_series_thumbnail",
    ),
    path("sites/<int:pk>/studies", dicomweb.SiteStudies.as_view(), name="dicomweb_site"),
    path("scans/<int:pk>/studies", dicomweb.ScanStudies.as_view(), name="dicomweb_scan"),
]
