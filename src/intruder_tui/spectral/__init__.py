"""The method itself: singular vectors of a base weight against those of its tuned version.

Pure functions on torch tensors, on whatever device the base lies. `compare_exact` gives every value.
"""

from intruder_tui.spectral.exact import compare_exact
from intruder_tui.spectral.values import Comparison, LowRank, Matches, SpectralError, UpdateMeasures

__all__ = [
    "Comparison",
    "LowRank",
    "Matches",
    "SpectralError",
    "UpdateMeasures",
    "compare_exact",
]
