"""Addresses of the reporting part of the API."""

from django.urls import path

from reporting.api import populations, reports, sheets, views

urlpatterns = [
    path("exports/", views.Exports.as_view(), name="api_exports"),
    path("exports/waiting/", views.ExportsWaiting.as_view(), name="api_exports_waiting"),
    path("exports/<int:pk>/decision/", views.Decision.as_view(), name="api_export_decision"),
    path("exports/<int:pk>/", views.OneExport.as_view(), name="api_export"),
    path("exports/<int:pk>/download/", views.Download.as_view(), name="api_export_download"),
    path("exports/<int:pk>/files/<path:path>", views.OneFile.as_view(), name="api_export_file"),
    path("exports/<int:pk>/SHA256SUMS.sig", views.Signature.as_view(), name="api_export_signature"),
    path("exports/<int:pk>/datasets/", views.Datasets.as_view(), name="api_export_datasets"),
    path(
        "exports/<int:pk>/datasets/<slug:name>/",
        views.OneDataset.as_view(),
        name="api_export_dataset",
    ),
    path("exports/<int:pk>/changes/", views.Changes.as_view(), name="api_export_changes"),
    path(
        "exports/<int:pk>/changes/<slug:name>.csv",
        views.ChangesOfDataset.as_view(),
        name="api_export_changes_of_dataset",
    ),
    path(
        "exports/<int:pk>/changes.zip",
        views.ChangesFile.as_view(),
        name="api_export_changes_file",
    ),
    path("exports/<int:pk>/cancel/", views.CancelExport.as_view(), name="api_export_cancel"),
    path("exports/<int:pk>/resume/", views.ResumeExport.as_view(), name="api_export_resume"),
    path("exports/<int:pk>/rebuilds/", views.Rebuilds.as_view(), name="api_export_rebuilds"),
    path(
        "exports/<int:pk>/reports/",
        reports.ReportsOfExport.as_view(),
        name="api_export_reports",
    ),
    path(
        "exports/<int:pk>/differences/",
        views.Differences.as_view(),
        name="api_export_differences",
    ),
    path(
        "exports/<int:pk>/differences.csv",
        views.DifferencesFile.as_view(),
        name="api_export_differences_file",
    ),
    path(
        "trials/<slug:identifier>/populations/",
        populations.PopulationsOfTrial.as_view(),
        name="api_populations",
    ),
    path(
        "trials/<slug:identifier>/populations/<slug:population>/",
        populations.PopulationUnits.as_view(),
        name="api_population_units",
    ),
    path(
        "trials/<slug:identifier>/populations/<slug:population>/reviews/",
        populations.PopulationReviews.as_view(),
        name="api_population_reviews",
    ),
    path(
        "population-reviews/<int:pk>/",
        populations.OnePopulationReview.as_view(),
        name="api_population_review",
    ),
    path(
        "population-reviews/<int:pk>/decisions/",
        populations.PopulationDecisions.as_view(),
        name="api_population_decisions",
    ),
    path(
        "population-reviews/<int:pk>/abandonment/",
        populations.PopulationAbandonment.as_view(),
        name="api_population_abandonment",
    ),
    path(
        "population-reviews/<int:pk>/signature/",
        populations.PopulationSignature.as_view(),
        name="api_population_signature",
    ),
    path("trials/<slug:identifier>/reports/", reports.TrialReports.as_view(), name="api_reports"),
    path(
        "trials/<slug:identifier>/reports/<slug:name>/",
        reports.OneReport.as_view(),
        name="api_report",
    ),
    path("printed-sheets/", sheets.PrintedSheets.as_view(), name="api_printed_sheets"),
    path("scans/<int:pk>/worksheet.pdf", sheets.Worksheet.as_view(), name="api_scan_worksheet"),
    path(
        "scans/<int:pk>/booking-sheet.pdf", sheets.BookingSheet.as_view(), name="api_booking_sheet"
    ),
    path(
        "sites/<int:pk>/screening-log.pdf",
        sheets.ScreeningLog.as_view(),
        name="api_screening_log_sheet",
    ),
    path(
        "sites/<int:pk>/pre-visit-list.pdf",
        sheets.PreVisitList.as_view(),
        name="api_pre_visit_list",
    ),
    path(
        "monitoring-visits/<int:pk>/report.pdf",
        sheets.VisitReport.as_view(),
        name="api_visit_report",
    ),
    path(
        "monitoring-visits/<int:pk>/letter.pdf",
        sheets.FollowUpLetter.as_view(),
        name="api_follow_up_letter",
    ),
]
