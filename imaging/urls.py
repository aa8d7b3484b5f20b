"""Addresses of the imaging pages."""

from django.urls import path

from imaging import views
from imaging.views import adrenals, comparisons, incidents, organs, pairings, placing, reading, responses

urlpatterns = [
    path("scans/<int:pk>/upload/", views.upload, name="upload"),
    path("transmittals/", views.transmittals, name="transmittals"),
    path("transmittals/<int:pk>/", views.transmittal, name="transmittal"),
    path("transmittals/<int:pk>/decide/", views.transmittal_decide, name="transmittal_decide"),
    path("transmittals/<int:pk>/assign/", views.transmittal_assign, name="transmittal_assign"),
    path("transmittals/<int:pk>/retry/", views.transmittal_retry, name="transmittal_retry"),
    path("transmittals/<int:pk>/incident/", incidents.report, name="incident_new"),
    path("incidents/", incidents.listed, name="incidents"),
    path("incidents/<int:pk>/", incidents.incident, name="incident"),
    path("incidents/<int:pk>/judge/", incidents.judge, name="incident_judge"),
    path("incidents/<int:pk>/contain/", incidents.contain, name="incident_contain"),
    path("incidents/<int:pk>/close/", incidents.close, name="incident_close"),
    path("series/<int:pk>/", views.series, name="series"),
    path("series/<int:pk>/accept/", views.suv_accept, name="suv_accept"),
    path("series/<int:pk>/count/", views.series_count, name="series_count"),
    path("findings/<int:pk>/override/", views.finding_override, name="finding_override"),
    path(
        "sites/<int:pk>/versions/<int:version>/conformance/",
        views.conformance_try,
        name="conformance_try",
    ),
    path("sites/<int:pk>/dicom/nodes/", views.site_nodes, name="site_nodes"),
    path("sites/<int:pk>/dicom/nodes/new/", views.site_node_new, name="site_node_new"),
    path("nodes/<int:pk>/change/", views.site_node_change, name="site_node_change"),
    path("nodes/<int:pk>/retire/", views.site_node_retire, name="site_node_retire"),
    path("reading/", reading.listed, name="reading_list"),
    path("reading/<str:reading_identifier>/", reading.reading, name="reading"),
    path("reading/<str:reading_identifier>/open/", reading.opened, name="reading_open"),
    path(
        "reading/<str:reading_identifier>/regions/<int:number>/",
        reading.region,
        name="reading_region",
    ),
    path(
        "reading/<str:reading_identifier>/slice/<str:plane>/<int:index>.png",
        reading.picture_of_slice,
        name="reading_slice",
    ),
    path("reading/<str:reading_identifier>/grow/", reading.grow, name="reading_grow"),
    path("reading/<str:reading_identifier>/place/", placing.place, name="reading_place"),
    path("reading/<str:reading_identifier>/response/", responses.answers, name="reading_response"),
    path("reading/<str:reading_identifier>/sign/", reading.sign, name="reading_sign"),
    path(
        "reading/<str:reading_identifier>/regions/<int:pk>/accept/",
        reading.region_accept,
        name="region_accept",
    ),
    path("comparisons/", comparisons.listed, name="comparisons"),
    path("comparisons/new/<int:pk>/<int:other>/", comparisons.new, name="comparison_new"),
    path("comparisons/<int:pk>/", comparisons.comparison, name="comparison"),
    path("comparisons/<int:pk>/sign/", comparisons.sign, name="comparison_sign"),
    path("organs/", organs.uptake, name="organ_uptake"),
    path("lesions/paired/", pairings.paired_lesions, name="paired_lesions"),
    path("responses/", responses.listed, name="responses"),
    path("patients/<int:pk>/response/", responses.patient, name="response_of_patient"),
    path("reads/<int:pk>/", reading.signed, name="read"),
    path("pictures/<int:pk>.png", views.picture, name="picture"),
    path("objects/<int:pk>.dcm", views.dicom_object, name="dicom_object"),
    path("derivations/lesion/<int:pk>/<str:quantity>/", views.derivation, name="derivation"),
    path(
        "derivations/grown/<int:pk>/<str:quantity>/",
        views.derivation_grown,
        name="derivation_grown",
    ),
    path(
        "derivations/region/<int:pk>/<str:quantity>/",
        views.region_derivation,
        name="region_derivation",
    ),
    path(
        "derivations/adrenals/<int:pk>/<slug:which>/",
        adrenals.derivation,
        name="adrenal_derivation",
    ),
]
