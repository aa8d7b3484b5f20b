"""Words of the record in CDISC's terminology of 2025-03-28: units, tests, places, countries.

What a list lacks is a term of ours where the list may be extended, and named in define.xml;
where it may not, the caller refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reporting.sdtm.model import MappingError

GUIDE = "3.4"
TERMINOLOGY = "2025-03-28"

# UCUM, as the record has it, to the submission values of UNIT (C71620). g/mL is but a synonym of
# kg/L there, cm3 of mL, h of HOURS; pg/mL and ng/L are one unit, and so are mIU/mL and IU/L.
UNITS: Mapping[str, str] = MappingProxyType(
    {
        "": "",
        "1": "RATIO",
        "%": "%",
        "g/mL": "kg/L",
        "mL": "mL",
        "cm3": "mL",
        "g": "g",
        "mm": "mm",
        "cm": "cm",
        "kg": "kg",
        "kg/m2": "kg/m2",
        "MBq": "MBq",
        "mg/dL": "mg/dL",
        "g/dL": "g/dL",
        "g/L": "g/L",
        "µmol/L": "umol/L",
        "mmol/L": "mmol/L",
        "nmol/L": "nmol/L",
        "pmol/L": "pmol/L",
        "ng/dL": "ng/dL",
        "µg/dL": "ug/dL",
        "ug/dL": "ug/dL",
        "ng/L": "ng/L",
        "pg/mL": "ng/L",
        "ng/mL/h": "ug/L/h",
        "mIU/L": "mIU/L",
        "mIU/mL": "IU/L",
        "mU/L": "mU/L",
        "IU/L": "IU/L",
        "U/L": "U/L",
        "mL/min": "mL/min",
        "mL/min/1.73 m2": "mL/min/1.73 m2",
        "mL/min/1.73m2": "mL/min/1.73 m2",
        "10^9/L": "10^9/L",
        "10*9/L": "10^9/L",
        "h": "HOURS",
        "min": "min",
        "days": "DAYS",
        "months": "MONTHS",
        "years": "YEARS",
        "mmHg": "mmHg",
        "/min": "/min",
        "mSv": "mSv",
    }
)
# Rates have units of their own in VSRESU (C66770).
VITAL_UNITS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("HR", "/min"): "beats/min",
        ("PULSE", "/min"): "beats/min",
        ("RESP", "/min"): "breaths/min",
    }
)

# The evidence that a test of CDISC stands for: domain, code, name, and the category if it has one.
Test = tuple[str, str, str, str]
EVIDENCE: Mapping[str, Test] = MappingProxyType(
    {
        "weight": ("VS", "WEIGHT", "Weight", ""),
        "height": ("VS", "HEIGHT", "Height", ""),
        "bmi": ("VS", "BMI", "Body Mass Index", ""),
        "sbp": ("VS", "SYSBP", "Systolic Blood Pressure", ""),
        "dbp": ("VS", "DIABP", "Diastolic Blood Pressure", ""),
        "creatinine": ("LB", "CREAT", "Creatinine", "CHEMISTRY"),
        "egfr": ("LB", "GFRE", "Glomerular Filtration Rate, Estimated", "CHEMISTRY"),
        "creatinine_clearance": ("LB", "CREATCLR", "Creatinine Clearance", "CHEMISTRY"),
        "glucose": ("LB", "GLUC", "Glucose", "CHEMISTRY"),
        "bilirubin_total": ("LB", "BILI", "Bilirubin", "CHEMISTRY"),
        "ast": ("LB", "AST", "Aspartate Aminotransferase", "CHEMISTRY"),
        "alt": ("LB", "ALT", "Alanine Aminotransferase", "CHEMISTRY"),
        "aldosterone": ("LB", "ALDSTRN", "Aldosterone", "CHEMISTRY"),
        "renin.direct": ("LB", "RENIN", "Renin", "CHEMISTRY"),
        "renin.activity": ("LB", "RENINA", "Renin Activity", "CHEMISTRY"),
        "pregnancy_test": ("LB", "HCG", "Choriogonadotropin Beta", "CHEMISTRY"),
        "anc": ("LB", "NEUT", "Neutrophils", "HEMATOLOGY"),
        "platelets": ("LB", "PLAT", "Platelets", "HEMATOLOGY"),
        "hemoglobin": ("LB", "HGB", "Hemoglobin", "HEMATOLOGY"),
        "pregnant": ("RP", "PREGIND", "Pregnant Indicator", ""),
        "childbearing_potential": ("RP", "CHILDPOT", "Childbearing Potential", ""),
        "able_to_bear_children": ("RP", "CHILDPOT", "Childbearing Potential", ""),
        "ecog": ("RS", "ECOG101", "ECOG1-Performance Status", "ECOG"),
        "karnofsky": ("RS", "KPSS0101", "KPSS01-Karnofsky Performance Status", "KPS SCALE"),
    }
)
# Lists of events with their dates: the domain, and the category there.
EVENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "therapy.anticancer": ("CM", "PRIOR ANTI-CANCER THERAPY"),
        "therapy.cns_lymphoma": ("CM", "PRIOR CNS LYMPHOMA THERAPY"),
        "therapy.antibody": ("CM", "PRIOR ANTIBODY THERAPY"),
        "therapy.steroids": ("CM", "STEROIDS"),
        "radiopharmaceutical.other": ("CM", "OTHER RADIOPHARMACEUTICALS"),
        "therapy.radiotherapy": ("PR", "PRIOR RADIOTHERAPY"),
        "history.allogeneic_sct": ("PR", "PRIOR STEM CELL TRANSPLANT"),
        "scan.fdg": ("PR", "PRIOR FDG PET"),
        "procedure.avs": ("PR", "ADRENAL VEIN SAMPLING"),
        "allergy.product": ("MH", "ALLERGY"),
    }
)

# Names of tests by domain and code, of what forms target; a code of ours says it is.
TESTS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{(one[0], one[1]): one[2] for one in EVIDENCE.values()},
        ("VS", "HR"): "Heart Rate",
        ("VS", "PULSE"): "Pulse Rate",
        ("VS", "RESP"): "Respiratory Rate",
        ("VS", "TEMP"): "Temperature",
        ("LB", "CORTISOL"): "Cortisol",
        ("RP", "BCMETHOD"): "Birth Control Method",
        ("RP", "LMPSTDTC"): "Last Menstrual Period Start Date",
        ("RP", "EDLVRDTC"): "Estimated Date of Delivery",
        ("RP", "PRGOUT"): "Pregnancy Outcome",
        ("TR", "SUVMAX"): "Standardized Uptake Value Maximum",
        ("TR", "SUVMEAN"): "Standardized Uptake Value Mean",
        ("TR", "SUVPEAK"): "Standardized Uptake Value Peak",
        ("TR", "VOLUME"): "Volume",
        ("TR", "SUMVOL"): "Sum of Volume",
        ("TR", "LDIAM"): "Longest Diameter",
        ("TR", "TUMSTATE"): "Tumor State",
        ("TU", "TUMIDENT"): "Tumor Identification",
        ("RS", "METBRESP"): "Metabolic Response",
        ("RS", "OVRLRESP"): "Overall Response",
        ("RS", "BESTRESP"): "Best Overall Response",
        ("SC", "SEXABRTH"): "Sex Assigned at Birth",
        # Of ours: the terminology has none.
        ("TR", "TLG"): "Total Lesion Glycolysis",
        ("TR", "TLU"): "Total Lesion Uptake",
        ("TR", "SUMTLU"): "Sum of Total Lesion Uptake",
        ("TR", "TBRMAX"): "Tumor-to-Background Ratio, SUVmax",
        ("TR", "TBRPEAK"): "Tumor-to-Background Ratio, SUVpeak",
        ("TR", "TBRMEAN"): "Tumor-to-Background Ratio, SUVmean",
        ("TR", "SUVSD"): "SUV Standard Deviation",
        ("TR", "SUVCV"): "SUV Coefficient of Variation",
        ("TR", "LESNUM"): "Number of Lesions",
        ("TR", "DMAX"): "Largest Distance Between Two Lesions",
        ("TR", "VISPOS"): "Visual Positivity",
        ("TR", "CMPPOS"): "Computed Positivity",
        ("TR", "POSTHR"): "Threshold of Computed Positivity",
        ("TR", "ADRMAXL"): "SUVmax of Left Adrenal",
        ("TR", "ADRMAXR"): "SUVmax of Right Adrenal",
        ("TR", "ADRLIVL"): "Left Adrenal to Liver Ratio",
        ("TR", "ADRLIVR"): "Right Adrenal to Liver Ratio",
        ("TR", "ADRRATIO"): "Dominant to Contralateral Adrenal Ratio",
        ("TR", "ADRINDEX"): "Left/Right Index of the Adrenals",
        ("TR", "ADRSIDE"): "Side of the Adrenals by PET",
        ("RS", "TRUTH"): "Truth by the Panel",
        ("RS", "STAGE"): "Stage of the Disease",
        ("RS", "PASOCLIN"): "PASO Clinical Outcome",
        ("RS", "PASOBIOC"): "PASO Biochemical Outcome",
        ("MI", "HISTRES"): "Histology Result",
    }
)

# Codes of a form's target that are no terms, and the terms that say the same.
TEST_SYNONYMS: Mapping[tuple[str, str], str] = MappingProxyType(
    {("RP", "LMPDTC"): "LMPSTDTC", ("RP", "PREGOUT"): "PRGOUT"}
)

# Place and side in LOC (C74456) and LAT (C99073); what the list lacks is a term of ours.
PLACES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "blood_pool": ("AORTA", ""),
        "liver": ("LIVER", ""),
        "spleen": ("SPLEEN", ""),
        "bone_marrow": ("BONE MARROW", ""),
        "muscle": ("GLUTEAL MUSCLE", ""),
        "kidney_left": ("KIDNEY", "LEFT"),
        "kidney_right": ("KIDNEY", "RIGHT"),
        "adrenal_left": ("ADRENAL GLAND", "LEFT"),
        "adrenal_right": ("ADRENAL GLAND", "RIGHT"),
        "contralateral_brain": ("BRAIN", "CONTRALATERAL"),
        "waldeyer": ("WALDEYER'S RING", ""),
        "nodes_cervical_right": ("CERVICAL LYMPH NODE", "RIGHT"),
        "nodes_cervical_left": ("CERVICAL LYMPH NODE", "LEFT"),
        "nodes_supraclavicular_right": ("SUPRACLAVICULAR LYMPH NODE", "RIGHT"),
        "nodes_supraclavicular_left": ("SUPRACLAVICULAR LYMPH NODE", "LEFT"),
        "nodes_axillary_right": ("AXILLARY LYMPH NODE", "RIGHT"),
        "nodes_axillary_left": ("AXILLARY LYMPH NODE", "LEFT"),
        "nodes_mediastinal": ("MEDIASTINAL LYMPH NODE", ""),
        "nodes_hilar_right": ("HILAR LYMPH NODE", "RIGHT"),
        "nodes_hilar_left": ("HILAR LYMPH NODE", "LEFT"),
        "nodes_paraaortic": ("PARA-AORTIC LYMPH NODE", ""),
        "nodes_mesenteric": ("MESENTERIC LYMPH NODE", ""),
        "nodes_iliac_right": ("ILIAC LYMPH NODE", "RIGHT"),
        "nodes_iliac_left": ("ILIAC LYMPH NODE", "LEFT"),
        "nodes_inguinal_right": ("INGUINAL LYMPH NODE", "RIGHT"),
        "nodes_inguinal_left": ("INGUINAL LYMPH NODE", "LEFT"),
        "nodes_other": ("LYMPH NODE", ""),
        "brain_right": ("BRAIN", "RIGHT"),
        "brain_left": ("BRAIN", "LEFT"),
        "brain_midline": ("BRAIN", "BILATERAL"),
        "orbit_right": ("ORBIT", "RIGHT"),
        "orbit_left": ("ORBIT", "LEFT"),
        "head_and_neck": ("HEAD AND NECK", ""),
        "thyroid": ("THYROID GLAND", ""),
        "lung_right": ("LUNG", "RIGHT"),
        "lung_left": ("LUNG", "LEFT"),
        "pleura": ("PLEURA", ""),
        "heart": ("HEART", ""),
        "breast_right": ("BREAST", "RIGHT"),
        "breast_left": ("BREAST", "LEFT"),
        "oesophagus": ("ESOPHAGUS", ""),
        "stomach": ("STOMACH", ""),
        "bowel": ("INTESTINE", ""),
        "pancreas": ("PANCREAS", ""),
        "peritoneum": ("PERITONEUM", ""),
        "pelvic_organs": ("PELVIS", ""),
        "skull": ("SKULL", ""),
        "spine_cervical": ("CERVICAL VERTEBRA", ""),
        "spine_thoracic": ("THORACIC VERTEBRA", ""),
        "spine_lumbar": ("LUMBAR VERTEBRA", ""),
        "sacrum_and_pelvis": ("SACRUM AND PELVIC BONES", ""),
        "ribs_and_sternum": ("RIBS AND STERNUM", ""),
        "arm_right": ("ARM", "RIGHT"),
        "arm_left": ("ARM", "LEFT"),
        "leg_right": ("LEG", "RIGHT"),
        "leg_left": ("LEG", "LEFT"),
        "soft_tissue": ("SOFT TISSUE", ""),
        "skin": ("SKIN", ""),
        "other": ("OTHER", ""),
    }
)

SPECIMENS: Mapping[str, str] = MappingProxyType(
    {
        "venous_plasma": "VENOUS PLASMA",
        "capillary_blood": "CAPILLARY BLOOD",
        "serum": "SERUM",
        "urine": "URINE",
    }
)

# Of the IANA zones in which sites of trials lie, by ISO 3166-1 alpha-3.
_ZONES = {
    "ARG": "America/Argentina/Buenos_Aires America/Buenos_Aires",
    "AUS": "Australia/Adelaide Australia/Brisbane Australia/Darwin Australia/Hobart "
    "Australia/Melbourne Australia/Perth Australia/Sydney",
    "AUT": "Europe/Vienna",
    "BEL": "Europe/Brussels",
    "BGR": "Europe/Sofia",
    "BRA": "America/Sao_Paulo America/Fortaleza America/Recife America/Bahia America/Manaus",
    "CAN": "America/Toronto America/Vancouver America/Edmonton America/Winnipeg America/Halifax "
    "America/Montreal America/Regina America/St_Johns",
    "CHE": "Europe/Zurich",
    "CHL": "America/Santiago",
    "CHN": "Asia/Shanghai Asia/Urumqi",
    "COL": "America/Bogota",
    "CZE": "Europe/Prague",
    "DEU": "Europe/Berlin Europe/Busingen",
    "DNK": "Europe/Copenhagen",
    "EGY": "Africa/Cairo",
    "ESP": "Europe/Madrid Atlantic/Canary Africa/Ceuta",
    "EST": "Europe/Tallinn",
    "FIN": "Europe/Helsinki",
    "FRA": "Europe/Paris",
    "GBR": "Europe/London",
    "GRC": "Europe/Athens",
    "HKG": "Asia/Hong_Kong",
    "HRV": "Europe/Zagreb",
    "HUN": "Europe/Budapest",
    "IDN": "Asia/Jakarta Asia/Makassar",
    "IND": "Asia/Kolkata Asia/Calcutta",
    "IRL": "Europe/Dublin",
    "ISL": "Atlantic/Reykjavik",
    "ISR": "Asia/Jerusalem",
    "ITA": "Europe/Rome",
    "JPN": "Asia/Tokyo",
    "KOR": "Asia/Seoul",
    "LTU": "Europe/Vilnius",
    "LUX": "Europe/Luxembourg",
    "LVA": "Europe/Riga",
    "MEX": "America/Mexico_City America/Monterrey America/Tijuana",
    "MYS": "Asia/Kuala_Lumpur",
    "NLD": "Europe/Amsterdam",
    "NOR": "Europe/Oslo",
    "NZL": "Pacific/Auckland",
    "PER": "America/Lima",
    "POL": "Europe/Warsaw",
    "PRT": "Europe/Lisbon Atlantic/Azores Atlantic/Madeira",
    "ROU": "Europe/Bucharest",
    "SAU": "Asia/Riyadh",
    "SGP": "Asia/Singapore",
    "SRB": "Europe/Belgrade",
    "SVK": "Europe/Bratislava",
    "SVN": "Europe/Ljubljana",
    "SWE": "Europe/Stockholm",
    "THA": "Asia/Bangkok",
    "TUR": "Europe/Istanbul",
    "TWN": "Asia/Taipei",
    "UKR": "Europe/Kyiv Europe/Kiev",
    "USA": "America/New_York America/Chicago America/Denver America/Los_Angeles America/Phoenix "
    "America/Detroit America/Anchorage America/Boise America/Indiana/Indianapolis Pacific/Honolulu",
    "VNM": "Asia/Ho_Chi_Minh",
    "ZAF": "Africa/Johannesburg",
}
COUNTRIES: Mapping[str, str] = MappingProxyType(
    {zone: country for country, zones in _ZONES.items() for zone in zones.split()}
)


def unit(of: str | None, *, where: str, test: str = "") -> str:
    """The submission value of a unit.

    >>> unit("g/mL", where="TR"), unit("/min", where="VS", test="HR")
    ('kg/L', 'beats/min')
    """
    known = of or ""
    if where == "VS" and (test, known) in VITAL_UNITS:
        return VITAL_UNITS[test, known]
    if known not in UNITS:
        raise MappingError(
            f"{where}: the unit {known!r} has no submission value in reporting/sdtm/terms.py"
        )
    return UNITS[known]


def place(region: str | None) -> tuple[str, str]:
    """Location and side of a region of the body or of reference; of none, neither.

    >>> place("nodes_iliac_left"), place(None)
    (('ILIAC LYMPH NODE', 'LEFT'), ('', ''))
    """
    if not region:
        return "", ""
    if region not in PLACES:
        raise MappingError(f"TULOC: the region {region!r} has no term in reporting/sdtm/terms.py")
    return PLACES[region]


def country(site: str, zone: str) -> str:
    """The country of a site, which the record knows by its time zone alone.

    >>> country("101", "Europe/Berlin")
    'DEU'
    """
    if zone not in COUNTRIES:
        raise MappingError(
            f"DM.COUNTRY of site {site}: no country follows from its time zone {zone}. Correct the "
            "time zone of the site"
        )
    return COUNTRIES[zone]


def test_name(domain: str, code: str, label: str) -> str:
    """The name of a test; of one that only the definition knows its label, in 40 characters."""
    return TESTS.get((domain, code), label[:40])
