"""Addresses of the reporting pages."""

from django.urls import path

from reporting.views import exports, populations, reports, sheets

urlpatterns = [
    path("exports/", exports.exports, name="exports"),
    path("exports/new/", exports.export_new, name="export_new"),
    path("exports/waiting/", exports.exports_waiting, name="exports_waiting"),
    path("exports/<int:pk>/", exports.export, name="export"),
    path("exports/<int:pk>/decide/", exports.export_decide, name="export_decide"),
    path("exports/<int:pk>/download/", exports.export_download, name="export_download"),
    path("exports/<int:pk>/files/<path:path>", exports.export_file, name="export_file"),
    path("exports/<int:pk>/SHA256SUMS.sig", exports.export_signature, name="export_signature"),
    path("exports/<int:pk>/datasets/<slug:name>/", exports.export_dataset, name="export_dataset"),
    path("exports/<int:pk>/changes.zip", exports.export_changes_file, name="export_changes_file"),
    path("exports/<int:pk>/cancel/", exports.export_cancel, name="export_cancel"),
    path("exports/<int:pk>/resume/", exports.export_resume, name="export_resume"),
    path("exports/<int:pk>/rebuilds/", exports.export_rebuild, name="export_rebuild"),
    path("exports/<int:pk>/differences/", exports.export_differences, name="export_differences"),
    path(
        "exports/<int:pk>/differences.csv",
        exports.export_differences_file,
        name="export_differences_file",
    ),
    path("populations/", populations.populations, name="populations"),
    path(
        "patients/<int:pk>/populations/",
        populations.patient_populations,
        name="patient_populations",
    ),
    path(
        "trials/<str:identifier>/populations/",
        populations.populations_of_trial,
        name="populations_of_trial",
    ),
    path(
        "trials/<str:identifier>/populations/<slug:population>/",
        populations.population,
        name="population",
    ),
    path(
        "trials/<str:identifier>/populations/<slug:population>/review/",
        populations.population_review_new,
        name="population_review_new",
    ),
    path("population-reviews/<int:pk>/", populations.population_review, name="population_review"),
    path(
        "population-reviews/<int:pk>/decide/",
        populations.population_decide,
        name="population_decide",
    ),
    path(
        "population-reviews/<int:pk>/abandon/",
        populations.population_review_abandon,
        name="population_review_abandon",
    ),
    path(
        "population-reviews/<int:pk>/sign/",
        populations.population_review_sign,
        name="population_review_sign",
    ),
    path("trials/<str:identifier>/reports/", reports.reports, name="reports"),
    path("trials/<str:identifier>/reports/<slug:name>/", reports.report, name="report"),
    path("trials/<str:identifier>/reports/<slug:name>.pdf", reports.report_pdf, name="report_pdf"),
    path(
        "trials/<str:identifier>/reports/<slug:name>/figures/<int:number>.svg",
        reports.report_figure,
        name="report_figure",
    ),
    path(
        "trials/<str:identifier>/reports/<slug:name>/tables/<int:number>.csv",
        reports.report_table,
        name="report_table",
    ),
    path("printed-sheets/", sheets.printed_sheets, name="printed_sheets"),
    path("scans/<int:pk>/worksheet.pdf", sheets.scan_worksheet, name="scan_worksheet"),
    path("scans/<int:pk>/booking-sheet.pdf", sheets.booking_sheet, name="booking_sheet"),
    path(
        "sites/<int:pk>/screening-log.pdf", sheets.screening_log_sheet, name="screening_log_sheet"
    ),
    path("sites/<int:pk>/pre-visit-list.pdf", sheets.pre_visit_list, name="pre_visit_list"),
    path("monitoring-visits/<int:pk>/report.pdf", sheets.visit_report, name="visit_report"),
    path("monitoring-visits/<int:pk>/letter.pdf", sheets.follow_up_letter, name="follow_up_letter"),
]
