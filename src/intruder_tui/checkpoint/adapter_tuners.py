"""PEFT's tuners other than LoRA: AdaLoRA as factors, the others left to PEFT's own layer classes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from intruder_tui.checkpoint.adapter import Change
from intruder_tui.checkpoint.adapter_config import AdapterConfig
from intruder_tui.checkpoint.adapter_kinds import MERGE
from intruder_tui.checkpoint.adapter_updates import Unusable
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.patterns import PatternRules
from intruder_tui.checkpoint.quantised import FLOATS
from intruder_tui.checkpoint.recipes import Hosted, LoraUpdate, Named, Recipe

_SHOWN = {
    name.upper(): name
    for name in (
        *("LoRA", "AdaLoRA", "LoHa", "LoKr", "FourierFT", "SHiRA", "MiSS", "DeLoRA", "HiRA", "GraLoRA"),
        *("RoAd", "WaveFT", "PEANuT", "GLoRA"),
    )
}
_ELSEWHERE = frozenset(
    {
        *("target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "layers_pattern"),
        *("rank_pattern", "alpha_pattern", "base_model_name_or_path", "revision", "task_type"),
        *("peft_type", "peft_version", "auto_mapping", "feedforward_modules", "inference_mode"),
        *("runtime_config", "trainable_token_indices", "fan_in_fan_out"),
    }
)
"""Fields that choose the modules, or are settled for the one module here."""
_SETTLED_BY = {
    "rank_pattern": "r",
    "alpha_pattern": "alpha",
    "lambda_pattern": "delora_lambda",
    "n_frequency_pattern": "n_frequency",
    "block_size_pattern": "block_size",
}
"""Fields that override another one for some modules, and which one."""
_DOTTED = {"FOURIERFT": "n_frequency_pattern", "C3A": "block_size_pattern"}
"""Where PEFT matches a key by `.*\\.KEY$`: unlike elsewhere, a choice of names in it is not one group."""
_IN_OUT = frozenset({"IA3", "FOURIERFT", "HIRA", "GRALORA", "DEFT", "WAVEFT"})
"""Tuners of which PEFT has a form for transformers' Conv1D."""
_NO_SIZE = re.compile(r"alpha|lambda|scal|seed|dropout|eps")
"""Names of numbers that make no tensor: factors and seeds."""
_ITERATIONS = re.compile(r"niter|terms|^depth$")
_MOST_ITERATIONS = 1_000
_LARGEST_RANK = 65_536
_ADALORA_EPSILON = 1e-5
"""What PEFT adds to the rank it divides by."""


def tuner_name(kind: str) -> str:
    """A tuner's name as its authors write it."""
    return "trainable tokens" if kind == "TRAINABLE_TOKENS" else _SHOWN.get(kind, kind)


def adalora_update(change: Change, config: AdapterConfig) -> LoraUpdate:
    """AdaLoRA's update (arXiv 2303.10512): dW = alpha / (r_0 + 1e-5) * B (A * E), r_0 the initial rank.

    Raises:
        Unusable: tensors that are missing or do not fit.
    """
    fields = config.fields
    parts = [change.parts.get(name) for name in ("a", "b", "lora_E")]
    a, b, gains = parts
    if a is None or b is None or gains is None or len(change.parts) != 3:
        raise Unusable(
            f"its parts are {', '.join(sorted(change.parts))}; lora_A, lora_B, lora_E were expected"
        )
    start, alpha = fields.get("init_r", 12), fields.get("lora_alpha", 8)
    number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    if type(start) is not int or not 0 < start <= _LARGEST_RANK or not number:
        raise Unusable(f"adapter_config.json says init_r = {start}, lora_alpha = {alpha}")
    shapes = (
        f"lora_A is {shape_text(a.shape)}, lora_E {shape_text(gains.shape)}, lora_B {shape_text(b.shape)}"
    )
    if not {a.dtype, b.dtype, gains.dtype} <= FLOATS:
        raise Unusable(f"factors stored as {a.dtype}, {b.dtype} and {gains.dtype}")
    if len(a.shape) != 2 or len(b.shape) != 2 or gains.shape != (a.shape[0], 1) or b.shape[1] != a.shape[0]:
        raise Unusable(shapes)
    if a.shape[0] == 0:
        raise Unusable("AdaLoRA left this matrix no rank: it is unchanged")
    if a.shape[0] > start:
        raise Unusable(f"adapter_config.json says init_r = {start}; {shapes}")
    assert isinstance(alpha, int | float)
    scaling = (alpha if alpha > 0 else float(start)) / (start + _ADALORA_EPSILON)
    return LoraUpdate(a, b, scaling, gains=gains)


def hosted(
    base: Recipe, shape: tuple[int, int], transposed: bool, change: Change, config: AdapterConfig
) -> Hosted:
    """The recipe of a linear layer's weight under a tuner that PEFT itself has to merge.

    Args:
        base: gives the weight [out, in].
        shape: (out, in).
        transposed: the layer itself is a Conv1D, which stores [in, out].
        change, config: the adapter's tensors for the layer, and what it says of itself.

    Raises:
        Unusable: PEFT is not installed, has no such layer, or the tensors are none that a layer can have.
        CheckpointError: the pattern keys can't be matched in time.
    """
    if transposed and config.kind not in _IN_OUT:
        raise Unusable(
            f"{tuner_name(config.kind)} on a weight stored [in, out], which PEFT itself does not take"
        )
    if find_spec("peft") is None:
        raise Unusable(
            f"{tuner_name(config.kind)} is read through PEFT, which is not installed here: "
            f"pip install 'intruder-tui[peft]', or {MERGE}"
        )
    fields = {
        name: value
        for name, value in config.fields.items()
        if name not in _ELSEWHERE and not name.endswith("_pattern") and value not in (None, {})
    }
    for name, rules in config.patterns.items():
        _settle(fields, name, rules, change.module, config)
    if config.kind == "WAVEFT" and fields.pop("proportional_parameters", False):
        # The share of each layer hangs on all of them: the tensor itself says what this one's was.
        spectrum = change.parts.get("waveft_spectrum")
        fields["n_frequency"] = math.prod(spectrum.shape) if spectrum else 0
    factor = change.parts.get("hira_A")
    if config.kind == "HIRA" and factor is not None and len(factor.shape) == 2:
        # PEFT 0.21 leaves the rank of a new layer to r, whatever its rank_pattern says.
        fields["r"] = factor.shape[0]
    if config.kind == "PSOFT" and fields.get("psoft_svd", "full") != "full":
        raise Unusable(
            "PSOFT by a randomised decomposition (psoft_svd), whose directions can't be recomputed: " + MERGE
        )
    rank = fields.get("r")
    if "r" in fields and (type(rank) is not int or not 0 <= rank <= _LARGEST_RANK):
        raise Unusable(f"adapter_config.json says r = {rank}; at most {_LARGEST_RANK} is read")
    if config.kind == "IA3":
        gains = change.parts.get("ia3_l")
        # A feed-forward layer's vector scales its inputs; PEFT tells by a pattern what the shape tells too.
        feedforward = gains is not None and gains.shape == (1, shape[1]) and shape[1] != 1
        fields["feedforward_modules"] = [change.module] if feedforward else []
    _check_sizes(fields, shape)
    parts = tuple(Named(part, tensor) for part, tensor in sorted(change.parts.items()))
    shown_rank = rank if isinstance(rank, int) and rank > 0 else None
    try:
        described_fields = json.dumps(fields, sort_keys=True)
    except RecursionError:
        raise Unusable("adapter_config.json is nested too deeply") from None
    return Hosted(base, config.kind, change.module, described_fields, parts, shown_rank, transposed)


def _check_sizes(fields: Mapping[str, object], shape: tuple[int, int]) -> None:
    """Raise Unusable where a number of the configuration would make a tensor larger than the weight."""
    for name, value in fields.items():
        for number in _numbers(value):
            if _NO_SIZE.search(name):
                continue
            most = math.prod(shape) if "frequency" in name else max(shape)
            if _ITERATIONS.search(name):
                most = _MOST_ITERATIONS
            if not number <= most:
                raise Unusable(
                    f"adapter_config.json says {printable(name, 40)} = {number}; at most {most} is read "
                    f"for a weight of {shape_text(shape)}"
                )


def _numbers(value: object) -> Iterator[int | float]:
    """The numbers in a value of a JSON document, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, int | float) and not isinstance(one, bool):
            yield one


def _settle(
    fields: dict[str, object], pattern: str, rules: PatternRules[object], module: str, config: AdapterConfig
) -> None:
    """Put what a pattern field says of a module into the module's own field. Raises as `hosted`."""
    field = _SETTLED_BY.get(pattern)
    if field is None or config.kind == "OSF":
        raise Unusable(f"adapter_config.json sets {printable(pattern, 40)}, which is not read: {MERGE}")
    if _DOTTED.get(config.kind) == pattern:
        if choice := next((key for key in rules.keys if "|" in key), ""):
            key = printable(choice, 40)
            raise Unusable(f"{pattern} in adapter_config.json has a choice in a key, {key}: {MERGE}")
        if "." not in module:
            return
    fields[field] = rules.find(module, fields.get(field))
