"""Who may do what: every address and method, for every role, wherever the role is held.

The table below is the whole of it. An address that is not in it fails, and so does an entry
without an address. In scope without the right is 403, out of scope 404, nobody is sent to log
in; what is granted is done, or refused by a rule (409) or for its content (422).
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from tests import factories, records
from tests.imaging.conftest import pet_dataset
from tests.imaging.test_intake import a_slice
from tests.imaging.test_stow import TYPE as STOW_TYPE
from tests.imaging.test_stow import body as stow_body
from tests.records import Record
from trials.models import Cohort, ItemValue, Job, Membership, Site, Trial, User
from trials.roles import PERMISSIONS, Role
from trials.selectors import accountability as tracers
from trials.services import form_reviews

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage_as_kept")]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# Where a role is held, seen from the row that is asked for.
AT_SITE, IN_TRIAL, ELSEWHERE, OTHER_TRIAL, NOT_NOW = (
    "at its site",
    "in its trial",
    "at another site",
    "in another trial",
    "not today",
)
PLACES = (AT_SITE, IN_TRIAL, ELSEWHERE, OTHER_TRIAL)
DAY = timedelta(days=1)
TODAY = timezone.localdate().isoformat()
DONE = {200, 201, 204, 302, 409, 422}


@dataclass(frozen=True)
class Need:
    """What an address asks of a user, and how it answers who lacks it."""

    permission: str = ""

    def answers(self, role: Role, place: str) -> set[int]:
        raise NotImplementedError

    def has(self, role: Role) -> bool:
        return role in PERMISSIONS[self.permission]


class Public(Need):
    """Anyone, logged in or not."""

    def answers(self, *_) -> set[int]:
        return DONE


class LoggedIn(Need):
    """Any user."""

    def answers(self, *_) -> set[int]:
        return DONE


class Nowhere(Need):
    """No such address, for anyone."""

    def answers(self, *_) -> set[int]:
        return {404}


class OnRow(Need):
    """The right on a row of a site."""

    reach: tuple[str, ...] = (AT_SITE, IN_TRIAL)

    def answers(self, role: Role, place: str) -> set[int]:
        if place not in self.reach:
            return {404}
        return DONE if self.has(role) else {403}


class OnTrial(OnRow):
    """The right on a row of the trial as such, which its sites see."""

    reach = (AT_SITE, IN_TRIAL, ELSEWHERE)


class OnAllSites(OnRow):
    """The right on a row about all sites together, which one site does not see."""

    reach = (IN_TRIAL,)


class OnList(Need):
    """The right in some trial: a list of what lies within it, or a form to choose from."""

    def answers(self, role: Role, place: str) -> set[int]:
        return DONE if place != NOT_NOW and self.has(role) else {403}


class OnNamed(Need):
    """The right on a row that the body, or the query of a link, names."""

    def answers(self, role: Role, place: str) -> set[int]:
        if place == NOT_NOW or not self.has(role):
            return {403}
        return DONE if place in (AT_SITE, IN_TRIAL) else {404}


class OnWholeTrial(Need):
    """The right at all sites of a trial that the body names."""

    def answers(self, role: Role, place: str) -> set[int]:
        if place in (OTHER_TRIAL, NOT_NOW):
            return {404}
        return DONE if place == IN_TRIAL and self.has(role) else {403}


# Address and method: what it needs.
TABLE: dict[tuple[str, str], Need] = {
    ("home", "GET"): LoggedIn(),
    ("login", "GET"): Public(),
    ("login", "POST"): Public(),
    ("logout", "POST"): LoggedIn(),
    ("password_change", "GET"): LoggedIn(),
    ("password_change", "POST"): LoggedIn(),
    # Pages of the trial
    ("trials", "GET"): OnList("trial.view"),
    ("trial", "GET"): OnTrial("trial.view"),
    ("patients", "GET"): OnList("patient.view"),
    ("patient_new", "GET"): OnList("patient.screen"),
    ("patient_new", "POST"): OnList("patient.screen"),
    ("patient", "GET"): OnRow("patient.view"),
    ("patient_dose", "GET"): OnRow("patient.view"),
    ("patient_allocation", "GET"): OnRow("patient.view"),
    ("patient_allocation", "POST"): OnRow("patient.randomise"),
    ("patient_unblind", "GET"): OnRow("allocation.unblind"),
    ("patient_unblind", "POST"): OnRow("allocation.unblind"),
    ("consent_new", "GET"): OnRow("consent.record"),
    ("consent_new", "POST"): OnRow("consent.record"),
    ("consent_withdraw", "GET"): OnRow("consent.record"),
    ("consent_withdraw", "POST"): OnRow("consent.record"),
    ("evidence_new", "GET"): OnRow("evidence.record"),
    ("evidence_new", "POST"): OnRow("evidence.record"),
    ("evidence_correct", "GET"): OnRow("evidence.record"),
    ("evidence_correct", "POST"): OnRow("evidence.record"),
    ("patient_assess", "POST"): OnRow("eligibility.assess"),
    ("patient_enrol", "GET"): OnRow("patient.enrol"),
    ("patient_enrol", "POST"): OnRow("patient.enrol"),
    ("patient_despite", "GET"): OnRow("patient.enrol_despite"),
    ("patient_despite", "POST"): OnRow("patient.enrol_despite"),
    ("patient_correct", "GET"): OnRow("patient.screen"),
    ("patient_correct", "POST"): OnRow("patient.screen"),
    ("patient_rescreen", "GET"): OnRow("patient.screen"),
    ("patient_rescreen", "POST"): OnRow("patient.screen"),
    ("patient_withdraw", "GET"): OnRow("patient.withdraw"),
    ("patient_withdraw", "POST"): OnRow("patient.withdraw"),
    ("verdict_sign", "GET"): OnRow("eligibility.sign"),
    ("verdict_sign", "POST"): OnRow("eligibility.sign"),
    ("assessment_replay", "GET"): OnRow("eligibility.replay"),
    ("board_cell", "GET"): OnRow("eligibility.view"),
    ("board_cell", "POST"): OnRow("eligibility.verify"),
    ("board_verify", "GET"): OnRow("eligibility.verify"),
    ("board_verify", "POST"): OnRow("eligibility.verify"),
    ("screening_log", "GET"): OnList("screening_log.view"),
    ("screening_log_csv", "GET"): OnList("screening_log.view"),
    ("reconsent", "GET"): OnList("patient.view"),
    ("trial_upload", "GET"): OnList("trial.load"),
    ("trial_upload", "POST"): OnList("trial.load"),
    ("trial_schema", "GET"): OnList("trial.view"),
    ("trial_file", "GET"): OnTrial("trial.view"),
    ("trial_usdm", "GET"): OnTrial("trial.view"),
    ("conflict_settle", "GET"): OnTrial("trial.settle"),
    ("conflict_settle", "POST"): OnTrial("trial.settle"),
    ("cohort_switch", "GET"): OnTrial("cohort.close"),
    ("cohort_switch", "POST"): OnTrial("cohort.close"),
    ("sites", "GET"): OnList("site.view"),
    ("site", "GET"): OnRow("site.view"),
    ("site_move", "GET"): OnRow("site.manage"),
    ("site_move", "POST"): OnRow("site.manage"),
    ("approval_new", "GET"): OnRow("site.manage"),
    ("approval_new", "POST"): OnRow("site.manage"),
    ("approval_end", "GET"): OnRow("site.manage"),
    ("approval_end", "POST"): OnRow("site.manage"),
    ("consent_version_new", "GET"): OnRow("site.manage"),
    ("consent_version_new", "POST"): OnRow("site.manage"),
    ("leader_new", "GET"): OnRow("site.manage"),
    ("leader_new", "POST"): OnRow("site.manage"),
    ("delegation_new", "GET"): OnRow("delegation.sign"),
    ("delegation_new", "POST"): OnRow("delegation.sign"),
    ("delegation_log", "GET"): OnRow("site.view"),
    ("delegation_end", "GET"): OnRow("delegation.sign"),
    ("delegation_end", "POST"): OnRow("delegation.sign"),
    ("form_moves", "GET"): OnRow("version.activate"),
    ("form_moves", "POST"): OnRow("version.activate"),
    ("api_form_moves", "GET"): OnRow("version.activate"),
    ("api_form_moves", "POST"): OnRow("version.activate"),
    ("amendment", "GET"): OnRow("version.activate"),
    ("amendment", "POST"): OnRow("version.activate"),
    ("job_again", "GET"): OnRow("jobs.order"),
    ("job_again", "POST"): OnRow("jobs.order"),
    ("assessment", "GET"): OnRow("eligibility.view"),
    ("eligibility", "GET"): OnList("eligibility.view"),
    ("screening_end", "GET"): OnRow("patient.screen"),
    ("screening_end", "POST"): OnRow("patient.screen"),
    ("visit_record", "GET"): OnRow("visit.record"),
    ("visit_record", "POST"): OnRow("visit.record"),
    ("visit_correct", "GET"): OnRow("visit.record"),
    ("visit_correct", "POST"): OnRow("visit.record"),
    ("visit_undo", "GET"): OnRow("visit.record"),
    ("visit_undo", "POST"): OnRow("visit.record"),
    ("patient_forms", "GET"): OnRow("form.view"),
    ("form_begin", "POST"): OnRow("form.record"),
    ("panel_patients", "GET"): OnList("panel.view"),
    ("panel_patient", "GET"): OnRow("panel.view"),
    ("panel_unblind", "GET"): OnRow("panel.unblind"),
    ("panel_unblind", "POST"): OnRow("panel.unblind"),
    ("api_panel_patients", "GET"): OnList("panel.view"),
    ("api_panel_patient", "GET"): OnRow("panel.view"),
    ("api_panel_unblind", "POST"): OnRow("panel.unblind"),
    ("form_entries", "GET"): OnList("form.view"),
    ("form_entry", "GET"): OnRow("form.view"),
    **{(name, "POST"): OnRow("form.record") for name in ("form_entry", "form_draft")},
    **{
        (name, method): OnRow(permission)
        for name, permission in {
            "form_correct": "form.record",
            "form_undo": "form.record",
            "form_sign": "form.sign",
            "form_verify": "form.verify",
        }.items()
        for method in ("GET", "POST")
    },
    ("form_imports", "GET"): OnList("form.import"),
    ("form_import_new", "GET"): OnList("form.import"),
    ("form_import_new", "POST"): OnList("form.import"),
    ("redcap_forms", "GET"): OnList("trial.load"),
    ("redcap_forms", "POST"): OnList("trial.load"),
    ("form_import", "GET"): OnAllSites("form.import"),
    ("form_import", "POST"): OnAllSites("form.import"),
    ("form_template", "GET"): OnTrial("form.import"),
    ("api_form_imports", "GET"): OnList("form.import"),
    ("api_form_imports", "POST"): OnWholeTrial("form.import"),
    ("api_form_import", "GET"): OnAllSites("form.import"),
    ("api_form_import_confirm", "POST"): OnAllSites("form.import"),
    ("api_forms", "GET"): OnRow("form.view"),
    ("api_forms", "POST"): OnRow("form.record"),
    **{(name, "GET"): OnRow("form.view") for name in ("api_form", "api_form_history")},
    ("api_form_draft", "PUT"): OnRow("form.record"),
    **{
        (f"api_form_{act}", "POST"): OnRow("form.record") for act in ("complete", "correct", "undo")
    },
    ("api_form_sign", "POST"): OnRow("form.sign"),
    ("api_form_verify", "POST"): OnRow("form.verify"),
    ("scan_reschedule", "GET"): OnRow("scan.schedule"),
    ("scan_reschedule", "POST"): OnRow("scan.schedule"),
    ("scan_new", "GET"): OnRow("scan.schedule"),
    ("scan_new", "POST"): OnRow("scan.schedule"),
    ("scan", "GET"): OnRow("patient.view"),
    ("scan_assess", "POST"): OnRow("eligibility.assess"),
    ("worklist", "GET"): OnList("patient.view"),
    ("calendar", "GET"): OnList("patient.view"),
    ("calendar_feed", "GET"): OnList("patient.view"),
    ("calendar_feed", "POST"): OnList("patient.view"),
    # Whoever has the secret address; the one here is made up.
    ("calendar_file", "GET"): Nowhere(),
    ("scan_cancel", "GET"): OnRow("scan.schedule"),
    ("scan_cancel", "POST"): OnRow("scan.schedule"),
    ("injection_correct", "GET"): OnRow("injection.record"),
    ("injection_correct", "POST"): OnRow("injection.record"),
    ("site_day", "GET"): OnRow("site.view"),
    ("site_accountability", "GET"): OnRow("site.view"),
    ("accountability_sign", "GET"): OnRow("accountability.sign"),
    ("accountability_sign", "POST"): OnRow("accountability.sign"),
    ("accountability_review", "GET"): OnRow("site.view"),
    ("site_movement_new", "GET"): OnRow("batch.record"),
    ("site_movement_new", "POST"): OnRow("batch.record"),
    ("site_movement_undo", "GET"): OnRow("batch.record"),
    ("site_movement_undo", "POST"): OnRow("batch.record"),
    ("site_batch_new", "GET"): OnRow("batch.record"),
    ("site_batch_new", "POST"): OnRow("batch.record"),
    ("site_batch_release", "GET"): OnRow("batch.record"),
    ("site_batch_release", "POST"): OnRow("batch.record"),
    ("site_batch_certify", "GET"): OnRow("batch.record"),
    ("site_batch_certify", "POST"): OnRow("batch.record"),
    ("site_scanner_new", "GET"): OnRow("scanner.manage"),
    ("site_scanner_new", "POST"): OnRow("scanner.manage"),
    ("site_scanner_retire", "GET"): OnRow("scanner.manage"),
    ("site_scanner_retire", "POST"): OnRow("scanner.manage"),
    ("site_qualification_new", "GET"): OnRow("scanner.manage"),
    ("site_qualification_new", "POST"): OnRow("scanner.manage"),
    ("site_cross_calibration_new", "GET"): OnRow("scanner.manage"),
    ("site_cross_calibration_new", "POST"): OnRow("scanner.manage"),
    ("site_nodes", "GET"): OnRow("site.view"),
    **{
        (name, method): OnRow("scanner.manage")
        for name in ("site_node_new", "site_node_change", "site_node_retire")
        for method in ("GET", "POST")
    },
    ("site_tokens", "GET"): OnRow("site.view"),
    **{
        (name, method): OnRow("sending_token.manage")
        for name in ("site_token_new", "site_token_revoke")
        for method in ("GET", "POST")
    },
    ("api_site_tokens", "GET"): OnRow("site.view"),
    ("api_site_tokens", "POST"): OnRow("sending_token.manage"),
    ("api_site_token_revoke", "POST"): OnRow("sending_token.manage"),
    ("site_clock_new", "GET"): OnRow("injection.record"),
    ("site_clock_new", "POST"): OnRow("injection.record"),
    ("injection_new", "GET"): OnRow("injection.record"),
    ("injection_new", "POST"): OnRow("injection.record"),
    ("queries", "GET"): OnList("query.view"),
    ("query_new", "GET"): OnNamed("query.open"),
    ("query_new", "POST"): OnNamed("query.open"),
    ("query", "GET"): OnRow("query.view"),
    ("query_answer", "POST"): OnRow("query.answer"),
    ("query_reopen", "POST"): OnRow("query.close"),
    ("query_close", "POST"): OnRow("query.close"),
    ("deviations", "GET"): OnList("deviation.view"),
    ("deviation_new", "GET"): OnNamed("deviation.record"),
    ("deviation_new", "POST"): OnNamed("deviation.record"),
    ("deviation", "GET"): OnRow("deviation.view"),
    ("deviation_acknowledge", "POST"): OnRow("deviation.acknowledge"),
    ("deviation_close", "POST"): OnRow("deviation.close"),
    ("audit", "GET"): OnList("audit.view"),
    ("jobs", "GET"): OnList("jobs.view"),
    ("accounts", "GET"): OnList("account.view"),
    ("account_end", "GET"): OnRow("account.end"),
    ("account_end", "POST"): OnRow("account.end"),
    ("api_accounts", "GET"): OnList("account.view"),
    ("api_account_end", "POST"): OnRow("account.end"),
    # Pages of images
    ("upload", "GET"): OnRow("images.upload"),
    ("transmittals", "GET"): OnList("images.view"),
    ("transmittal", "GET"): OnRow("images.view"),
    ("transmittal_decide", "POST"): OnRow("images.decide"),
    ("transmittal_assign", "GET"): OnRow("images.upload"),
    ("transmittal_assign", "POST"): OnRow("images.upload"),
    ("transmittal_retry", "POST"): OnRow("images.retry"),
    ("incident_new", "GET"): OnRow("incident.report"),
    ("incident_new", "POST"): OnRow("incident.report"),
    ("incidents", "GET"): OnList("incident.view"),
    ("incident", "GET"): OnRow("incident.view"),
    ("incident_judge", "GET"): OnRow("incident.handle"),
    ("incident_judge", "POST"): OnRow("incident.handle"),
    ("incident_contain", "GET"): OnRow("incident.handle"),
    ("incident_contain", "POST"): OnRow("incident.handle"),
    ("incident_close", "GET"): OnRow("incident.handle"),
    ("incident_close", "POST"): OnRow("incident.handle"),
    ("series", "GET"): OnRow("images.view"),
    ("suv_accept", "GET"): OnRow("images.decide"),
    ("suv_accept", "POST"): OnRow("images.decide"),
    ("series_count", "GET"): OnRow("images.decide"),
    ("series_count", "POST"): OnRow("images.decide"),
    ("finding_override", "GET"): OnRow("images.decide"),
    ("finding_override", "POST"): OnRow("images.decide"),
    ("conformance_try", "GET"): OnRow("version.activate"),
    ("reading_list", "GET"): OnList("reading.view"),
    ("reading", "GET"): OnRow("reading.view"),
    ("reading", "POST"): OnRow("region.place"),
    ("reading_open", "GET"): OnRow("read.edit"),
    ("reading_open", "POST"): OnRow("read.edit"),
    ("reading_region", "POST"): OnRow("read.edit"),
    ("reading_slice", "GET"): OnRow("reading.view"),
    ("reading_grow", "GET"): OnRow("reading.view"),
    ("reading_grow", "POST"): OnRow("read.edit"),
    ("reading_place", "GET"): OnRow("read.edit"),
    ("reading_place", "POST"): OnRow("read.edit"),
    ("reading_draw", "GET"): OnRow("read.edit"),
    ("reading_draw", "POST"): OnRow("read.edit"),
    ("reading_sign", "GET"): OnRow("read.sign"),
    ("reading_sign", "POST"): OnRow("read.sign"),
    ("adjudication_begin", "GET"): OnRow("adjudication.sign"),
    ("adjudication_begin", "POST"): OnRow("adjudication.sign"),
    ("adjudication_take_over", "GET"): OnRow("adjudication.sign"),
    ("adjudication_take_over", "POST"): OnRow("adjudication.sign"),
    ("adjudication", "GET"): OnRow("adjudication.sign"),
    ("adjudication", "POST"): OnRow("adjudication.sign"),
    ("adjudication_slice", "GET"): OnRow("adjudication.sign"),
    ("api_adjudications", "GET"): OnList("adjudication.sign"),
    ("api_adjudication", "GET"): OnRow("adjudication.sign"),
    ("api_adjudication", "POST"): OnRow("adjudication.sign"),
    ("api_adjudication_sign", "POST"): OnRow("adjudication.sign"),
    ("api_adjudication_take_over", "POST"): OnRow("adjudication.sign"),
    ("api_counted_reads", "GET"): OnList("agreement.view"),
    ("api_reader_answers", "GET"): OnList("agreement.view"),
    ("api_reader_agreement", "GET"): OnList("agreement.view"),
    ("comparisons", "GET"): OnList("comparison.edit"),
    # Of its own reader alone, and so refused to whoever else may compare.
    ("comparison_new", "GET"): OnRow("comparison.edit"),
    ("comparison_new", "POST"): OnRow("comparison.edit"),
    ("comparison", "GET"): OnRow("comparison.edit"),
    ("comparison", "POST"): OnRow("comparison.edit"),
    ("comparison_sign", "GET"): OnRow("comparison.edit"),
    ("comparison_sign", "POST"): OnRow("comparison.edit"),
    ("paired_lesions", "GET"): OnList("comparison.view"),
    ("responses", "GET"): OnList("response.view"),
    ("response_of_patient", "GET"): OnRow("response.view"),
    ("reading_response", "GET"): OnRow("read.edit"),
    ("reading_response", "POST"): OnRow("read.edit"),
    ("reading_recist", "GET"): OnRow("read.edit"),
    ("reading_recist", "POST"): OnRow("read.edit"),
    ("api_read_recist", "GET"): OnRow("reading.view"),
    ("api_read_recist", "POST"): OnRow("read.edit"),
    ("api_responses", "GET"): OnList("response.view"),
    ("api_read_response", "GET"): OnRow("reading.view"),
    ("api_read_response", "POST"): OnRow("read.edit"),
    ("api_comparisons", "GET"): OnList("comparison.edit"),
    ("api_comparisons", "POST"): OnNamed("comparison.edit"),
    ("api_comparison", "GET"): OnRow("comparison.edit"),
    ("api_pairs_confirm", "POST"): OnRow("comparison.edit"),
    ("api_pairs_join", "POST"): OnRow("comparison.edit"),
    ("api_pair_apart", "POST"): OnRow("comparison.edit"),
    ("api_pair_region", "POST"): OnRow("comparison.edit"),
    ("api_comparison_sign", "POST"): OnRow("comparison.edit"),
    ("api_paired_lesions", "GET"): OnList("comparison.view"),
    ("organ_uptake", "GET"): OnList("organs.view"),
    ("api_organ_uptake", "GET"): OnList("organs.view"),
    ("picture", "GET"): OnRow("quantification.view"),
    ("derivation", "GET"): OnRow("quantification.view"),
    ("derivation_grown", "GET"): OnRow("finding.view"),
    ("dicom_object", "GET"): OnRow("objects.view"),
    ("region_derivation", "GET"): OnRow("quantification.view"),
    ("adrenal_derivation", "GET"): OnRow("quantification.view"),
    ("region_accept", "POST"): OnRow("region.place"),
    ("mirror_accept", "POST"): OnRow("read.edit"),
    ("read", "GET"): OnRow("finding.view"),
    # Pages of analysis populations
    ("populations", "GET"): OnList("population.view"),
    ("patient_populations", "GET"): OnRow("population.view"),
    ("populations_of_trial", "GET"): OnAllSites("population.view"),
    ("population", "GET"): OnAllSites("population.view"),
    ("population_review_new", "GET"): OnAllSites("population.review"),
    ("population_review_new", "POST"): OnAllSites("population.review"),
    ("population_review", "GET"): OnAllSites("population.view"),
    ("population_decide", "GET"): OnAllSites("population.review"),
    ("population_decide", "POST"): OnAllSites("population.review"),
    ("population_review_abandon", "GET"): OnAllSites("population.review"),
    ("population_review_abandon", "POST"): OnAllSites("population.review"),
    ("population_review_sign", "GET"): OnAllSites("population.review"),
    ("population_review_sign", "POST"): OnAllSites("population.review"),
    # Pages of exports
    ("exports", "GET"): OnList("export.view"),
    ("export_new", "GET"): OnList("export.create"),
    ("export_new", "POST"): OnList("export.create"),
    ("exports_waiting", "GET"): OnList("export.unblind"),
    ("export_decide", "GET"): OnAllSites("export.unblind"),
    ("export_decide", "POST"): OnAllSites("export.unblind"),
    ("export", "GET"): OnAllSites("export.view"),
    ("export_download", "GET"): OnAllSites("export.view"),
    ("export_file", "GET"): OnAllSites("export.view"),
    ("export_signature", "GET"): OnAllSites("export.view"),
    ("export_dataset", "GET"): OnAllSites("export.view"),
    ("export_changes_file", "GET"): OnAllSites("export.view"),
    ("export_cancel", "POST"): OnAllSites("export.create"),
    ("export_resume", "POST"): OnAllSites("export.create"),
    ("export_rebuild", "POST"): OnAllSites("export.create"),
    ("export_differences", "GET"): OnAllSites("export.view"),
    ("export_differences_file", "GET"): OnAllSites("export.view"),
    ("reports", "GET"): OnWholeTrial("report.view"),
    ("report", "GET"): OnWholeTrial("report.view"),
    ("report_pdf", "GET"): OnWholeTrial("report.view"),
    ("report_figure", "GET"): OnWholeTrial("report.view"),
    ("report_table", "GET"): OnWholeTrial("report.view"),
    # Printed sheets
    ("printed_sheets", "GET"): OnList("audit.view"),
    ("scan_worksheet", "GET"): OnRow("injection.record"),
    ("booking_sheet", "GET"): OnRow("injection.record"),
    ("screening_log_sheet", "GET"): OnRow("screening_log.view"),
    ("pre_visit_list", "GET"): OnRow("monitoring.record"),
    ("visit_report", "GET"): OnRow("monitoring.view"),
    ("follow_up_letter", "GET"): OnRow("monitoring.view"),
    # Monitoring visits
    ("monitoring", "GET"): OnList("monitoring.view"),
    ("monitoring_visit", "GET"): OnRow("monitoring.view"),
    **{
        (page, method): OnRow("monitoring.record")
        for page in (
            "monitoring_visit_new",
            "monitoring_visit_correct",
            "monitoring_visit_sign",
            "action_item_new",
            "action_item_close",
            "action_item_reopen",
        )
        for method in ("GET", "POST")
    },
    ("action_item_done", "GET"): OnRow("action_item.answer"),
    ("action_item_done", "POST"): OnRow("action_item.answer"),
    # The API
    ("api_tokens", "POST"): Public(),
    ("api_token", "DELETE"): LoggedIn(),
    ("api_me", "GET"): LoggedIn(),
    ("schema", "GET"): LoggedIn(),
    ("docs", "GET"): LoggedIn(),
    ("api_trials", "GET"): OnList("trial.view"),
    ("api_trial", "GET"): OnTrial("trial.view"),
    ("api_patients", "GET"): OnList("patient.view"),
    ("api_patients", "POST"): OnNamed("patient.screen"),
    ("api_patient", "GET"): OnRow("patient.view"),
    ("api_effective_dose", "GET"): OnRow("patient.view"),
    ("api_allocation", "GET"): OnRow("patient.view"),
    ("api_allocation", "POST"): OnRow("patient.randomise"),
    ("api_unblind", "POST"): OnRow("allocation.unblind"),
    ("api_consents", "GET"): OnRow("patient.view"),
    ("api_consents", "POST"): OnRow("consent.record"),
    ("api_consent_withdraw", "POST"): OnRow("consent.record"),
    ("api_evidence", "GET"): OnRow("patient.view"),
    ("api_evidence", "POST"): OnRow("evidence.record"),
    ("api_evidence_correct", "POST"): OnRow("evidence.record"),
    ("api_assessments", "GET"): OnRow("eligibility.view"),
    ("api_assessments", "POST"): OnRow("eligibility.assess"),
    ("api_enrol", "POST"): OnRow("patient.enrol"),
    ("api_conditions", "GET"): OnRow("patient.enrol"),
    ("api_enrol_despite", "POST"): OnRow("patient.enrol_despite"),
    ("api_patient_correct", "POST"): OnRow("patient.screen"),
    ("api_rescreen", "POST"): OnRow("patient.screen"),
    ("api_withdrawals", "GET"): OnRow("patient.view"),
    ("api_withdrawals", "POST"): OnRow("patient.withdraw"),
    ("api_sign", "POST"): OnRow("eligibility.sign"),
    ("api_replay", "GET"): OnRow("eligibility.replay"),
    ("api_board", "GET"): OnList("eligibility.view"),
    ("api_board_cell", "GET"): OnRow("eligibility.view"),
    ("api_board_verify", "POST"): OnRow("eligibility.verify"),
    ("api_screening_log", "GET"): OnList("screening_log.view"),
    ("api_reconsent", "GET"): OnList("patient.view"),
    ("api_trial_files", "POST"): OnList("trial.load"),
    ("api_trial_schema", "GET"): OnList("trial.view"),
    ("api_trial_file", "GET"): OnTrial("trial.view"),
    ("api_trial_usdm", "GET"): OnTrial("trial.view"),
    ("api_conflicts", "GET"): OnTrial("trial.view"),
    ("api_conflicts", "POST"): OnTrial("trial.settle"),
    ("api_cohorts", "GET"): OnTrial("trial.view"),
    ("api_cohort_switch", "POST"): OnTrial("cohort.close"),
    ("api_sites", "GET"): OnList("site.view"),
    ("api_site", "GET"): OnRow("site.view"),
    ("api_site_move", "POST"): OnRow("site.manage"),
    ("api_approvals", "POST"): OnRow("site.manage"),
    ("api_approval_end", "POST"): OnRow("site.manage"),
    ("api_consent_versions", "POST"): OnRow("site.manage"),
    ("api_leader", "POST"): OnRow("site.manage"),
    ("api_delegations", "GET"): OnRow("site.view"),
    ("api_delegations", "POST"): OnRow("delegation.sign"),
    ("api_delegation_end", "POST"): OnRow("delegation.sign"),
    ("api_amendment", "GET"): OnRow("version.activate"),
    ("api_amendment", "POST"): OnRow("version.activate"),
    ("api_job_again", "POST"): OnRow("jobs.order"),
    ("api_screening_end", "POST"): OnRow("patient.screen"),
    ("api_visits", "GET"): OnRow("patient.view"),
    ("api_visits", "POST"): OnRow("visit.record"),
    ("api_visit_correct", "POST"): OnRow("visit.record"),
    ("api_visit_undo", "POST"): OnRow("visit.record"),
    ("api_scan_reschedule", "POST"): OnRow("scan.schedule"),
    ("api_scans", "GET"): OnRow("patient.view"),
    ("api_scans", "POST"): OnRow("scan.schedule"),
    ("api_scan", "GET"): OnRow("patient.view"),
    ("api_worklist", "GET"): OnList("patient.view"),
    ("api_schedule", "GET"): OnRow("patient.view"),
    ("api_scan_cancel", "POST"): OnRow("scan.schedule"),
    ("api_scan_gate", "GET"): OnRow("injection.record"),
    ("api_injection", "POST"): OnRow("injection.record"),
    ("api_injection_correct", "POST"): OnRow("injection.record"),
    ("api_tracer_movements", "GET"): OnRow("site.view"),
    ("api_tracer_movements", "POST"): OnRow("batch.record"),
    ("api_tracer_balance", "GET"): OnRow("site.view"),
    ("api_accountability_reviews", "GET"): OnRow("site.view"),
    ("api_accountability_reviews", "POST"): OnRow("accountability.sign"),
    ("api_tracer_movement_undo", "POST"): OnRow("batch.record"),
    ("api_batches", "GET"): OnRow("site.view"),
    ("api_batches", "POST"): OnRow("batch.record"),
    ("api_batch_release", "POST"): OnRow("batch.record"),
    ("api_batch_certify", "POST"): OnRow("batch.record"),
    ("api_scanners", "GET"): OnRow("site.view"),
    ("api_scanners", "POST"): OnRow("scanner.manage"),
    ("api_scanner_retire", "POST"): OnRow("scanner.manage"),
    ("api_qualifications", "POST"): OnRow("scanner.manage"),
    ("api_cross_calibrations", "POST"): OnRow("scanner.manage"),
    ("api_nodes", "GET"): OnRow("site.view"),
    ("api_nodes", "POST"): OnRow("scanner.manage"),
    ("api_node_change", "POST"): OnRow("scanner.manage"),
    ("api_node_retire", "POST"): OnRow("scanner.manage"),
    ("api_clocks", "GET"): OnRow("site.view"),
    ("api_clocks", "POST"): OnRow("injection.record"),
    ("api_queries", "GET"): OnList("query.view"),
    ("api_queries", "POST"): OnNamed("query.open"),
    ("api_query", "GET"): OnRow("query.view"),
    ("api_query_answer", "POST"): OnRow("query.answer"),
    ("api_query_reopen", "POST"): OnRow("query.close"),
    ("api_query_close", "POST"): OnRow("query.close"),
    ("api_deviations", "GET"): OnList("deviation.view"),
    ("api_deviations", "POST"): OnNamed("deviation.record"),
    ("api_deviation", "GET"): OnRow("deviation.view"),
    ("api_deviation_acknowledge", "POST"): OnRow("deviation.acknowledge"),
    ("api_deviation_close", "POST"): OnRow("deviation.close"),
    ("api_audit", "GET"): OnList("audit.view"),
    ("api_jobs", "GET"): OnList("jobs.view"),
    ("api_upload", "POST"): OnRow("images.upload"),
    ("api_transmittals", "GET"): OnList("images.view"),
    ("api_transmittal", "GET"): OnRow("images.view"),
    ("api_missing", "POST"): OnRow("images.upload"),
    ("api_files", "GET"): OnRow("images.view"),
    ("api_files", "POST"): OnRow("images.upload"),
    ("api_partial_uploads", "POST"): OnRow("images.upload"),
    ("api_partial_upload", "GET"): OnRow("images.upload"),
    ("api_partial_upload", "PUT"): OnRow("images.upload"),
    ("api_complete", "POST"): OnRow("images.upload"),
    ("api_decide", "POST"): OnRow("images.decide"),
    ("api_assign", "POST"): OnRow("images.upload"),
    ("api_retry", "POST"): OnRow("images.retry"),
    ("api_incident_new", "POST"): OnRow("incident.report"),
    ("api_incidents", "GET"): OnList("incident.view"),
    ("api_incident", "GET"): OnRow("incident.view"),
    ("api_incident_judge", "POST"): OnRow("incident.handle"),
    ("api_incident_contain", "POST"): OnRow("incident.handle"),
    ("api_incident_close", "POST"): OnRow("incident.handle"),
    ("api_series_list", "GET"): OnList("images.view"),
    ("api_series", "GET"): OnRow("images.view"),
    ("api_suv_accept", "POST"): OnRow("images.decide"),
    ("api_series_count", "POST"): OnRow("images.decide"),
    ("api_finding_override", "POST"): OnRow("images.decide"),
    ("api_derivation", "GET"): OnRow("quantification.view"),
    ("api_region_derivation", "GET"): OnRow("quantification.view"),
    ("api_adrenal_derivation", "GET"): OnRow("quantification.view"),
    ("api_picture", "GET"): OnRow("quantification.view"),
    ("api_readings", "GET"): OnList("reading.view"),
    ("api_reading", "GET"): OnRow("reading.view"),
    ("api_regions", "POST"): OnRow("region.place"),
    ("api_region_accept", "POST"): OnRow("region.place"),
    ("api_own_read", "GET"): OnRow("reading.view"),
    ("api_own_read", "POST"): OnRow("read.edit"),
    ("api_read_region", "POST"): OnRow("read.edit"),
    ("api_mirror_accept", "POST"): OnRow("read.edit"),
    ("api_read_grown", "GET"): OnRow("reading.view"),
    ("api_read_grown", "POST"): OnRow("read.edit"),
    ("api_read_drawn", "POST"): OnRow("read.edit"),
    ("api_read_drawn_preview", "POST"): OnRow("read.edit"),
    ("api_read_sign", "POST"): OnRow("read.sign"),
    ("api_slice", "GET"): OnRow("reading.view"),
    ("api_derivation_grown", "GET"): OnRow("finding.view"),
    ("api_findings", "GET"): OnRow("finding.view"),
    ("api_populations", "GET"): OnAllSites("population.view"),
    ("api_population_units", "GET"): OnAllSites("population.view"),
    ("api_population_reviews", "POST"): OnAllSites("population.review"),
    ("api_population_review", "GET"): OnAllSites("population.view"),
    ("api_population_decisions", "POST"): OnAllSites("population.review"),
    ("api_population_abandonment", "POST"): OnAllSites("population.review"),
    ("api_population_signature", "POST"): OnAllSites("population.review"),
    ("api_reports", "GET"): OnWholeTrial("report.view"),
    ("api_report", "GET"): OnWholeTrial("report.view"),
    ("api_exports", "GET"): OnList("export.view"),
    ("api_exports", "POST"): OnWholeTrial("export.create"),
    ("api_exports_waiting", "GET"): OnList("export.unblind"),
    ("api_export_decision", "POST"): OnAllSites("export.unblind"),
    ("api_export", "GET"): OnAllSites("export.view"),
    ("api_export_download", "GET"): OnAllSites("export.view"),
    ("api_export_file", "GET"): OnAllSites("export.view"),
    ("api_export_signature", "GET"): OnAllSites("export.view"),
    ("api_export_datasets", "GET"): OnAllSites("export.view"),
    ("api_export_dataset", "GET"): OnAllSites("export.view"),
    ("api_export_changes", "GET"): OnAllSites("export.view"),
    ("api_export_changes_of_dataset", "GET"): OnAllSites("export.view"),
    ("api_export_changes_file", "GET"): OnAllSites("export.view"),
    ("api_export_cancel", "POST"): OnAllSites("export.create"),
    ("api_export_resume", "POST"): OnAllSites("export.create"),
    ("api_export_rebuilds", "GET"): OnAllSites("export.view"),
    ("api_export_rebuilds", "POST"): OnAllSites("export.create"),
    ("api_export_reports", "GET"): OnAllSites("export.view"),
    ("api_export_differences", "GET"): OnAllSites("export.view"),
    ("api_export_differences_file", "GET"): OnAllSites("export.view"),
    ("api_printed_sheets", "GET"): OnList("audit.view"),
    ("api_scan_worksheet", "GET"): OnRow("injection.record"),
    ("api_booking_sheet", "GET"): OnRow("injection.record"),
    ("api_screening_log_sheet", "GET"): OnRow("screening_log.view"),
    ("api_pre_visit_list", "GET"): OnRow("monitoring.record"),
    ("api_visit_report", "GET"): OnRow("monitoring.view"),
    ("api_follow_up_letter", "GET"): OnRow("monitoring.view"),
    ("api_monitoring_visits", "GET"): OnList("monitoring.view"),
    ("api_site_monitoring_visits", "POST"): OnRow("monitoring.record"),
    ("api_monitoring_visit", "GET"): OnRow("monitoring.view"),
    ("api_monitoring_visit_correct", "POST"): OnRow("monitoring.record"),
    ("api_monitoring_visit_sign", "POST"): OnRow("monitoring.record"),
    ("api_action_items", "POST"): OnRow("monitoring.record"),
    ("api_action_item_done", "POST"): OnRow("action_item.answer"),
    ("api_action_item_close", "POST"): OnRow("monitoring.record"),
    ("api_action_item_reopen", "POST"): OnRow("monitoring.record"),
    **{("api_unknown", method): Nowhere() for method in METHODS},
    # DICOMweb
    ("dicomweb_studies", "GET"): OnList("images.view"),
    ("dicomweb_series_list", "GET"): OnList("images.view"),
    ("dicomweb_instances", "GET"): OnList("images.view"),
    ("dicomweb_study", "GET"): OnRow("images.view"),
    ("dicomweb_study_metadata", "GET"): OnRow("images.view"),
    ("dicomweb_study_series", "GET"): OnRow("images.view"),
    ("dicomweb_study_instances", "GET"): OnRow("images.view"),
    ("dicomweb_series", "GET"): OnRow("images.view"),
    ("dicomweb_series_metadata", "GET"): OnRow("images.view"),
    ("dicomweb_series_instances", "GET"): OnRow("images.view"),
    ("dicomweb_instance", "GET"): OnRow("images.view"),
    ("dicomweb_instance_metadata", "GET"): OnRow("images.view"),
    ("dicomweb_frames", "GET"): OnRow("images.view"),
    ("dicomweb_rendered_frames", "GET"): OnRow("images.view"),
    ("dicomweb_rendered", "GET"): OnRow("images.view"),
    ("dicomweb_thumbnail", "GET"): OnRow("images.view"),
    ("dicomweb_series_thumbnail", "GET"): OnRow("images.view"),
    ("dicomweb_studies", "POST"): OnList("images.upload"),
    ("dicomweb_site", "POST"): OnRow("images.upload"),
    ("dicomweb_scan", "POST"): OnRow("images.upload"),
    **{("dicomweb_unknown", method): Nowhere() for method in METHODS},
}

Of = Callable[[Record], Any]
# Where an address points, besides at the patient: the row of the record it stands for.
ROWS: dict[str, Of] = {
    "consent_withdraw": lambda r: r.consent,
    "evidence_correct": lambda r: r.evidence,
    "assessment": lambda r: r.assessment,
    "patient_assess": lambda r: r.screened,
    "patient_enrol": lambda r: r.screened,
    "enrol": lambda r: r.screened,
    "screening_end": lambda r: r.screened,
    "patient_despite": lambda r: r.screened,
    "enrol_despite": lambda r: r.screened,
    "conditions": lambda r: r.screened,
    "verdict_sign": lambda r: r.assessment,
    "sign": lambda r: r.assessment,
    "assessment_replay": lambda r: r.assessment,
    "replay": lambda r: r.assessment,
    **dict.fromkeys(
        [
            "site",
            "site_move",
            "approval_new",
            "approvals",
            "consent_version_new",
            "consent_versions",
            "leader_new",
            "leader",
            "delegation_new",
            "delegation_log",
            "delegations",
            "amendment",
            "form_moves",
            "site_day",
            "site_accountability",
            "site_movement_new",
            "accountability_sign",
            "accountability_reviews",
            "tracer_movements",
            "tracer_balance",
            "site_batch_new",
            "batches",
            "site_scanner_new",
            "scanners",
            "site_nodes",
            "site_node_new",
            "nodes",
            "site_tokens",
            "site_token_new",
            "site_clock_new",
            "clocks",
            "dicomweb_site",
            "screening_log_sheet",
            "pre_visit_list",
            "monitoring_visit_new",
            "site_monitoring_visits",
        ],
        lambda r: r.site,
    ),
    "dicomweb_scan": lambda r: r.prepared,
    "approval_end": lambda r: r.site.approvals.first(),
    "delegation_end": lambda r: r.site.delegations.first(),
    "account_end": lambda r: factories.make_user(Role.COORDINATOR, trial=r.trial, site=r.site),
    "job_again": lambda r: Job.objects.filter(state="parked", site=r.site).first(),
    **dict.fromkeys(["visit_correct", "visit_undo"], lambda r: r.visit),
    **dict.fromkeys(["form_entry", "form_draft", "form_complete"], lambda r: r.draft),
    **dict.fromkeys(
        ["form", "form_history", "form_correct", "form_undo", "form_sign", "form_verify"],
        lambda r: r.form,
    ),
    **dict.fromkeys(["form_import", "form_import_confirm"], lambda r: r.form_import),
    "scan_reschedule": lambda r: r.prepared,
    "scan": lambda r: r.scan,
    "scan_assess": lambda r: r.prepared,
    "injection_new": lambda r: r.prepared,
    "injection": lambda r: r.prepared,
    "injection_correct": lambda r: r.scan,
    "scan_cancel": lambda r: r.prepared,
    "scan_gate": lambda r: r.prepared,
    **dict.fromkeys(["scan_worksheet", "booking_sheet"], lambda r: r.prepared),
    **dict.fromkeys(
        [
            "visit_report",
            "follow_up_letter",
            "monitoring_visit",
            "monitoring_visit_correct",
            "monitoring_visit_sign",
            "action_item_new",
            "action_items",
        ],
        lambda r: r.action_item.visit,
    ),
    **dict.fromkeys(
        ["action_item_done", "action_item_close", "action_item_reopen"], lambda r: r.action_item
    ),
    **dict.fromkeys(["site_movement_undo", "tracer_movement_undo"], lambda r: r.movement),
    "accountability_review": lambda r: r.accountability_review,
    "batch_release": lambda r: r.batch,
    "batch_certify": lambda r: r.batch,
    "site_batch_release": lambda r: r.batch,
    "site_batch_certify": lambda r: r.batch,
    **dict.fromkeys(
        [
            "scanner_retire",
            "site_scanner_retire",
            "site_qualification_new",
            "qualifications",
            "site_cross_calibration_new",
            "cross_calibrations",
        ],
        lambda r: r.scanner,
    ),
    **dict.fromkeys(
        ["node_change", "node_retire", "site_node_change", "site_node_retire"], lambda r: r.node
    ),
    "site_token_revoke": lambda r: r.sending_token,
    "query": lambda r: r.query,
    "query_answer": lambda r: r.query,
    "query_reopen": lambda r: r.answered,
    "query_close": lambda r: r.query,
    "deviation": lambda r: r.deviation,
    "deviation_acknowledge": lambda r: r.deviation,
    "deviation_close": lambda r: r.acknowledged,
    "upload": lambda r: r.prepared,
    "transmittal": lambda r: r.transmittal,
    "transmittal_decide": lambda r: r.held,
    "transmittal_assign": lambda r: r.unassigned,
    "transmittal_retry": lambda r: r.held,
    "incident_new": lambda r: r.held,
    "incident": lambda r: r.incident,
    "incident_judge": lambda r: r.incident,
    "incident_contain": lambda r: r.incident,
    "incident_close": lambda r: r.incident,
    "missing": lambda r: r.receiving,
    "files": lambda r: r.receiving,
    "partial_uploads": lambda r: r.receiving,
    "partial_upload": lambda r: r.receiving.partial_uploads.get(),
    "complete": lambda r: r.receiving,
    "decide": lambda r: r.held,
    "assign": lambda r: r.unassigned,
    "retry": lambda r: r.held,
    "series": lambda r: r.series,
    "suv_accept": lambda r: r.series,
    "series_count": lambda r: r.series,
    "finding_override": lambda r: r.series.findings.filter(is_current=True).first(),
    "conformance_try": lambda r: r.site,
    "picture": lambda r: r.run.pictures.get(),
    "derivation": lambda r: r.run.lesions.get(),
    "derivation_grown": lambda r: r.grown,
    "dicom_object": lambda r: r.run.dicom_objects.get(kind="SEG"),
    **dict.fromkeys(["region_derivation", "region_accept"], lambda r: r.region),
    "adrenal_derivation": lambda r: r.run,
    "comparison_new": lambda r: r.comparison.first,
    **dict.fromkeys(
        [
            "comparison",
            "comparison_sign",
            "pairs_confirm",
            "pairs_join",
            "pair_apart",
            "pair_region",
        ],
        lambda r: r.comparison,
    ),
    "read": lambda r: r.grown.read,
    **dict.fromkeys(
        [
            "export",
            "export_decide",
            "export_decision",
            "export_download",
            "export_file",
            "export_signature",
            "export_datasets",
            "export_dataset",
            "export_changes",
            "export_changes_of_dataset",
            "export_changes_file",
            "export_rebuild",
            "export_rebuilds",
            "export_reports",
            "export_differences",
            "export_differences_file",
        ],
        lambda r: r.export,
    ),
    "export_cancel": lambda r: r.ordered_export,
    "export_resume": lambda r: r.cancelled_export,
    **dict.fromkeys(
        [
            "population_review",
            "population_decide",
            "population_review_sign",
            "population_decisions",
            "population_review_abandon",
            "population_abandonment",
            "population_signature",
        ],
        lambda r: r.population_review,
    ),
}

ABOUT = {"text": "Which formula?"}
WORDS = {
    "text": "as the source says",
    "reason": "wrong page read",
    "observed_at": "2026-03-01",
    "source": "medical record",
}
CONSENT = {
    "version": "2.0",
    "language": "en",
    "signed_at": "2026-03-01",
    "signatory": "patient",
    "obtained_by": "I. Investigator",
}
CONFIRMED = {"is_difference_confirmed": True}
INJECTION = {
    "assayed_activity_mbq": 150,
    "residual_activity_mbq": 1,
    "route": "intravenous",
    "weight_kg": 71,
    "despite": "given all the same",
    "height_cm": 170,
}
BATCH = {"tracer": "PTF", "number": "B-1", "calibration_activity_mbq": 1000}
BATCH_TIMES = {"calibrated_at": "08:00", "expires_at": "12:00"}
MOVEMENT = {"kind": "ordered", "tracer": "PTF", "doses": 2}
VALID = {"valid_from": "2026-01-01", "valid_until": "2026-12-31", "reference": "on file"}
CLOCK = {"instrument": "dose_calibrator", "ahead_s": 12}
REPORT = {
    "kind": "interim",
    "held_on": "2026-03-02",
    "attendees": "A. Monitor",
    "summary": "Consents",
    "findings": "",
}
HELD = {"took_place_at": "2026-03-02", "performed_by": "Dr Who"}
TIMES = ("assayed_at", "residual_at", "injected_at")
DAY_OF = {"granted_on": "2026-01-01", "valid_from": "2026-01-01", "starts_on": "2026-01-01"}
# What is sent, by address; an address that is not here is sent nothing.
BODIES: dict[str, Of] = {
    "login": lambda _: {"username": "nobody", "password": "wrong"},
    "password_change": lambda _: {"old_password": "wrong"},
    "api_tokens": lambda _: {"username": "nobody", "password": "wrong"},
    "patient_new": lambda r: {"site": r.site.pk, "sex_at_birth": "F", "birth": "1961"},
    "api_patients": lambda r: {"site": r.site.pk, "sex_at_birth": "F", "birth": "1961"},
    "consent_new": lambda _: CONSENT | {"copy_given": "yes"},
    "api_consents": lambda _: CONSENT | {"copy_given": True},
    "consent_withdraw": lambda _: WORDS,
    "patient_unblind": lambda _: WORDS,
    "panel_unblind": lambda _: WORDS,
    "api_panel_unblind": lambda _: {"reason": WORDS["reason"]},
    "api_unblind": lambda _: {"reason": WORDS["reason"]},
    "api_consent_withdraw": lambda _: WORDS,
    "evidence_new": lambda _: WORDS | {"value": "171", "unit": "cm", "is_study_specific": "no"},
    "api_evidence": lambda _: (
        WORDS | {"variable": "height", "value": 171, "unit": "cm", "is_study_specific": False}
    ),
    "evidence_correct": lambda _: WORDS | {"value": "171", "unit": "cm"},
    "api_evidence_correct": lambda _: WORDS | {"value": 171, "unit": "cm"},
    "api_assessments": lambda _: {"gate": "enrolment"},
    "adjudication_take_over": lambda _: {"reason": WORDS["reason"]},
    "api_adjudication_take_over": lambda _: {"reason": WORDS["reason"]},
    **dict.fromkeys(["patient_enrol", "api_enrol"], lambda _: {"cohort": "MAIN"}),
    "scan_assess": lambda _: {"gate": "pre_injection"},
    "screening_end": lambda _: WORDS | {"category": "criteria"},
    "api_screening_end": lambda _: WORDS,
    **dict.fromkeys(["patient_rescreen", "api_rescreen"], lambda _: WORDS),
    **dict.fromkeys(
        ["patient_despite", "api_enrol_despite", "verdict_sign", "api_sign"],
        lambda _: WORDS | {"password": factories.PASSWORD},
    ),
    **dict.fromkeys(
        ["patient_withdraw", "api_withdrawals"],
        lambda _: (
            WORDS | {"extent": "scans", "initiative": "patient", "withdrawn_at": "2026-03-01"}
        ),
    ),
    **dict.fromkeys(["board_cell", "board_verify"], lambda _: {"evidence_sha256": "0" * 64}),
    "api_board_verify": lambda r: {"seen": {_criterion(r): "0" * 64}},
    **dict.fromkeys(["trial_upload", "api_trial_files"], lambda _: {"text": "schema: other"}),
    **dict.fromkeys(
        ["conflict_settle", "api_conflicts"],
        lambda _: {"conflict": "phase", "choice": "Phase 3", "basis": "the protocol"},
    ),
    **dict.fromkeys(
        [
            "cohort_switch",
            "api_cohort_switch",
            "site_move",
            "api_site_move",
            "job_again",
            "api_job_again",
            "finding_override",
            "api_finding_override",
            "suv_accept",
            "api_suv_accept",
            "series_count",
            "api_series_count",
        ],
        lambda _: WORDS,
    ),
    **dict.fromkeys(
        ["approval_new", "api_approvals"],
        lambda _: DAY_OF | {"kind": "ethics", "reference": "on file"},
    ),
    **dict.fromkeys(["approval_end", "api_approval_end"], lambda _: WORDS | {"ended_on": TODAY}),
    **dict.fromkeys(
        ["consent_version_new", "api_consent_versions"],
        lambda _: DAY_OF | {"version": "3.0", "language": "en"},
    ),
    **dict.fromkeys(
        ["leader_new", "api_leader"], lambda r: WORDS | {"user": r.site.principal_investigator.pk}
    ),
    **dict.fromkeys(
        ["delegation_new", "api_delegations"],
        lambda r: (
            DAY_OF
            | {
                "user": r.site.principal_investigator.pk,
                "duty": "sign",
                "password": factories.PASSWORD,
            }
        ),
    ),
    **dict.fromkeys(["delegation_end", "api_delegation_end"], lambda _: WORDS | {"ends_on": TODAY}),
    **dict.fromkeys(
        ["form_moves", "api_form_moves"],
        lambda _: WORDS | {"digest": "0" * 64},
    ),
    **dict.fromkeys(
        ["amendment", "api_amendment"],
        lambda _: {"effective_on": TODAY, "reference": "on file"},
    ),
    "scan_reschedule": lambda _: WORDS | {"planned_at": "2026-03-03T12:00"},
    "api_scan_reschedule": lambda _: WORDS | {"planned_at": "2026-03-03T12:00Z"},
    "scan_new": lambda r: {"planned_scan": r.unscheduled.pk, "planned_at": "2026-03-02T12:00"},
    "api_scans": lambda r: {"planned_scan": r.unscheduled.pk, "planned_at": "2026-03-02T12:00Z"},
    "injection_new": lambda _: INJECTION | dict.fromkeys(TIMES, "2026-03-02T12:00"),
    "api_injection": lambda _: INJECTION | dict.fromkeys(TIMES, "2026-03-02T12:00Z"),
    "injection_correct": lambda _: (
        WORDS | INJECTION | CONFIRMED | dict.fromkeys(TIMES, "2026-03-02T12:00")
    ),
    "api_injection_correct": lambda _: (
        CONFIRMED | WORDS | INJECTION | dict.fromkeys(TIMES, "2026-03-02T12:00Z") | {"version": 1}
    ),
    **dict.fromkeys(["scan_cancel", "api_scan_cancel"], lambda _: WORDS),
    **dict.fromkeys(["visit_undo", "api_visit_undo"], lambda _: WORDS),
    **dict.fromkeys(["visit_correct", "api_visit_correct"], lambda _: WORDS | HELD),
    **dict.fromkeys(
        ["form_entry", "form_draft", "form_correct"],
        lambda _: {"form-revision": "1", "text": "dizzy", "form-reason": "as the source says"},
    ),
    "form_import": lambda r: {"digest": r.form_import.plan_sha256},
    "api_form_import_confirm": lambda r: {"digest": r.form_import.plan_sha256},
    "api_form_imports": lambda r: {
        "trial": r.trial.identifier,
        "form": "note",
        "file_name": "more.csv",
        "content": "cGF0aWVudCxyZXBlYXQsdGV4dAo5OTksMSx3ZWxsCg==",
        "source": "the hospital",
        "import_id": "more",
    },
    "api_forms": lambda _: {"form": "note"},
    **dict.fromkeys(
        ["api_form_draft", "api_form_complete"],
        lambda _: {"values": {"text": "dizzy"}, "revision": 1},
    ),
    "api_form_correct": lambda _: WORDS | {"values": {"text": "dizzy"}, "revision": 1},
    **dict.fromkeys(["form_undo", "api_form_undo"], lambda _: WORDS),
    **dict.fromkeys(
        ["form_sign", "api_form_sign"],
        lambda _: {"revision": 1, "password": factories.PASSWORD},
    ),
    "form_verify": lambda r: {"seen": [f"{_note(r).pk}:{form_reviews.digest_of(_note(r))}"]},
    "api_form_verify": lambda r: {
        "values": [{"id": _note(r).pk, "digest": form_reviews.digest_of(_note(r))}]
    },
    **dict.fromkeys(["monitoring_visit_new", "api_site_monitoring_visits"], lambda _: REPORT),
    **dict.fromkeys(
        ["monitoring_visit_correct", "api_monitoring_visit_correct"],
        lambda r: REPORT | {"version": r.action_item.visit.version, "reason": "misread"},
    ),
    **dict.fromkeys(
        ["monitoring_visit_sign", "api_monitoring_visit_sign"],
        lambda r: {"version": r.action_item.visit.version, "password": factories.PASSWORD},
    ),
    **dict.fromkeys(
        ["action_item_new", "api_action_items"],
        lambda _: {"text": "File it", "owner": "Coordinator", "due_on": TODAY},
    ),
    **dict.fromkeys(
        [
            f"{where}action_item_{act}"
            for where in ("", "api_")
            for act in ("done", "close", "reopen")
        ],
        lambda _: {"text": "as seen"},
    ),
    "visit_record": lambda _: HELD,
    "api_visits": lambda _: HELD | {"visit": "CALL"},
    "site_batch_new": lambda _: (
        BATCH | {at: f"2026-03-02T{when}" for at, when in BATCH_TIMES.items()}
    ),
    "api_batches": lambda _: (
        BATCH | {at: f"2026-03-02T{when}Z" for at, when in BATCH_TIMES.items()}
    ),
    "site_movement_new": lambda _: MOVEMENT | {"happened_at": "2026-03-02T12:00"},
    "api_tracer_movements": lambda _: MOVEMENT | {"happened_at": "2026-03-02T12:00:00Z"},
    **dict.fromkeys(
        ["accountability_sign", "api_accountability_reviews"],
        lambda r: {
            "tracer": "PTF",
            "seen": tracers.frozen(r.site, "PTF").sha256,
            "password": factories.PASSWORD,
        },
    ),
    "site_movement_undo": lambda _: WORDS,
    "api_tracer_movement_undo": lambda _: {"reason": WORDS["reason"]},
    "site_batch_certify": lambda _: {
        "number": "B1",
        "calibration_activity_mbq": "900",
        "calibrated_at": "2026-03-02T11:00",
        "expires_at": "2026-03-02T15:00",
        "released_at": "2026-03-02T11:30",
        "released_by": "Q. Person",
        "ph": "7.1",
        "reason": WORDS["reason"],
    },
    "api_batch_certify": lambda _: {"ph": 7.1, "reason": WORDS["reason"]},
    "site_batch_release": lambda _: {"released_at": "2026-03-02T12:00", "released_by": "Q. Person"},
    "api_batch_release": lambda _: {
        "released_at": "2026-03-02T12:00Z",
        "released_by": "Q. Person",
    },
    **dict.fromkeys(
        ["site_scanner_new", "api_scanners"],
        lambda _: {"name": "PET X", "manufacturer": "GE", "model": "Discovery"},
    ),
    **dict.fromkeys(["site_node_new", "api_nodes"], lambda _: {"called_ae_title": "TRIAL X"}),
    **dict.fromkeys(
        ["site_token_new", "api_site_tokens"], lambda _: {"name": "PACS X", "expires_on": TODAY}
    ),
    **dict.fromkeys(["site_token_revoke", "api_site_token_revoke"], lambda _: WORDS),
    "account_end": lambda _: WORDS | {"is_confirmed": "on"},
    "api_account_end": lambda _: WORDS,
    **dict.fromkeys(
        ["site_node_change", "api_node_change", "site_node_retire", "api_node_retire"],
        lambda _: WORDS,
    ),
    **dict.fromkeys(["site_scanner_retire", "api_scanner_retire"], lambda _: WORDS | {"on": TODAY}),
    **dict.fromkeys(
        ["site_qualification_new", "api_qualifications"], lambda _: VALID | {"tracer": "PTF"}
    ),
    **dict.fromkeys(
        ["site_cross_calibration_new", "api_cross_calibrations"], lambda _: VALID | {"factor": 1.02}
    ),
    "site_clock_new": lambda _: CLOCK | {"read_at": "2026-03-02T08:00"},
    "api_clocks": lambda _: CLOCK | {"read_at": "2026-03-02T08:00Z"},
    "api_queries": lambda r: _subject(r) | ABOUT,
    "api_deviations": lambda r: _subject(r) | ABOUT,
    **dict.fromkeys(
        [
            "query_new",
            "query_answer",
            "query_reopen",
            "query_close",
            "deviation_new",
            "deviation_acknowledge",
            "deviation_close",
            "api_query_answer",
            "api_query_reopen",
            "api_query_close",
            "api_deviation_acknowledge",
            "api_deviation_close",
        ],
        lambda _: ABOUT,
    ),
    "transmittal_decide": lambda _: {"release": "yes", "reason": "checked"},
    "api_decide": lambda _: {"release": True, "reason": "checked"},
    **dict.fromkeys(["incident_new", "api_incident_new"], lambda _: ABOUT),
    **dict.fromkeys(["incident_contain", "api_incident_contain"], lambda _: WORDS),
    **dict.fromkeys(
        ["incident_judge", "api_incident_judge"],
        lambda _: {"notification": "none", "basis": "nobody saw them"},
    ),
    **dict.fromkeys(
        ["incident_close", "api_incident_close"], lambda _: {"measures": "the worklist is checked"}
    ),
    **dict.fromkeys(
        ["patient_correct", "api_patient_correct"],
        lambda _: {"sex_at_birth": "M", "birth": "1960", "reason": "wrong page read"},
    ),
    **dict.fromkeys(["transmittal_assign", "api_assign"], lambda r: {"scan": r.prepared.pk}),
    "api_upload": lambda _: {"is_deidentified_at_source": False},
    "api_missing": lambda _: {"sha256s": ["0" * 64]},
    "api_partial_uploads": lambda _: {"sha256": "0" * 64, "size": 2**27},
    "api_files": lambda _: {"files": [SimpleUploadedFile("1.dcm", b"second")]},
    **dict.fromkeys(
        ["dicomweb_studies", "dicomweb_site", "dicomweb_scan"],
        lambda _: Raw(stow_body(_image()), STOW_TYPE),
    ),
    "reading": lambda _: {"kind": "liver", "x_mm": 20, "y_mm": 20, "z_mm": 15, "radius_mm": 6},
    "api_regions": lambda _: {"kind": "liver", "centre_mm": [20, 20, 15], "radius_mm": 6},
    "api_own_read": lambda _: {"reason": ""},
    **dict.fromkeys(["reading_region", "api_read_region"], lambda _: {"decision": "accepted"}),
    "reading_grow": lambda _: {"voxel": "5,11,11"},
    **dict.fromkeys(
        ["comparison_sign", "api_comparison_sign"], lambda _: {"password": factories.PASSWORD}
    ),
    "api_comparisons": lambda r: {
        "first": r.comparison.first_id,
        "second": r.comparison.second_id,
    },
    "api_pairs_confirm": lambda _: {"pairs": [1]},
    "api_pairs_join": lambda _: {"pairs": [1, 2]},
    "api_pair_region": lambda _: {"region": "liver"},
    "api_read_grown": lambda _: {"voxel": [5, 11, 11]},
    "api_read_response": lambda _: {"answers": {}},
    "api_read_recist": lambda _: {"lesions": []},
    **dict.fromkeys(["reading_sign", "api_read_sign"], lambda _: {"password": factories.PASSWORD}),
    "export_new": lambda r: {"trial": r.trial.pk, "reason": "interim analysis"},
    "population_decide": lambda _: {"is_in": "out", "version": 1, "reason": "as the source says"},
    "api_population_decisions": lambda r: {
        "patient": r.patient.pk,
        "is_in": False,
        "version": 1,
        "reason": "as the source says",
    },
    **dict.fromkeys(
        ["population_review_abandon", "api_population_abandonment"],
        lambda _: {"reason": "opened by mistake"},
    ),
    "population_review_sign": lambda _: {
        "version": 1,
        "inputs_sha256": "0" * 64,
        "password": factories.PASSWORD,
    },
    "api_population_signature": lambda _: {
        "version": 1,
        "facts_sha256": "0" * 64,
        "password": factories.PASSWORD,
    },
    "api_exports": lambda r: {"trial": r.trial.identifier, "reason": "interim analysis"},
    "export_decide": lambda _: {"decision": "decline", "reason": "no plan says so"},
    "api_export_decision": lambda _: {"decision": "decline", "reason": "no plan says so"},
}
QUERIES: dict[str, Of] = {
    "accountability_sign": lambda _: {"tracer": "PTF"},
    "api_board": lambda r: {"trial": r.trial.identifier},
    "population_decide": lambda r: {"patient": r.patient.pk},
    "query_new": lambda r: {"table": "trials_patient", "pk": r.patient.pk},
    "deviation_new": lambda r: {"table": "trials_patient", "pk": r.patient.pk},
    "evidence_new": lambda _: {"variable": "height"},
    "api_partial_upload": lambda _: {"offset": 0},
    **dict.fromkeys(
        [f"{way}export_differences{what}" for way in ("", "api_") for what in ("", "_file")],
        lambda r: {"since": r.export.pk},
    ),
    **dict.fromkeys(
        [
            "export_changes_file",
            "api_export_changes",
            "api_export_changes_of_dataset",
            "api_export_changes_file",
        ],
        lambda r: {"since": r.export.pk},
    ),
    "api_read_grown": lambda _: {"plane": 5, "row": 11, "column": 11},
    "reading_grow": lambda _: {"plane": "axial", "slice": 5, "x": 340, "y": 340},
}
# What comes of an address here, where it is neither shown nor done: who is logged in is sent
# on by the log-in, and the words sent are no password and no token.
OTHERWISE = {
    ("login", "GET"): 302,
    ("login", "POST"): 302,
    ("password_change", "POST"): 422,
    ("api_tokens", "POST"): 401,
    ("api_token", "DELETE"): 409,
    # Nobody here failed screening, leads the site or was enrolled on paper; the verdict is
    # signed, the version in force, the digest of the evidence made up, the file no trial file.
    ("patient_despite", "POST"): 422,
    ("api_enrol_despite", "POST"): 409,
    ("trial_upload", "POST"): 422,
    ("form_import_new", "POST"): 422,
    ("redcap_forms", "POST"): 422,
    ("api_trial_files", "POST"): 422,
    # A piece without a byte.
    ("api_partial_upload", "PUT"): 422,
    **dict.fromkeys(
        [
            ("patient_rescreen", "POST"),
            ("api_rescreen", "POST"),
            # Who holds every role is an unblinded statistician too, and reviews nothing.
            ("population_review_sign", "POST"),
            ("api_population_signature", "POST"),
            # The export is a blinded one.
            ("export_decide", "POST"),
            ("api_export_decision", "POST"),
            # The item is open.
            ("action_item_reopen", "POST"),
            ("api_action_item_reopen", "POST"),
            # The report waits for its signature.
            ("follow_up_letter", "GET"),
            ("api_follow_up_letter", "GET"),
            # The patient is allocated already.
            ("patient_allocation", "POST"),
            ("api_allocation", "POST"),
            ("verdict_sign", "POST"),
            ("api_sign", "POST"),
            ("board_cell", "POST"),
            ("board_verify", "POST"),
            ("api_board_verify", "POST"),
            ("delegation_new", "POST"),
            ("api_delegations", "POST"),
            ("delegation_end", "POST"),
            ("api_delegation_end", "POST"),
            ("amendment", "POST"),
            # Every form is of the version in force.
            ("form_moves", "POST"),
            ("api_form_moves", "POST"),
            ("api_amendment", "POST"),
            # The panel decided nothing of the patient.
            ("panel_unblind", "POST"),
            ("api_panel_unblind", "POST"),
            # No file came with the transmittal of the incident.
            ("incident_contain", "POST"),
            ("api_incident_contain", "POST"),
            # Another reader's: who asks here made none of the two reads.
            ("comparison_new", "GET"),
            ("comparison_new", "POST"),
            ("comparison", "GET"),
            ("comparison", "POST"),
            ("comparison_sign", "GET"),
            ("comparison_sign", "POST"),
            ("api_comparisons", "POST"),
            ("api_comparison", "GET"),
            ("api_pairs_confirm", "POST"),
            ("api_pairs_join", "POST"),
            ("api_pair_apart", "POST"),
            ("api_pair_region", "POST"),
            ("api_comparison_sign", "POST"),
            # The series is computed: nothing of it is for review.
            ("suv_accept", "POST"),
            ("api_suv_accept", "POST"),
            # It is the only PET series of its scan.
            ("series_count", "POST"),
            ("api_series_count", "POST"),
            # No two readers of this series differ.
            ("adjudication_begin", "POST"),
            ("adjudication_take_over", "POST"),
            ("adjudication", "GET"),
            ("adjudication", "POST"),
            ("adjudication_slice", "GET"),
            ("api_adjudication", "GET"),
            ("api_adjudication", "POST"),
            ("api_adjudication_sign", "POST"),
            ("api_adjudication_take_over", "POST"),
            # A read is of its reader, and nobody here began one.
            ("reading_region", "POST"),
            ("mirror_accept", "POST"),
            ("api_mirror_accept", "POST"),
            ("reading_grow", "POST"),
            ("reading_place", "GET"),
            ("reading_place", "POST"),
            ("reading_draw", "GET"),
            ("reading_draw", "POST"),
            ("reading_sign", "GET"),
            ("reading_sign", "POST"),
            ("api_own_read", "GET"),
            ("api_read_region", "POST"),
            ("api_read_grown", "POST"),
            ("api_read_drawn", "POST"),
            ("api_read_drawn_preview", "POST"),
            ("api_read_sign", "POST"),
            ("reading_recist", "GET"),
            ("reading_recist", "POST"),
            ("api_read_recist", "GET"),
            ("api_read_recist", "POST"),
            ("reading_response", "GET"),
            ("reading_response", "POST"),
            ("api_read_response", "GET"),
            ("api_read_response", "POST"),
        ],
        409,
    ),
}


def _note(record: Record) -> ItemValue:
    return record.form.values.get()


def _criterion(record: Record) -> str:
    return record.site.version_in_force.criteria.first().identifier


def _subject(record: Record) -> dict:
    return {"subject_table": "trials_patient", "subject_pk": record.patient.pk}


def patterns(found=None) -> Iterator[URLPattern]:
    """Every address of the resolver."""
    for one in found or get_resolver().url_patterns:
        if isinstance(one, URLPattern):
            yield one
        else:
            yield from patterns(one.url_patterns)


def address(name: str, record: Record) -> str:
    """The path of a named address, at its row of the record."""
    (pattern,) = [one for one in patterns() if one.name == name]
    wanted = {
        "identifier": record.trial.identifier,
        "reading_identifier": record.series.reading_identifier,
        "quantity": "suvmax",
        "which": "ratio",
        "rest": "v1/nowhere/",
        "secret": "made-up",
        "number": 1,
        "path": "data/lesions.csv",
        # Of a report, else of a dataset of an export.
        "name": "screening" if "report" in name else "lesions",
        "plane": "axial",
        "index": 5,
        "letter": "A",
        "other": record.comparison.second_id,
        "version": record.site.version_in_force.pk,
        "conflict": "phase",
        "population": "SAF",
        "cohort": "MAIN",
        "switch": "close",
        "move": "suspend",
        "criterion": _criterion(record),
        "visit": "CALL",
        "form": "note",
        "study": record.series.imaging_study.study_instance_uid,
        "series": record.series.series_instance_uid,
        "instance": record.series.instances.first().sop_instance_uid,
        "frames": "1",
    }
    keys = pattern.pattern.converters
    if "pk" in keys:
        row = ROWS.get(name) or ROWS.get(name.removeprefix("api_")) or (lambda r: r.patient)
        wanted["pk"] = row(record).pk
    path = reverse(name, kwargs={key: wanted[key] for key in keys})
    if name in QUERIES:
        path += "?" + "&".join(f"{key}={value}" for key, value in QUERIES[name](record).items())
    return path


@dataclass(frozen=True)
class Raw:
    """A body that is sent as it is."""

    data: bytes
    content_type: str


@lru_cache
def _image() -> bytes:
    return a_slice(pet_dataset(), 1)


@dataclass(frozen=True)
class Call:
    """One request, ready to be sent by anyone."""

    name: str
    method: str
    path: str
    body: Any

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    def by(self, client: Client):
        """Send it, and take back what it changed."""
        options: dict[str, Any] = {}
        if isinstance(self.body, Raw):
            options = vars(self.body)
        elif self.body and self.is_api and self.name != "api_files":
            options = {"data": json.dumps(self.body), "content_type": "application/json"}
        elif self.body and self.method == "POST":
            for file in self.body.get("files", ()):
                file.seek(0)
            options = {"data": self.body}
        cookies = client.cookies.copy()
        with transaction.atomic():
            response = getattr(client, self.method.lower())(self.path, **options)
            transaction.set_rollback(True)
        client.cookies = cookies
        return response


# Who holds every role has seen what is not blind: a data review is opened and decided by others.
NOT_BLIND = dict.fromkeys(
    [
        ("population_review_new", "POST"),
        ("population_decide", "POST"),
        ("population_review_abandon", "POST"),
        ("api_population_reviews", "POST"),
        ("api_population_decisions", "POST"),
        ("api_population_abandonment", "POST"),
    ],
    409,
)

# Who holds every role reads as well, and so sees nothing of what another reader grew.
UNSEEN_BY_WHO_READS = {("derivation_grown", "GET"): 404, ("api_derivation_grown", "GET"): 404}


def call(name: str, method: str, record: Record) -> Call:
    body = BODIES[name](record) if method != "GET" and name in BODIES else None
    return Call(name, method, address(name, record), body)


def listing(found: dict) -> str:
    """One line for each, so that a failure can be read."""
    return "\n".join(f"{key}: {value}" for key, value in found.items())


def status(response) -> int:
    """The status; a way to the log-in is told from other ways."""
    is_login = response.status_code == 302 and response["Location"].startswith("/login/?next=")
    return 401 if is_login else response.status_code


@pytest.fixture(autouse=True)
def quiet_and_unthrottled():
    """Thousands of refusals are what is wanted here: not a line of log for each."""
    cache.clear()
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def record(kept) -> Record:
    site = factories.make_site(factories.make_trial())
    made = records.make_record(site, by=records.everyone(site.trial))
    # Before its job is parked like all others.
    records.segmentation_of(made.run)
    with factories.framed():
        version = site.trial.newest_version
        # The sources disagree on the phase, and there is a cohort to close.
        stated = {"text": "Phase 2", "source": [], "conflict": [{"text": "Phase 3", "source": []}]}
        version.definition = version.definition | {"phase": stated}
        version.save(update_fields=["definition"])
        Cohort.objects.create(version=version, identifier="MAIN", label="Everybody")
        Job.objects.create(
            kind="imaging.clear",
            actor=made.site.principal_investigator,
            trial=site.trial,
            site=site,
        )
        Job.objects.update(state="parked")
    return made


@pytest.fixture(scope="module")
def calls(record) -> dict[tuple[str, str], Call]:
    return {key: call(*key, record) for key in TABLE}


def client_of(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user:
        client.force_login(user)
    return client


def holder(roles: Iterable[Role], place: str, record: Record) -> User:
    """A user with these roles in one place."""
    trial, site = _where(place, record)
    return _with_roles(roles, trial, site)


def groups(need: Need, place: str) -> Iterator[tuple[frozenset[Role], set[int]]]:
    """Roles to be asked together, with what they are to be answered.

    Who is let in is asked role by role. Rights add up: what a user with several roles may not,
    none of these roles may, so those refused alike are asked as one. Reading alone takes from
    what is seen, and stands by itself.
    """
    if isinstance(need, Public | LoggedIn | Nowhere):
        yield frozenset(Role), need.answers()
        return
    refused = defaultdict(set)
    for role in Role:
        allowed = frozenset(need.answers(role, place))
        if role == Role.READER or allowed & DONE:
            yield frozenset({role}), set(allowed)
        else:
            refused[allowed].add(role)
    for allowed, roles in refused.items():
        yield frozenset(roles), set(allowed)


def _where(place: str, record: Record) -> tuple[Trial, Site | None]:
    if place == IN_TRIAL:
        return record.trial, None
    if place == ELSEWHERE:
        return record.trial, factories.make_site(record.trial)
    if place == OTHER_TRIAL:
        return factories.make_trial(), None
    return record.trial, record.site


def _with_roles(
    roles, trial: Trial, site: Site | None, *, user: User | None = None, **dates: date
) -> User:
    user = user or factories.make_user()
    with factories.framed():
        for role in roles:
            Membership.objects.create(
                user=user,
                trial=trial,
                site=site,
                role=role,
                **{"starts_on": date(2026, 1, 1)} | dates,
            )
    return user


def surprise(client: Client, one: Call, allowed: set[int]) -> tuple[int, set[int]] | None:
    """The answer to a call and what it should have been, where they differ."""
    key = (one.name, one.method)
    found = status(one.by(client))
    if key in OTHERWISE and allowed == DONE:
        allowed = {OTHERWISE[key]}
    elif one.method == "GET" and 200 in allowed:
        allowed = {200}
    return None if found in allowed else (found, allowed)


@pytest.mark.requirement("R32")
def test_the_table_names_every_address_and_no_other():
    names = [pattern.name for pattern in patterns()]
    assert sorted(names) == sorted({name for name, _ in TABLE})


@pytest.mark.slow
@pytest.mark.requirement("R31")
def test_a_role_opens_what_it_grants_where_it_is_held(record, calls):
    asks = [
        (place, roles, allowed, one)
        for key, one in calls.items()
        for place in PLACES
        for roles, allowed in groups(TABLE[key], place)
    ]
    # One other site and one other trial for all: their rows cost more than the users in them.
    where = {place: _where(place, record) for place in PLACES}
    clients = {
        (place, roles): client_of(_with_roles(roles, *where[place]))
        for place, roles in {(place, roles) for place, roles, *_ in asks}
    }
    wrong = {
        (", ".join(sorted(roles)), place, one.name, one.method): found
        for place, roles, allowed, one in asks
        if (found := surprise(clients[place, roles], one, allowed))
    }
    assert not wrong, listing(wrong)


@pytest.mark.requirement("R31")
def test_roles_of_other_days_open_nothing(record, calls):
    """Every role until yesterday and again from tomorrow on."""
    today = timezone.localdate()
    user = _with_roles(Role, record.trial, None, ends_on=today - DAY)
    _with_roles(Role, record.trial, None, starts_on=today + DAY, user=user)
    client = client_of(user)
    wrong = {
        key: found
        for key, one in calls.items()
        if (found := surprise(client, one, TABLE[key].answers(Role.AUDITOR, NOT_NOW)))
    }
    assert not wrong, listing(wrong)


@pytest.mark.requirement("R31")
def test_nobody_gets_nothing_but_the_way_to_the_log_in(calls):
    client = client_of(None)
    found = {key: status(one.by(client)) for key, one in calls.items()}
    expected = {key: 401 for key, need in TABLE.items() if not isinstance(need, Public | Nowhere)}
    assert {key: code for key, code in found.items() if key in expected} == expected


@pytest.mark.requirement("R32")
def test_a_method_that_is_not_listed_is_refused(record):
    client = client_of(records.everyone(record.trial))
    found = {
        (name, method): call(name, method, record).by(client).status_code
        for name in {name for name, _ in TABLE}
        for method in METHODS
        if (name, method) not in TABLE
    }
    wrong = {key: code for key, code in found.items() if code != 405}
    assert not wrong, listing(wrong)


def test_what_is_granted_is_done_unless_a_rule_refuses_it(record, calls):
    """So that "done or refused" above is not satisfied by refusals alone."""
    client, found = client_of(records.everyone(record.trial)), {}
    for key, one in calls.items():
        response = one.by(client)
        if response.status_code not in {200, 201, 204, 302}:
            found[key] = response.status_code
    expected = {key: code for key, code in OTHERWISE.items() if code != 302}
    expected |= UNSEEN_BY_WHO_READS | NOT_BLIND
    expected |= {key: 404 for key, need in TABLE.items() if isinstance(need, Nowhere)}
    assert found == expected, listing(found)


@pytest.mark.requirement("R38")
@pytest.mark.parametrize("role", [Role.READER, Role.ADMINISTRATOR])
def test_no_page_and_no_answer_names_a_patient_to(role, record, calls):
    # Not the object of the record, which other tests go on with.
    with factories.framed():
        Site.objects.filter(pk=record.site.pk).update(name="Canary Hospital")
    client = client_of(holder([role], IN_TRIAL, record))
    names = [record.patient.identifier, "Canary Hospital", record.patient.birth]
    shown = {key: one.by(client) for key, one in calls.items() if key[1] == "GET"}
    leaks = {
        (*key, name)
        for key, response in shown.items()
        for name in names
        if response.status_code == 200 and name in response.content.decode(errors="replace")
    }
    assert leaks == set()
