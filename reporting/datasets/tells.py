"""What each column can tell about a blinding: declared here, or it leaves under none.

A tag stands where the cell, alone or beside the dates of the scans, tells it: of a concealed
cross-over the activity, the half-life and the limits of a scan name its tracer as its label does.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Tag(StrEnum):
    """What a column can tell who has to stay blind."""

    ARM = "arm"
    TRACER = "tracer_identity"
    REFERENCE = "reference_standard"
    OTHER_MODALITY = "other_modality"
    READER = "reader_id"
    FREE_TEXT = "free_text"
    # Leaves in no export, and no column has it; who adds one finds it left out.
    PERSON = "direct_identifier"


Tells = Mapping[str, frozenset[Tag]]
NOTHING: frozenset[Tag] = frozenset()
# Of every dataset: trial, patient, site, and the row of the record.
IN_ALL = "trial usubjid site patient record_table record_pk"

# By dataset: tags, separated by blanks, and the columns that have them.
_DECLARED: dict[str, dict[str, str]] = {
    "patients": {
        "": "screening_number state sex_at_birth birth_year age_at_consent consented_at "
        "registered_at site_time_zone enrolled_at is_enrolled_despite_criteria cohort "
        "screen_failure withdrawal_extent",
    },
    "consents": {
        "": "consent version language signed_at signatory copy_given withdrawn_at recorded_at",
    },
    "evidence": {
        "": "evidence variable cdisc_code value_number unit reference_low reference_high specimen "
        "fasting criteria_set sensitivity_iu_l region observed_at is_study_specific recorded_at",
        # What is measured before a scan, as glucose is, names its tracer.
        "tracer_identity": "scan",
        "free_text": "value formula device method",
    },
    "eligibility": {
        "": "assessment gate protocol_version assessed_at verdict criterion category text outcome "
        "word answer is_provisional evidence software_version",
        "tracer_identity": "scan",
    },
    "allocations": {
        "": "allocation protocol_version stratum stratum_evidence misstratified allocated_at "
        "is_unblinded",
        "arm": "sequence periods",
    },
    "scans": {
        "": "scan state planned_at assayed_at residual_at injected_at extravasation weight_kg "
        "height_cm",
        "free_text": "body_site given_despite comment",
        "arm tracer_identity": "planned_scan label tracer radionuclide half_life_s route batch_id "
        "batch_number "
        "assayed_activity_mbq residual_activity_mbq net_activity_mbq uptake_minutes "
        "uptake_low_minutes uptake_high_minutes activity_low_mbq activity_high_mbq",
    },
    "effective_dose": {
        "": "scan ct_count ct_msv dlp proposed_dlp proposed_dlp_basis",
        "arm tracer_identity": "tracer net_activity_mbq is_upper_bound coefficient "
        "is_coefficient_proposed tracer_msv total_msv gaps",
    },
    # That a scan is a retest at all says that it is with the tracer of another.
    "retests": {
        "": "retest",
        "arm tracer_identity": "first_scan second_scan first_planned second_planned tracer "
        "is_comparable refusals cautions interval_hours interval_minimum interval_maximum "
        "uptake_difference_minutes uptake_difference_limit_minutes activity_difference "
        "activity_difference_limit first_reconstruction second_reconstruction compared organs "
        "record_pk",
    },
    "series": {
        "": "scan series modality counts_for_scan state code run status flags suvbw_factor_unit "
        "suvmax minimum_volume_ml input_sha256 software_version computed_at scanner_manufacturer "
        "scanner_model",
        "arm tracer_identity": "suvbw_factor uptake_minutes segmentation_method threshold_suv",
    },
    "conformance": {
        "": "scan series finding rule severity population is_let_pass found_at",
    },
    "lesions": {
        "": "scan series lesion number suvmax suvmax_derivation suvmean suvmean_derivation suvpeak "
        "suvpeak_derivation suvpeak_definition volume_ml volume_ml_derivation total_uptake "
        "total_uptake_derivation voxel_count suvmax_plane suvmax_row suvmax_column centroid_x_mm "
        "centroid_y_mm centroid_z_mm has_partial_volume extent_planes_mm extent_rows_mm "
        "extent_columns_mm peak_leaves_image peak_voxels peak_is_coarse computed_positivity "
        "drawing region_number region_label",
        "arm tracer_identity": "positivity_threshold",
    },
    "regions": {
        "": "scan series region region_kind region_status mirrors_lesion mirror_correlation "
        "suvmean suv_sd cv suvmax suvpeak suvpeak_definition voxel_count radius_mm centre_x_mm "
        "centre_y_mm centre_z_mm",
    },
    "organs": {
        "": "scan series region region_kind region_status suvmean suvmax suvpeak "
        "suvpeak_definition volume_ml run",
        "arm tracer_identity": "planned_scan tracer uptake_minutes net_activity_mbq",
    },
    "ratios": {
        "": "scan series lesion region region_kind region_status tbr tbr_derivation tbr_peak "
        "tbr_peak_derivation tbr_mean tbr_mean_derivation",
    },
    "grown_ratios": {
        "": "scan series read is_accepted lesion_number region_kind tbr tbr_derivation tbr_peak "
        "tbr_peak_derivation tbr_mean tbr_mean_derivation",
        "reader_id": "reader",
    },
    # The first is the scan that the protocol plans first.
    "comparisons": {
        "": "comparison kind signed_at",
        "reader_id": "reader",
        "arm tracer_identity other_modality": "first_scan first_tracer second_scan second_tracer",
    },
    "pairs": {
        "": "comparison pair kind",
        "reader_id": "reader",
        "arm tracer_identity other_modality": "first_scan first_tracer second_scan second_tracer",
        "other_modality": "first_lesion first_parts first_positivity first_suvmax second_lesion "
        "second_parts second_positivity second_suvmax outcome matched_by shared_ml dice "
        "distance_mm body_region",
    },
    "findings": {
        "": "scan finding read role is_accepted lesion_number location test value_number "
        "value_text unit method run software_version found_at",
        "reader_id": "reader",
    },
    "reader_agreement": {
        "": "scan agreement question subject first_read first_answer second_read second_answer "
        "is_comparable is_discordant is_asked compared_at",
        "reader_id": "first_reader second_reader",
    },
    "recist_lesions": {
        "": "scan read lesion kind region state diameter_mm diameter_mm_derivation",
        "reader_id": "reader",
    },
    "responses": {
        "": "scan baseline_scan evaluation is_accepted not_counting_because read baseline_read "
        "category best change_percent change_percent_derivation flags inputs_sha256 "
        "software_version evaluated_at",
        "reader_id": "reader",
        # A rule is of the tracers it is written for; the words and numbers name them.
        "arm tracer_identity": "rule criterion why numbers",
    },
    "deviations": {
        "": "deviation rule state is_important occurred_at recorded_at about_table about_pk",
        "reference_standard free_text": "text values",
    },
    "queries": {
        "": "query rule state opened_at message_count about_table about_pk",
    },
    "batches": {
        "": "batch_id calibrated_at expires_at released_at",
        "arm tracer_identity": "tracer number calibration_activity_mbq volume_ml "
        "substance_mass_ug radiochemical_purity_percent ph germanium_breakthrough_percent",
        "free_text": "certificate",
    },
    "tracer_movements": {
        "": "movement kind doses happened_at",
        "arm tracer_identity": "tracer batch activity_mbq",
        "free_text": "reference undone_because",
    },
    "accountability_reviews": {
        "": "review reviewed_at sha256",
        "arm tracer_identity": "tracer received dispensed on_hand injections movement_count",
        "free_text": "remark",
    },
    "monitoring_visits": {
        "": "visit kind held_on version recorded_at",
        "free_text": "findings",
    },
    "action_items": {
        "": "visit number due_on state raised_at",
        "free_text": "text",
    },
    # The plan of the trial: nothing of a patient.
    "hypotheses": {
        "": "number hypothesis label objective kind measure level first_planned second_planned "
        "first_label second_label margin alpha variant population order is_proposed version",
    },
    "populations": {
        "": "population population_label level planned_scan in_population proposed decided "
        "conditions is_rule_proposed review review_standing signed_by signed_at",
        "free_text": "why changed_since",
    },
}


def _tells(groups: Mapping[str, str]) -> Tells:
    found = dict.fromkeys(IN_ALL.split(), NOTHING)
    for tags, columns in groups.items():
        found |= dict.fromkeys(columns.split(), frozenset(map(Tag, tags.split())))
    return MappingProxyType(found)


TELLS: Mapping[str, Tells] = MappingProxyType(
    {name: _tells(groups) for name, groups in _DECLARED.items()}
)
