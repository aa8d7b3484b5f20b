"""When a lesion is positive by computation, as a trial file states it: one rule for all tracers.

The mistake to fear is "above the mean", which is positive nearly everywhere in a noisy 68Ga image:
so a rule has its standard deviations, and none is a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trials.segmentation_methods import named

STATISTICS = {"suvmax": "SUVmax", "suvpeak": "SUVpeak"}


def words(rule: Mapping[str, Any]) -> str:
    """The rule as a reader says it.

    >>> words({"region": "blood_pool", "times_mean": 1.5, "times_sd": 2.0, "on": "suvpeak"})
    'SUVpeak above 1.5 × mean + 2 × SD of the blood pool'
    """
    terms = [f"{rule['times_mean']:g} × mean"] * bool(rule["times_mean"])
    terms += [f"{rule['times_sd']:g} × SD"] * bool(rule["times_sd"])
    return f"{STATISTICS[rule['on']]} above {' + '.join(terms)} of the {named(rule['region'])}"
