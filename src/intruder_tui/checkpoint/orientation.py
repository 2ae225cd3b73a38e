"""Which matrices are stored [in, out]: GPT-2 and its kin keep Conv1D weights so; U and V would swap."""

from __future__ import annotations

from collections.abc import Mapping

from intruder_tui.checkpoint.layers import Role, layer_of
from intruder_tui.checkpoint.stored import StoredTensor

_CONV1D_MODELS = frozenset({"gpt2", "openai-gpt", "imagegpt", "decision_transformer", "clvp", "clvp_decoder"})
"""transformers model types built on `pytorch_utils.Conv1D`."""
_CONV1D_MODULES = frozenset({"c_attn", "c_proj", "c_fc", "q_attn"})


class Orientation:
    """Decides for one checkpoint. The length of a bias is proof (it counts outputs); config.json is second.

    A square weight, or one without a bias, inherits from modules of the same name, which one architecture
    stores alike.
    """

    def __init__(self, tensors: Mapping[str, StoredTensor], model_type: str) -> None:
        self._model_type = model_type
        self._proven: dict[str, bool] = {}
        self._votes: dict[str, set[bool]] = {}
        for name, tensor in tensors.items():
            proof = _proof(name, tensor, tensors)
            if proof is not None:
                self._proven[name] = proof
                self._votes.setdefault(_module(name), set()).add(proof)

    def proven(self, name: str) -> bool | None:
        """What biases prove: True for [in, out], False for [out, in], None without proof."""
        if name in self._proven:
            return self._proven[name]
        votes = self._votes.get(_module(name), set())
        return next(iter(votes)) if len(votes) == 1 else None

    def transposed(self, name: str, hint: bool | None = None) -> bool | None:
        """True when the weight is stored [in, out], False for [out, in], None when nothing tells.

        `hint`, an adapter's fan_in_fan_out, decides for architectures that are not known to use Conv1D.
        """
        proven = self.proven(name)
        if proven is not None:
            return proven
        if self._model_type in _CONV1D_MODELS:
            return _module(name) in _CONV1D_MODULES
        return hint if hint is not None else (False if self._model_type else None)


def _proof(name: str, tensor: StoredTensor, tensors: Mapping[str, StoredTensor]) -> bool | None:
    if len(tensor.shape) != 2 or tensor.shape[0] == tensor.shape[1] or not name.endswith(".weight"):
        return None
    bias = tensors.get(f"{name.removesuffix('.weight')}.bias")
    if bias is None or len(bias.shape) != 1 or bias.shape[0] not in tensor.shape:
        return None
    if layer_of(name, tensor.shape).role is not Role.LINEAR:
        return None
    return bias.shape[0] == tensor.shape[1]


def _module(name: str) -> str:
    return name.rpartition(".")[0].rpartition(".")[2]
