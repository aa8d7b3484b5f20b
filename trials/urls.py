"""Addresses of the trials pages."""

from django.urls import path

from trials.views import (
    deviations,
    eligibility,
    evidence,
    patients,
    queries,
    record,
    scans,
    trials,
)

urlpatterns = [
    path("trials/", trials.trials, name="trials"),
    path("trials/<str:identifier>/", trials.trial, name="trial"),
    path("patients/", patients.patients, name="patients"),
    path("patients/new/", patients.patient_new, name="patient_new"),
    path("patients/<int:pk>/", patients.patient, name="patient"),
    path("patients/<int:pk>/consents/new/", patients.consent_new, name="consent_new"),
    path("consents/<int:pk>/withdraw/", patients.consent_withdraw, name="consent_withdraw"),
    path("patients/<int:pk>/evidence/new/", evidence.evidence_new, name="evidence_new"),
    path("evidence/<int:pk>/correct/", evidence.evidence_correct, name="evidence_correct"),
    path("patients/<int:pk>/assess/", eligibility.patient_assess, name="patient_assess"),
    path("patients/<int:pk>/enrol/", eligibility.patient_enrol, name="patient_enrol"),
    path("patients/<int:pk>/end-screening/", patients.screening_end, name="screening_end"),
    path("assessments/<int:pk>/", eligibility.assessment, name="assessment"),
    path("eligibility/", eligibility.eligibility, name="eligibility"),
    path("patients/<int:pk>/scans/new/", scans.scan_new, name="scan_new"),
    path("scans/<int:pk>/", scans.scan, name="scan"),
    path("scans/<int:pk>/reschedule/", scans.scan_reschedule, name="scan_reschedule"),
    path("scans/<int:pk>/assess/", scans.scan_assess, name="scan_assess"),
    path("scans/<int:pk>/injection/new/", scans.injection_new, name="injection_new"),
    path("queries/", queries.queries, name="queries"),
    path("queries/new/", queries.query_new, name="query_new"),
    path("queries/<int:pk>/", queries.query, name="query"),
    path("queries/<int:pk>/answer/", queries.query_answer, name="query_answer"),
    path("queries/<int:pk>/reopen/", queries.query_reopen, name="query_reopen"),
    path("queries/<int:pk>/close/", queries.query_close, name="query_close"),
    path("deviations/", deviations.deviations, name="deviations"),
    path("deviations/new/", deviations.deviation_new, name="deviation_new"),
    path("deviations/<int:pk>/", deviations.deviation, name="deviation"),
    path(
        "deviations/<int:pk>/acknowledge/",
        deviations.deviation_acknowledge,
        name="deviation_acknowledge",
    ),
    path("deviations/<int:pk>/close/", deviations.deviation_close, name="deviation_close"),
    path("audit/", record.audit, name="audit"),
    path("jobs/", record.jobs, name="jobs"),
]
