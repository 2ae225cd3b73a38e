"""One side of a comparison as row-making sees it: plain tensors, packed weights, and how they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from intruder_tui.checkpoint.adapter import Adapter
from intruder_tui.checkpoint.catalog import Catalog
from intruder_tui.checkpoint.orientation import Orientation
from intruder_tui.checkpoint.packed import Packed
from intruder_tui.checkpoint.quantised import fold, why_not_plain
from intruder_tui.checkpoint.stored import StoredTensor


@dataclass(frozen=True, slots=True)
class Side:
    """One set of full tensors.

    Attributes:
        tensors: by name; of a packed weight its codes, under the name the plain weight would have.
        absent: promised names without a tensor, with the reason.
        orientation: which matrices are stored [in, out].
        packed: the packed weights by name.
        model_type: `model_type` of config.json; empty where unknown.
        aliases: further names of tensors, with the name that is in `tensors`.
        origins: what made a name that no file has ("rows 0 to 48 of expert 2 of ...").
    """

    tensors: Mapping[str, StoredTensor]
    absent: Mapping[str, str]
    orientation: Orientation
    packed: Mapping[str, Packed] = field(default_factory=dict)
    model_type: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_model(cls, catalog: Catalog) -> Side:
        """A full checkpoint. Raises CheckpointError when the constants of a packed weight can't be read."""
        folding = fold(catalog.tensors, catalog.config)
        tensors = {name: one for name, one in catalog.tensors.items() if name not in folding.folded}
        tensors |= {name: packed.values for name, packed in folding.weights.items()}
        orientation = Orientation(catalog.tensors, catalog.model_type)
        return cls(tensors, catalog.absent, orientation, folding.weights, catalog.model_type, catalog.aliases)

    @classmethod
    def of_adapter(cls, adapter: Adapter, base: Catalog) -> Side:
        """The full tensors an adapter carries, stored as its base stores them."""
        return cls(adapter.full, {}, Orientation(adapter.full, base.model_type), model_type=base.model_type)

    @property
    def names(self) -> list[str]:
        """Every name of this side."""
        return [*self.tensors, *self.absent]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight's shape, of a packed one the shape it stands for."""
        return {name: self.shape(name) for name in self.tensors}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a weight."""
        packed = self.packed.get(name)
        return packed.shape if packed else self.tensors[name].shape

    def dtype(self, name: str) -> str:
        """What a weight is stored as, for people."""
        packed = self.packed.get(name)
        return packed.scheme if packed else self.tensors[name].dtype

    def why_not_plain(self, name: str) -> str:
        """Why a tensor's stored values are not its weights; empty when they are."""
        packed = self.packed.get(name)
        if packed is not None:
            return packed.reason or f"stored as {packed.scheme}"
        return why_not_plain(self.tensors[name].dtype)

    def why_unreadable(self, name: str) -> str:
        """Why a weight can't be made from what is stored; empty when it can."""
        packed = self.packed.get(name)
        return packed.reason if packed else why_not_plain(self.tensors[name].dtype)
