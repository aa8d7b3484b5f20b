"""What readers choose from, as codes of DICOM objects: organs, regions of the body, a judgement.

SNOMED CT where PS3.16 has the very thing; else a code of our own with the words of the list, so
that no place is made larger or smaller than the reader said.
"""

from __future__ import annotations

from pydicom.sr.codedict import Code, codes

from imaging.reading_terms import ORGANS, REGIONS

OURS = "99TRIALTRACE"

_SIDES = {"right": codes.SCT.Right, "left": codes.SCT.Left}
_PLACES = {
    "adrenal": codes.SCT.AdrenalGland,
    "adrenals": codes.SCT.AdrenalGland,
    "bladder": codes.SCT.Bladder,
    "bone_marrow": codes.SCT.BoneMarrow,
    "brain": codes.SCT.Brain,
    "breast": codes.SCT.Breast,
    "head_and_neck": codes.SCT.HeadAndNeck,
    "kidney": codes.SCT.Kidney,
    "liver": codes.SCT.Liver,
    "lung": codes.SCT.Lung,
    "muscle": codes.SCT.SkeletalMuscle,
    "nodes_axillary": codes.SCT.AxillaryLymphNode,
    "nodes_cervical": codes.SCT.CervicalLymphNode,
    "nodes_hilar": codes.SCT.HilarLymphNode,
    "nodes_iliac": codes.SCT.IliacLymphNode,
    "nodes_inguinal": codes.SCT.InguinalLymphNode,
    "nodes_mediastinal": codes.SCT.MediastinalLymphNode,
    "nodes_other": codes.SCT.LymphNode,
    "nodes_supraclavicular": codes.SCT.SupraclavicularLymphNode,
    "oesophagus": codes.SCT.Esophagus,
    "orbit": codes.SCT.Orbit,
    "pancreas": codes.SCT.Pancreas,
    "pleura": codes.SCT.Pleura,
    "salivary_glands": codes.SCT.SalivaryGland,
    "skin": codes.SCT.Skin,
    "skull": codes.SCT.Skull,
    "spine_cervical": codes.SCT.CervicalSpine,
    "spine_lumbar": codes.SCT.LumbarSpine,
    "spine_thoracic": codes.SCT.ThoracicSpine,
    "spleen": codes.SCT.Spleen,
    "stomach": codes.SCT.Stomach,
    "thyroid": codes.SCT.Thyroid,
}

VISUAL_POSITIVITY = Code("VISPOS", OURS, "Uptake above the reference region, by eye")
JUDGEMENTS = {"positive": codes.SCT.Positive, "negative": codes.SCT.Negative}
EXCLUDED = Code("EXCLUDED", OURS, "Region that a reader excluded: no lesion")


def region_site(region: str) -> tuple[Code, Code | None]:
    """Where a lesion lies, and on which side, of `reading_terms.REGIONS`.

    >>> place, side = region_site("nodes_hilar_left")
    >>> place.meaning, side.meaning
    ('hilar lymph node', 'Left')
    >>> region_site("ribs_and_sternum")[0].scheme_designator
    '99TRIALTRACE'
    """
    base, _, side = region.rpartition("_")
    if side in _SIDES and base in _PLACES:
        return _PLACES[base], _SIDES[side]
    return _PLACES.get(region, _own(region, dict(REGIONS))), None


def organ_site(organ: str) -> Code:
    """The organ of physiological uptake, of `reading_terms.ORGANS`.

    >>> organ_site("spleen").value, organ_site("waldeyer").meaning
    ('78961009', "Waldeyer's ring")
    """
    return _PLACES.get(organ, _own(organ, dict(ORGANS)))


def _own(term: str, words: dict[str, str]) -> Code:
    """A code of at most 16 characters (SH); the meaning has the words of the list."""
    return Code(term.upper().replace("_", "-")[:16], OURS, words[term][:64])
