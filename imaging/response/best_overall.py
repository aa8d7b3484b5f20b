"""Best overall response by RECIST 1.1 from the responses of a patient's scans in their order.

    CR, PR   confirmed by another at least so many days later, where the protocol asks for it
    SD       what lasts so many days from baseline, an unconfirmed response too
    PD       else, once there is progression; nothing after it counts
    NE       else

The mistake to fear is a response that the next scan did not confirm, or a stable disease of a scan
made too early to say so.

References
----------
Eisenhauer et al., Eur J Cancer 2009;45:228: 4.4, table 3. How scans between two are counted is as
in admiral (pharmaverse), `derive_param_confirmed_bor`.
"""

from __future__ import annotations

from collections.abc import Sequence

from imaging.response.terms import Category

# Days after baseline, and the response.
Timepoint = tuple[int, Category]

# What confirms a response, and what may lie between the two.
_CONFIRMS: dict[Category, frozenset[Category]] = {
    "CR": frozenset({"CR"}),
    "PR": frozenset({"CR", "PR"}),
}
_STABLE: tuple[Category, ...] = ("CR", "PR", "SD")


def best_overall(
    timepoints: Sequence[Timepoint], *, confirmation_days: int, stable_days: int
) -> Category:
    """The best of the responses so far.

    Parameters
    ----------
    timepoints : sequence of (int, Category)
        In order of time: days after baseline, response.
    confirmation_days : int
        The least from a response to the scan that confirms it; 0 asks for none.
    stable_days : int
        The least from baseline to a scan that says stable.

    Examples
    --------
    >>> best_overall([(42, "PR"), (84, "PR")], confirmation_days=28, stable_days=42)
    'PR'
    >>> best_overall([(42, "PR"), (84, "PD")], confirmation_days=28, stable_days=42)
    'SD'
    """
    seen = _until_progression(timepoints)
    for response in _CONFIRMS:
        if any(
            said == response and _is_confirmed(i, seen, confirmation_days)
            for i, (_, said) in enumerate(seen)
        ):
            return response
    lasting = {said for day, said in seen if day >= stable_days}
    if lasting & set(_STABLE):
        return "SD"
    if "NON-CR/NON-PD" in lasting:
        return "NON-CR/NON-PD"
    return "PD" if any(said == "PD" for _, said in seen) else "NE"


def _until_progression(timepoints: Sequence[Timepoint]) -> list[Timepoint]:
    """All up to the first progression and that one."""
    ends = [i for i, (_, said) in enumerate(timepoints) if said == "PD"]
    return list(timepoints[: ends[0] + 1] if ends else timepoints)


def _is_confirmed(index: int, seen: Sequence[Timepoint], days: int) -> bool:
    """Whether the response at `index` needs no confirmation, or has it with nothing between."""
    if days == 0:
        return True
    day, response = seen[index]
    for later, said in seen[index + 1 :]:
        if said in _CONFIRMS[response] and later - day >= days:
            return True
        if said not in _CONFIRMS[response] | {"NE"}:
            return False
    return False
