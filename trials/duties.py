"""Which duties may be delegated to whom: the delegation log's own table.

A role says what the software lets a person do; a duty says that the principal investigator
answers for it (ICH E6(R3) 2.3). Both are needed, and neither stands in for the other.
"""

from __future__ import annotations

from trials.roles import Role

CONSENT, ASSESS, SIGN, ENROL, INJECT = "consent", "assess", "sign", "enrol", "inject"
RECORD = "record"

_C, _I, _T = Role.COORDINATOR, Role.INVESTIGATOR, Role.TECHNOLOGIST

# The roles at the site that a duty may be given to.
DUTIES: dict[str, frozenset[Role]] = {
    CONSENT: frozenset({_C, _I}),
    ASSESS: frozenset({_C, _I}),
    SIGN: frozenset({_I}),
    ENROL: frozenset({_C, _I}),
    INJECT: frozenset({_C, _I, _T}),
    RECORD: frozenset({_C, _I, _T}),
}


def suits(duty: str, roles: set[str]) -> bool:
    """Whether one of `roles` may carry the duty.

    >>> suits("sign", {"coordinator"}), suits("inject", {"technologist", "reader"})
    (False, True)
    """
    return bool(DUTIES[duty] & roles)
