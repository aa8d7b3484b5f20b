"""The words a reader chooses from: organs of physiological uptake, and regions of the body.

Which organs take a tracer up is a list to choose from, never a reason to leave a region out:
what is excluded, a reader excluded.
"""

from __future__ import annotations

from collections.abc import Sequence

Choices = Sequence[tuple[str, str]]

ORGANS: Choices = (
    ("spleen", "Spleen"),
    ("bone_marrow", "Bone marrow"),
    ("adrenals", "Adrenals"),
    ("kidneys", "Kidneys and ureters"),
    ("bladder", "Bladder"),
    ("waldeyer", "Waldeyer's ring"),
    ("brain", "Brain"),
    ("heart", "Heart"),
    ("bowel", "Bowel"),
    ("liver", "Liver"),
    ("stomach", "Stomach"),
    ("salivary_glands", "Salivary glands"),
    ("thyroid", "Thyroid"),
    ("muscle", "Muscle"),
    ("brown_fat", "Brown fat"),
    ("blood_pool", "Blood pool"),
    ("injection_site", "Injection site"),
    ("other", "Other: inflammation, artefact, …"),
)
_USUAL = {
    "pentixafor": ("spleen", "bone_marrow", "adrenals", "kidneys", "bladder", "waldeyer"),
    "fdg": ("brain", "heart", "kidneys", "bladder", "bowel"),
}

REGIONS: Choices = (
    ("waldeyer", "Waldeyer's ring"),
    ("nodes_cervical_right", "Cervical nodes, right"),
    ("nodes_cervical_left", "Cervical nodes, left"),
    ("nodes_supraclavicular_right", "Supraclavicular nodes, right"),
    ("nodes_supraclavicular_left", "Supraclavicular nodes, left"),
    ("nodes_axillary_right", "Axillary nodes, right"),
    ("nodes_axillary_left", "Axillary nodes, left"),
    ("nodes_mediastinal", "Mediastinal nodes"),
    ("nodes_hilar_right", "Hilar nodes, right"),
    ("nodes_hilar_left", "Hilar nodes, left"),
    ("nodes_paraaortic", "Para-aortic nodes"),
    ("nodes_mesenteric", "Mesenteric nodes"),
    ("nodes_iliac_right", "Iliac nodes, right"),
    ("nodes_iliac_left", "Iliac nodes, left"),
    ("nodes_inguinal_right", "Inguinal nodes, right"),
    ("nodes_inguinal_left", "Inguinal nodes, left"),
    ("nodes_other", "Other nodes"),
    ("brain_right", "Brain, right"),
    ("brain_left", "Brain, left"),
    ("brain_midline", "Brain, midline or both sides"),
    ("orbit_right", "Orbit, right"),
    ("orbit_left", "Orbit, left"),
    ("head_and_neck", "Head and neck, other"),
    ("thyroid", "Thyroid"),
    ("lung_right", "Lung, right"),
    ("lung_left", "Lung, left"),
    ("pleura", "Pleura"),
    ("heart", "Heart and pericardium"),
    ("breast_right", "Breast, right"),
    ("breast_left", "Breast, left"),
    ("oesophagus", "Oesophagus"),
    ("stomach", "Stomach"),
    ("bowel", "Bowel"),
    ("liver", "Liver"),
    ("spleen", "Spleen"),
    ("pancreas", "Pancreas"),
    ("adrenal_right", "Adrenal, right"),
    ("adrenal_left", "Adrenal, left"),
    ("kidney_right", "Kidney, right"),
    ("kidney_left", "Kidney, left"),
    ("peritoneum", "Peritoneum"),
    ("pelvic_organs", "Pelvic organs"),
    ("skull", "Skull"),
    ("spine_cervical", "Spine, cervical"),
    ("spine_thoracic", "Spine, thoracic"),
    ("spine_lumbar", "Spine, lumbar"),
    ("sacrum_and_pelvis", "Sacrum and pelvis"),
    ("ribs_and_sternum", "Ribs, sternum, clavicles, scapulae"),
    ("arm_right", "Arm bones, right"),
    ("arm_left", "Arm bones, left"),
    ("leg_right", "Leg bones, right"),
    ("leg_left", "Leg bones, left"),
    ("soft_tissue", "Muscle and soft tissue"),
    ("skin", "Skin"),
    ("other", "Elsewhere"),
)


def organs_for(tracer: str) -> Choices:
    """All organs, those that usually take this tracer up first.

    >>> [code for code, _ in organs_for("18F-FDG")][:2]
    ['brain', 'heart']
    >>> len(organs_for("68Ga-Pentixafor")) == len(ORGANS)
    True
    """
    usual = usual_organs(tracer)
    return sorted(ORGANS, key=lambda one: usual.index(one[0]) if one[0] in usual else len(usual))


def usual_organs(tracer: str) -> tuple[str, ...]:
    """The organs that usually take a tracer up, by its name; none where it is not known.

    >>> usual_organs("[68Ga]Ga-Pentixafor")[:3], usual_organs("11C-X")
    (('spleen', 'bone_marrow', 'adrenals'), ())
    """
    name = tracer.lower()
    return next((organs for known, organs in _USUAL.items() if known in name), ())
