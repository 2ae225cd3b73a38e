"""The method itself: singular vectors of a base weight against those of its tuned version.

Pure functions on torch tensors, on whatever device the base lies. `compare_exact` gives every value;
`compare_certified` gives verdicts on the top k from bounds, without factorising anything.
"""

from intruder_tui.spectral.certified import compare_certified
from intruder_tui.spectral.exact import compare_exact
from intruder_tui.spectral.values import Comparison, LowRank, Matches, SpectralError, UpdateMeasures

__all__ = [
    "Comparison",
    "LowRank",
    "Matches",
    "SpectralError",
    "UpdateMeasures",
    "compare_certified",
    "compare_exact",
]
