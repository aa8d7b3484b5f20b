"""The vocabulary of evidence: every variable, its kind, units, choices and what belongs to it.

A variable fixes the kind of its value and the units it may come in, so that a number never
stands without its unit. `plausible` bounds what can be true of a living person, not what is
normal; a value outside is kept as its source says, and asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "boolean", "date", "choice", "list", "text"]
Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """Something that belongs to a value: a choice if it has choices, else a number or a text."""

    name: str
    label: str
    choices: Choices = ()
    is_number: bool = False
    # Of a number; without one it is in the unit of the value it belongs to.
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """What may be recorded under a name.

    The first of `units` is the one that others convert to, and that of `plausible`. A "list"
    with `choices` holds codes; one without holds events `{name, started_on, stopped_on,
    radionuclide}` with partial dates, where a missing `stopped_on` means that it goes on. What
    is derived is computed from others and never recorded.
    """

    name: str
    label: str
    kind: Kind
    units: tuple[str, ...] = ()
    choices: Choices = ()
    is_per_scan: bool = False
    is_derived: bool = False
    # The test of a signed read that it tells, see `finding_tests`; recorded by nobody.
    finding: str = ""
    plausible: tuple[float, float] | None = None
    details: tuple[Detail, ...] = ()
    help: str = ""


_REFERENCE = (
    Detail("reference_low", "Lower limit of normal", is_number=True),
    Detail("reference_high", "Upper limit of normal", is_number=True),
)
_CRITERIA_SET = (
    Detail(
        "criteria_set",
        "Measurable by",
        choices=(
            ("RECIST 1.1", "RECIST 1.1"),
            ("Lugano 2014", "Lugano 2014"),
            ("IPCG", "IPCG"),
            ("IMWG", "IMWG"),
            ("other", "Other"),
        ),
    ),
)
_SPECIMEN = Detail(
    "specimen",
    "Specimen",
    choices=(
        ("venous_plasma", "Venous plasma"),
        ("capillary_blood", "Capillary blood"),
        ("serum", "Serum"),
        ("urine", "Urine"),
    ),
)
_POSITIVITY: Choices = (("positive", "Positive"), ("negative", "Negative"))
_HISTORY = "Every one so far, with its dates as far as known; none if there was none."

ALL: tuple[Variable, ...] = (
    Variable(
        "sex_at_birth",
        "Sex at birth",
        "choice",
        choices=(("F", "Female"), ("M", "Male"), ("U", "Unknown")),
    ),
    Variable("birth_date", "Date of birth", "date", help="As far as known: 1961-04 or 1961."),
    Variable(
        "weight",
        "Body weight",
        "number",
        ("kg",),
        plausible=(1, 400),
    ),
    Variable(
        "height",
        "Height",
        "number",
        ("cm",),
        plausible=(30, 250),
    ),
    Variable(
        "egfr",
        "eGFR",
        "number",
        ("mL/min/1.73 m2",),
        help="As the laboratory reports it; without that it is computed from creatinine. A bound "
        "may be entered as reported: >90.",
        plausible=(1, 250),
        details=(Detail("formula", "Formula of the laboratory"),),
    ),
    Variable(
        "creatinine",
        "Serum creatinine",
        "number",
        ("mg/dL", "µmol/L"),
        plausible=(0.1, 30),
        details=_REFERENCE,
    ),
    Variable(
        "creatinine_clearance",
        "Creatinine clearance",
        "number",
        ("mL/min",),
        plausible=(1, 300),
    ),
    Variable(
        "glucose",
        "Plasma glucose",
        "number",
        ("mmol/L", "mg/dL"),
        is_per_scan=True,
        help="Measured before the injection of this scan; give the time.",
        plausible=(0.5, 60),
        details=(
            _SPECIMEN,
            Detail("device", "Device"),
            Detail("fasting", "Fasting", choices=(("yes", "Yes"), ("no", "No"))),
        ),
    ),
    Variable("histology.confirmed", "Histologically confirmed", "boolean"),
    Variable(
        "histology.method",
        "Method of confirmation",
        "choice",
        choices=(
            ("tissue_biopsy", "Tissue biopsy"),
            ("brain_biopsy", "Brain biopsy"),
            ("csf_cytology_flow", "Cytology or flow cytometry of cerebrospinal fluid"),
            ("bone_marrow", "Bone marrow"),
            ("other", "Other"),
        ),
    ),
    Variable(
        "diagnosis.group",
        "Diagnosis group",
        "choice",
        choices=(
            ("NHL", "Non-Hodgkin lymphoma"),
            ("MM", "Multiple myeloma"),
            ("solid_tumor", "Solid tumour"),
            ("CNSL", "CNS lymphoma"),
            ("adrenal", "Adrenal disease"),
            ("other", "Other"),
        ),
    ),
    Variable(
        "diagnosis.code",
        "Diagnosis",
        "choice",
        choices=(
            ("MZL_nodal", "Nodal marginal zone lymphoma"),
            ("MZL_extranodal", "Extranodal marginal zone lymphoma"),
            ("MZL_splenic", "Splenic marginal zone lymphoma"),
            ("PCNSL", "Primary CNS lymphoma"),
            ("SCNSL", "Isolated secondary CNS lymphoma"),
            ("other", "Other"),
        ),
    ),
    Variable("disease.cns_only", "Disease confined to the CNS", "boolean"),
    Variable(
        "lesions.measurable_count",
        "Measurable lesions",
        "number",
        plausible=(0, 1000),
        details=_CRITERIA_SET,
    ),
    Variable(
        "lesions.measurable_parenchymal_count",
        "Measurable parenchymal lesions",
        "number",
        plausible=(0, 1000),
        details=_CRITERIA_SET,
    ),
    Variable(
        "lesions.measurable_ipcg_count",
        "Lesions measurable by IPCG",
        "number",
        plausible=(0, 1000),
    ),
    Variable(
        "adrenal_tumor.count",
        "Adrenal tumours",
        "number",
        plausible=(0, 20),
    ),
    Variable("biochem.hyperaldosteronism", "Raised aldosterone", "boolean"),
    Variable("biochem.hypercortisolism", "Raised cortisol", "boolean"),
    Variable(
        "coenrolled_protocols",
        "Other protocols the patient is enrolled in",
        "list",
        choices=(
            ("19-DK-0066", "19-DK-0066"),
            ("18-CH-0031", "18-CH-0031"),
            ("09-C-0242", "09-C-0242"),
        ),
    ),
    Variable(
        "therapy.anticancer",
        "Anti-cancer therapies",
        "list",
        help=_HISTORY,
    ),
    Variable(
        "therapy.cns_lymphoma",
        "Therapies of the CNS lymphoma other than steroids",
        "list",
        help=_HISTORY,
    ),
    Variable(
        "therapy.planned_induction",
        "Planned induction",
        "choice",
        choices=(
            ("HD_MTX_based", "Based on high-dose methotrexate"),
            ("other", "Other"),
        ),
    ),
    Variable(
        "history.allogeneic_sct",
        "Allogeneic stem cell transplantations",
        "list",
        help="With the date in started_on and stopped_on; none if there was none.",
    ),
    Variable("active_gvhd", "Active graft-versus-host disease", "boolean"),
    Variable("systemic_immunosuppression", "Systemic immunosuppression", "boolean"),
    Variable("pregnant", "Pregnant", "boolean"),
    Variable("breastfeeding", "Breast-feeding", "boolean"),
    Variable(
        "childbearing_potential",
        "Able to bear children",
        "boolean",
        help="Unknown counts as able.",
    ),
    Variable(
        "pregnancy_test",
        "Pregnancy test",
        "choice",
        choices=(("negative", "Negative"), ("positive", "Positive")),
        help="At screening, and before each injection; give the time.",
        details=(
            _SPECIMEN,
            Detail("method", "Method"),
            Detail("sensitivity_iu_l", "Sensitivity (IU/L)", is_number=True, unit="IU/L"),
        ),
    ),
    Variable("contraception", "Highly effective contraception agreed", "boolean"),
    Variable("partner_contraception", "Contraception agreed for the partner", "boolean"),
    Variable("unable_to_tolerate_scan", "Unable to tolerate the scan", "boolean"),
    Variable("claustrophobia", "Claustrophobia that can't be managed", "boolean"),
    Variable(
        "able_to_bear_children",
        "Woman able to bear children",
        "boolean",
        is_derived=True,
        help="From sex at birth, menarche, operations, and 12 months without a period.",
    ),
    Variable("menarche", "Had her first period", "boolean"),
    Variable("amenorrhoea.twelve_months", "No period for 12 months", "boolean"),
    Variable("amenorrhoea.other_cause", "Another cause of having no period", "boolean"),
    Variable("menopause.fsh_confirmed", "Menopause confirmed by FSH", "boolean"),
    Variable("hysterectomy", "Hysterectomy", "boolean"),
    Variable("bilateral_salpingectomy", "Both tubes removed", "boolean"),
    Variable("bilateral_oophorectomy", "Both ovaries removed", "boolean"),
    Variable(
        "tubal_ligation",
        "Tubal ligation",
        "boolean",
        help="Not sterility: a pregnancy test is needed all the same.",
    ),
    Variable("ecog", "ECOG performance status", "number", plausible=(0, 5)),
    Variable("karnofsky", "Karnofsky performance status", "number", plausible=(0, 100)),
    Variable("bmi", "Body mass index", "number", ("kg/m2",), is_derived=True),
    Variable(
        "anc",
        "Absolute neutrophil count",
        "number",
        ("10^9/L",),
        plausible=(0, 500),
        details=_REFERENCE,
    ),
    Variable(
        "platelets", "Platelets", "number", ("10^9/L",), plausible=(0, 5000), details=_REFERENCE
    ),
    Variable(
        "hemoglobin",
        "Haemoglobin",
        "number",
        ("g/dL", "g/L", "mmol/L"),
        plausible=(1, 30),
        details=_REFERENCE,
    ),
    Variable(
        "bilirubin_total",
        "Total bilirubin",
        "number",
        ("mg/dL", "µmol/L"),
        plausible=(0, 100),
        details=_REFERENCE,
    ),
    Variable("gilbert", "Gilbert's syndrome", "boolean"),
    Variable("ast", "AST", "number", ("U/L",), plausible=(0, 50000), details=_REFERENCE),
    Variable("alt", "ALT", "number", ("U/L",), plausible=(0, 50000), details=_REFERENCE),
    Variable(
        "lesions.largest_long_axis",
        "Long axis of the largest lesion",
        "number",
        ("mm", "cm"),
        plausible=(0, 1000),
        details=_CRITERIA_SET,
    ),
    Variable("sbp", "Systolic blood pressure", "number", ("mmHg",), plausible=(20, 350)),
    Variable("dbp", "Diastolic blood pressure", "number", ("mmHg",), plausible=(10, 250)),
    Variable("n_antihypertensives", "Antihypertensive drugs taken", "number", plausible=(0, 20)),
    Variable(
        "aldosterone",
        "Plasma aldosterone",
        "number",
        ("ng/dL", "pmol/L"),
        plausible=(0, 5000),
        details=_REFERENCE,
    ),
    Variable(
        "renin.direct",
        "Direct renin concentration",
        "number",
        ("mU/L",),
        plausible=(0, 10000),
        details=_REFERENCE,
    ),
    Variable(
        "renin.activity",
        "Plasma renin activity",
        "number",
        ("ng/mL/h",),
        plausible=(0, 1000),
        details=_REFERENCE,
    ),
    Variable(
        "arr",
        "Aldosterone-renin ratio",
        "number",
        ("(ng/dL)/(mU/L)", "(ng/dL)/(ng/mL/h)"),
        is_derived=True,
        help="Direct renin is never converted to renin activity.",
    ),
    Variable(
        "ct_dlp",
        "Dose-length product of the CT",
        "number",
        ("mGy·cm",),
        is_per_scan=True,
        plausible=(0, 10000),
        details=(
            Detail(
                "region",
                "Region of the CT",
                choices=(
                    ("trunk", "Trunk"),
                    ("chest", "Chest"),
                    ("abdomen_pelvis", "Abdomen or pelvis"),
                    ("neck", "Neck"),
                    ("head_neck", "Head and neck"),
                    ("head", "Head"),
                ),
            ),
        ),
        help="As the scanner's dose report gives it, one entry for each CT of the scan.",
    ),
    Variable(
        "fasting_hours", "Hours fasted", "number", ("h",), is_per_scan=True, plausible=(0, 100)
    ),
    Variable(
        "allergy.product", "Allergies to the product or its components", "list", help=_HISTORY
    ),
    Variable("therapy.radiotherapy", "Radiotherapies", "list", help=_HISTORY),
    Variable("therapy.antibody", "Antibody therapies", "list", help=_HISTORY),
    Variable("therapy.steroids", "Steroid therapies", "list", help=_HISTORY),
    Variable(
        "radiopharmaceutical.other",
        "Other radiopharmaceuticals",
        "list",
        help="Every one so far, with its date and radionuclide (Lu-177); none if there was none.",
    ),
    Variable("scan.fdg", "FDG PET scans outside the trial", "list", help=_HISTORY),
    Variable("procedure.avs", "Adrenal vein samplings", "list", help=_HISTORY),
    Variable("therapy.induction_start", "Start of induction", "date"),
    Variable("therapy.induction_end", "End of induction", "date"),
    Variable("read.lesion_count", "Lesions by signed read", "number", finding="LESNUM"),
    Variable(
        "read.visual_positivity",
        "Visual positivity by signed read",
        "choice",
        choices=_POSITIVITY,
        finding="VISPOS",
    ),
    Variable(
        "read.computed_positivity",
        "Computed positivity by signed read",
        "choice",
        choices=_POSITIVITY,
        finding="CMPPOS",
    ),
    Variable("read.suvmax", "SUVmax by signed read", "number", ("g/mL",), finding="SUVMAX"),
    Variable("read.suvpeak", "SUVpeak by signed read", "number", ("g/mL",), finding="SUVPEAK"),
    Variable("read.volume", "Lesion volume by signed read", "number", ("mL",), finding="VOLUME"),
    Variable("read.uptake", "Total uptake by signed read", "number", ("g",), finding="UPTAKE"),
    Variable(
        "read.adrenal_side",
        "Side of the adrenals by signed read",
        "choice",
        choices=(("left", "Left"), ("right", "Right"), ("bilateral", "Bilateral")),
        finding="ADRSIDE",
    ),
)
