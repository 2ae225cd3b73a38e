"""Where an axis has its ticks, and what stands beside them: for plots on the screen and figures on paper."""

from __future__ import annotations

import math


def ticks(low: float, high: float, most: int = 6, *, whole: bool = False) -> list[float]:
    """At most `most` multiples of 1, 2 or 5 times a power of ten within low..high; integers where `whole`."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    power = math.floor(math.log10(span / most)) if most > 0 else 0
    for exponent in range(power, power + 4):
        for digit in (1, 2, 5):
            step = digit * 10.0**exponent
            if whole and step < 1:
                continue
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            if last - first + 1 <= most:
                return [round(step * n, 12) for n in range(first, last + 1)]
    return [low]


def decades(low: float, high: float) -> list[float]:
    """The powers of ten within low..high, both positive."""
    return [
        10.0**n for n in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    ]


def label(value: float) -> str:
    """A tick as people write it: "0", "0.25", "1000", "2e+06"."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.6g}"
