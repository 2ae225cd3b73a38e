"""The method itself: singular vectors of a base weight against those of its tuned version.

Pure functions on torch tensors, on whatever device the base lies. `compare_exact` gives every value;
`compare_certified` gives verdicts on the top k from bounds, without factorising anything;
`compare_with_factors` reuses a base's factors; `BaseCoordinates` answers for any scaling of an adapter.
"""

from intruder_tui.spectral.basefactors import BaseFactors, compare_with_factors, factorise_base, pack_base
from intruder_tui.spectral.certified import compare_certified
from intruder_tui.spectral.coordinates import BaseCoordinates, Rescaled
from intruder_tui.spectral.exact import compare_exact
from intruder_tui.spectral.factors import Factors
from intruder_tui.spectral.together import compare_together
from intruder_tui.spectral.traits import clusters, random_direction_floor
from intruder_tui.spectral.values import Comparison, LowRank, Matches, SpectralError, Traits, UpdateMeasures

__all__ = [
    "BaseCoordinates",
    "BaseFactors",
    "Comparison",
    "Factors",
    "LowRank",
    "Matches",
    "Rescaled",
    "SpectralError",
    "Traits",
    "UpdateMeasures",
    "clusters",
    "compare_certified",
    "compare_exact",
    "compare_together",
    "compare_with_factors",
    "factorise_base",
    "pack_base",
    "random_direction_floor",
]
