"""How a number came about: from the lesion back to the voxel, the file and the syringe."""

from imaging.selectors.derivations.lesion import QUANTITIES, derivation_of
from imaging.selectors.derivations.node import Node
from imaging.selectors.derivations.region import region_derivation

__all__ = ["QUANTITIES", "Node", "derivation_of", "region_derivation"]
