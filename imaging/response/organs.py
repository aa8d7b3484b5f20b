"""Which organ a region of the body counts as, where a scale takes no more than two of an organ."""

from __future__ import annotations

_BONE = frozenset({"skull", "sacrum_and_pelvis", "ribs_and_sternum"})


def is_node(region: str) -> bool:
    """Whether a region is one of lymph nodes."""
    return region.startswith("nodes_")


def organ_of(region: str) -> str:
    """The organ that a region of the body counts as: lymph nodes and bone are one each.

    >>> organ_of("nodes_iliac_left"), organ_of("lung_right"), organ_of("spine_lumbar")
    ('lymph nodes', 'lung', 'bone')
    """
    if is_node(region):
        return "lymph nodes"
    if region in _BONE or region.startswith(("spine_", "arm_", "leg_")):
        return "bone"
    return region.removesuffix("_left").removesuffix("_right")
