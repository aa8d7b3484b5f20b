"""Addresses of the imaging part of the API."""

from django.urls import path

from imaging.api import (
    adjudications,
    adrenals,
    comparisons,
    drawing,
    nodes,
    organs,
    reads,
    recist,
    responses,
    views,
)

urlpatterns = [
    path("scans/<int:pk>/transmittals/", views.OpenTransmittal.as_view(), name="api_upload"),
    path("transmittals/", views.Transmittals.as_view(), name="api_transmittals"),
    path("transmittals/<int:pk>/", views.OneTransmittal.as_view(), name="api_transmittal"),
    path("transmittals/<int:pk>/missing/", views.MissingFiles.as_view(), name="api_missing"),
    path("transmittals/<int:pk>/files/", views.Files.as_view(), name="api_files"),
    path(
        "transmittals/<int:pk>/partial-uploads/",
        views.PartialUploads.as_view(),
        name="api_partial_uploads",
    ),
    path(
        "partial-uploads/<int:pk>/",
        views.OnePartialUpload.as_view(),
        name="api_partial_upload",
    ),
    path("transmittals/<int:pk>/complete/", views.Complete.as_view(), name="api_complete"),
    path("transmittals/<int:pk>/decide/", views.Decide.as_view(), name="api_decide"),
    path("transmittals/<int:pk>/assign/", views.Assign.as_view(), name="api_assign"),
    path("transmittals/<int:pk>/retry/", views.Retry.as_view(), name="api_retry"),
    path(
        "transmittals/<int:pk>/incidents/", views.ReportIncident.as_view(), name="api_incident_new"
    ),
    path("incidents/", views.Incidents.as_view(), name="api_incidents"),
    path("incidents/<int:pk>/", views.OneIncident.as_view(), name="api_incident"),
    path("incidents/<int:pk>/judge/", views.JudgeIncident.as_view(), name="api_incident_judge"),
    path(
        "incidents/<int:pk>/contain/", views.ContainIncident.as_view(), name="api_incident_contain"
    ),
    path("incidents/<int:pk>/close/", views.CloseIncident.as_view(), name="api_incident_close"),
    path("sites/<int:pk>/dicom/nodes/", nodes.Nodes.as_view(), name="api_nodes"),
    path("nodes/<int:pk>/change/", nodes.ChangeOfNode.as_view(), name="api_node_change"),
    path("nodes/<int:pk>/retire/", nodes.RetireNode.as_view(), name="api_node_retire"),
    path("series/", views.SeriesList.as_view(), name="api_series_list"),
    path("series/<int:pk>/accept/", views.AcceptSuv.as_view(), name="api_suv_accept"),
    path("series/<int:pk>/count/", views.CountSeries.as_view(), name="api_series_count"),
    path(
        "findings/<int:pk>/override/",
        views.OverrideFinding.as_view(),
        name="api_finding_override",
    ),
    path("series/<int:pk>/", views.OneSeries.as_view(), name="api_series"),
    path(
        "lesions/<int:pk>/derivation/<slug:quantity>/",
        views.Derivation.as_view(),
        name="api_derivation",
    ),
    path("pictures/<int:pk>/", views.Picture.as_view(), name="api_picture"),
    path("readings/", views.Readings.as_view(), name="api_readings"),
    path("readings/<slug:reading_identifier>/", views.Reading.as_view(), name="api_reading"),
    path(
        "readings/<slug:reading_identifier>/regions/",
        views.Regions.as_view(),
        name="api_regions",
    ),
    path(
        "readings/<slug:reading_identifier>/regions/<int:pk>/accept/",
        views.AcceptRegion.as_view(),
        name="api_region_accept",
    ),
    path(
        "regions/<int:pk>/derivation/<slug:quantity>/",
        views.RegionDerivation.as_view(),
        name="api_region_derivation",
    ),
    path(
        "quantifications/<int:pk>/adrenals/<slug:which>/",
        adrenals.AdrenalDerivation.as_view(),
        name="api_adrenal_derivation",
    ),
    path("comparisons/", comparisons.Comparisons.as_view(), name="api_comparisons"),
    path("comparisons/<int:pk>/", comparisons.OneComparison.as_view(), name="api_comparison"),
    path(
        "comparisons/<int:pk>/confirm/",
        comparisons.ConfirmPairs.as_view(),
        name="api_pairs_confirm",
    ),
    path("comparisons/<int:pk>/join/", comparisons.JoinPairs.as_view(), name="api_pairs_join"),
    path(
        "comparisons/<int:pk>/pairs/<int:number>/apart/",
        comparisons.TakePairApart.as_view(),
        name="api_pair_apart",
    ),
    path(
        "comparisons/<int:pk>/pairs/<int:number>/region/",
        comparisons.PlacePair.as_view(),
        name="api_pair_region",
    ),
    path(
        "comparisons/<int:pk>/sign/",
        comparisons.SignComparison.as_view(),
        name="api_comparison_sign",
    ),
    path("organ-uptake/", organs.OrganUptake.as_view(), name="api_organ_uptake"),
    path("paired-lesions/", comparisons.PairedLesions.as_view(), name="api_paired_lesions"),
    path("readings/<slug:reading_identifier>/read/", reads.OwnRead.as_view(), name="api_own_read"),
    path(
        "readings/<slug:reading_identifier>/read/regions/<int:number>/",
        reads.OneReadRegion.as_view(),
        name="api_read_region",
    ),
    path(
        "readings/<slug:reading_identifier>/read/regions/<int:number>/mirror-image/",
        reads.AcceptMirrorImage.as_view(),
        name="api_mirror_accept",
    ),
    path(
        "readings/<slug:reading_identifier>/read/grown/",
        reads.GrownRegions.as_view(),
        name="api_read_grown",
    ),
    path("adjudications/", adjudications.AdjudicationTasks.as_view(), name="api_adjudications"),
    path(
        "readings/<slug:reading_identifier>/adjudication/",
        adjudications.OneAdjudication.as_view(),
        name="api_adjudication",
    ),
    path(
        "readings/<slug:reading_identifier>/adjudication/sign/",
        adjudications.SignAdjudication.as_view(),
        name="api_adjudication_sign",
    ),
    path(
        "readings/<slug:reading_identifier>/adjudication/take-over/",
        adjudications.TakeOverAdjudication.as_view(),
        name="api_adjudication_take_over",
    ),
    path("counted-reads/", adjudications.CountedReads.as_view(), name="api_counted_reads"),
    path("reader-answers/", adjudications.Agreement.as_view(), name="api_reader_answers"),
    path(
        "reader-agreement/",
        adjudications.CountsOfAgreement.as_view(),
        name="api_reader_agreement",
    ),
    path(
        "readings/<slug:reading_identifier>/read/drawn/",
        drawing.DrawnRegions.as_view(),
        name="api_read_drawn",
    ),
    path(
        "readings/<slug:reading_identifier>/read/drawn/preview/",
        drawing.DrawnPreview.as_view(),
        name="api_read_drawn_preview",
    ),
    path("responses/", responses.Responses.as_view(), name="api_responses"),
    path(
        "readings/<slug:reading_identifier>/read/recist/",
        recist.ReadRecist.as_view(),
        name="api_read_recist",
    ),
    path(
        "readings/<slug:reading_identifier>/read/response/",
        responses.ReadAnswers.as_view(),
        name="api_read_response",
    ),
    path(
        "readings/<slug:reading_identifier>/read/sign/",
        reads.SignRead.as_view(),
        name="api_read_sign",
    ),
    path(
        "readings/<slug:reading_identifier>/slices/<slug:plane>/<int:index>/",
        reads.SliceOfReading.as_view(),
        name="api_slice",
    ),
    path(
        "grown-lesions/<int:pk>/derivation/<slug:quantity>/",
        reads.GrownDerivation.as_view(),
        name="api_derivation_grown",
    ),
]
