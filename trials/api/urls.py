"""Addresses of the trials part of the API."""

from django.urls import path

from trials.api.views import accounts, patients, record, scans, trials

urlpatterns = [
    path("tokens/", accounts.Tokens.as_view(), name="api_tokens"),
    path("tokens/current/", accounts.CurrentToken.as_view(), name="api_token"),
    path("me/", accounts.Myself.as_view(), name="api_me"),
    path("trials/", trials.Trials.as_view(), name="api_trials"),
    path("trials/<slug:identifier>/", trials.OneTrial.as_view(), name="api_trial"),
    path("patients/", patients.Patients.as_view(), name="api_patients"),
    path("patients/<int:pk>/", patients.OnePatient.as_view(), name="api_patient"),
    path("patients/<int:pk>/consents/", patients.Consents.as_view(), name="api_consents"),
    path(
        "consents/<int:pk>/withdraw/",
        patients.WithdrawConsent.as_view(),
        name="api_consent_withdraw",
    ),
    path("patients/<int:pk>/evidence/", patients.PatientEvidence.as_view(), name="api_evidence"),
    path(
        "evidence/<int:pk>/correct/",
        patients.CorrectEvidence.as_view(),
        name="api_evidence_correct",
    ),
    path("patients/<int:pk>/assessments/", patients.Assessments.as_view(), name="api_assessments"),
    path("patients/<int:pk>/enrol/", patients.Enrolment.as_view(), name="api_enrol"),
    path(
        "patients/<int:pk>/end-screening/",
        patients.EndScreening.as_view(),
        name="api_screening_end",
    ),
    path("patients/<int:pk>/scans/", scans.Scans.as_view(), name="api_scans"),
    path("scans/<int:pk>/", scans.OneScan.as_view(), name="api_scan"),
    path("scans/<int:pk>/reschedule/", scans.RescheduleScan.as_view(), name="api_scan_reschedule"),
    path("scans/<int:pk>/injection/", scans.ScanInjection.as_view(), name="api_injection"),
    path("queries/", record.Queries.as_view(), name="api_queries"),
    path("queries/<int:pk>/", record.OneQuery.as_view(), name="api_query"),
    path("queries/<int:pk>/answer/", record.AnswerQuery.as_view(), name="api_query_answer"),
    path("queries/<int:pk>/reopen/", record.ReopenQuery.as_view(), name="api_query_reopen"),
    path("queries/<int:pk>/close/", record.CloseQuery.as_view(), name="api_query_close"),
    path("deviations/", record.Deviations.as_view(), name="api_deviations"),
    path("deviations/<int:pk>/", record.OneDeviation.as_view(), name="api_deviation"),
    path(
        "deviations/<int:pk>/acknowledge/",
        record.AcknowledgeDeviation.as_view(),
        name="api_deviation_acknowledge",
    ),
    path("deviations/<int:pk>/close/", record.CloseDeviation.as_view(), name="api_deviation_close"),
    path("audit/", record.AuditTrail.as_view(), name="api_audit"),
    path("jobs/", record.Jobs.as_view(), name="api_jobs"),
]
