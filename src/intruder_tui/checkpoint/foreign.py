"""What is recognised but not read: each format by its name, with what to do instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import foreign_format, is_zip, looks_like_safetensors
from intruder_tui.checkpoint.layouts import TRAINER_FILE, weights_of
from intruder_tui.checkpoint.names import printable

_MOST_ENTRIES = 1_000
"""Of a directory, looked into for weights."""
_TO_SAFETENSORS = "load it where it was made and save it again with safetensors (save_pretrained does)"

_STEP = re.compile(r"checkpoint-(\d{1,18})", re.ASCII)
_SHARD = re.compile(r"(?:model|diffusion_pytorch_model)-\d{5}-of-\d{5}\.safetensors", re.ASCII)
_DCP_SHARD = re.compile(r"shard-\d{5}-model-.*\.safetensors", re.ASCII)

_GGUF = (
    "a GGUF file, not read: give the safetensors checkpoint it was converted from, or let transformers "
    "convert it: AutoModelForCausalLM.from_pretrained(DIRECTORY, gguf_file=NAME).save_pretrained(OUTPUT)"
)
_DCP = (
    "`python -m torch.distributed.checkpoint.format_utils dcp_to_torch DIRECTORY OUTPUT.pt` makes a "
    "file that is read"
)
_SUFFIXES = {
    ".gguf": _GGUF,
    ".h5": f"a TensorFlow .h5 file, not read: {_TO_SAFETENSORS}",
    ".msgpack": f"a Flax .msgpack file, not read: {_TO_SAFETENSORS}",
    ".onnx": "an ONNX file, not read: give the checkpoint it was exported from",
    ".engine": "a TensorRT engine, not read: give the checkpoint it was built from",
    ".npz": "a NumPy .npz file, not read: save its arrays with safetensors.numpy",
    ".npy": "a NumPy .npy file, not read: save its arrays with safetensors.numpy",
    ".distcp": f"one file of a torch distributed checkpoint, not read: {_DCP}",
    ".nemo": "a NeMo archive, not read: export it to the Hugging Face layout first",
    ".pkl": "a Python pickle, not read: save the tensors with safetensors",
}


def looks_like_weights(path: Path) -> bool:
    """Whether a file begins like safetensors or a PyTorch zip. Raises CheckpointError as `opened` does."""
    if path.suffix.lower() in _SUFFIXES or TRAINER_FILE.fullmatch(path.name):
        return False
    return looks_like_safetensors(path) or is_zip(path)


def refuse_file(path: Path) -> str:
    """Why a single file is not read. Raises CheckpointError as `opened` does."""
    if TRAINER_FILE.fullmatch(path.name):
        return "a trainer's own file, which holds no model weights"
    found = _SUFFIXES.get(path.suffix.lower()) or foreign_format(path)
    return found or "not a safetensors or PyTorch file, and no other format that is known here"


def refuse_directory(directory: Path, names: frozenset[str]) -> str:
    """Why a directory without safetensors weights of a known name is not read, and what to do."""
    for rule in _RULES:
        reason = rule(directory, names)
        if reason:
            return reason
    some = ", ".join(printable(name, 40) for name in sorted(names)[:4])
    return "no model.safetensors, index or adapter in this directory" + (
        f"; it holds {some}{' …' if len(names) > 4 else ''}" if names else "; it is empty"
    )


def training_checkpoints(directory: Path, names: frozenset[str]) -> list[str]:
    """The `checkpoint-N` directories inside a training output directory, by step."""
    found = [(int(match[1]), name) for name in names if (match := _STEP.fullmatch(name))]
    return [name for _, name in sorted(found) if (directory / name).is_dir()]


def _adapter_without_weights(directory: Path, names: frozenset[str]) -> str:
    if "adapter_config.json" not in names:
        return ""
    if "adapters.safetensors" in names:
        return "an MLX adapter, not read: fuse it into the model with mlx_lm.fuse and give the result"
    return (
        "adapter_config.json is there, adapter_model.safetensors is not: incomplete, or still being written"
    )


def _adapter_without_config(directory: Path, names: frozenset[str]) -> str:
    if "adapter_model.safetensors" not in names:
        return ""
    return (
        "adapter_model.safetensors is there, adapter_config.json is not: its scaling can't be known; "
        "give the file itself with --lora-alpha to say it"
    )


def _shards_without_index(directory: Path, names: frozenset[str]) -> str:
    if any(_DCP_SHARD.fullmatch(name) for name in names):
        return (
            "safetensors shards of a distributed save (shard-…-model-….safetensors), each with a part of "
            "every tensor: not read yet; save the model again without distributed_checkpoint"
        )
    count = sum(1 for name in names if _SHARD.fullmatch(name))
    if not count:
        return ""
    return (
        f"{count} shards are there, their .safetensors.index.json is not: still being written, or incomplete"
    )


def _distributed(directory: Path, names: frozenset[str]) -> str:
    places = [".", *sorted(name for name in names if name.startswith("pytorch_model_fsdp_"))]
    for place in places:
        if (directory / place / ".metadata").is_file():
            target = "" if place == "." else f" ({printable(place)})"
            return (
                f"a torch distributed checkpoint{target}, not read: "
                "`accelerate merge-weights DIRECTORY OUTPUT` makes safetensors of one that accelerate wrote; "
                f"{_DCP}"
            )
    return ""


def _deepspeed(directory: Path, names: frozenset[str]) -> str:
    if "zero_to_fp32.py" in names or any(name.startswith("global_step") for name in names):
        return (
            "a DeepSpeed ZeRO checkpoint, not read: make safetensors of it with DeepSpeed's own "
            "`zero_to_fp32.py --safe_serialization` (from your installation, not the one in this directory)"
        )
    return ""


def _megatron(directory: Path, names: frozenset[str]) -> str:
    of_iteration = {"common.pt", "metadata.json"} <= names
    if (
        of_iteration
        or "latest_checkpointed_iteration.txt" in names
        or any(name.startswith("mp_rank_") for name in names)
    ):
        return (
            "a Megatron checkpoint, not read: convert it to the Hugging Face layout first (Megatron Bridge's "
            "export_ckpt, or the converter of the framework that wrote it)"
        )
    return ""


def _consolidated(directory: Path, names: frozenset[str]) -> str:
    if "consolidated.safetensors" in names:
        return (
            "Mistral's consolidated.safetensors: give the file itself, and compare it only with another of "
            "its kind (its q and k rows are ordered differently from the Hugging Face layout)"
        )
    if any(re.fullmatch(r"consolidated\.\d\d\.pth", name) for name in names):
        return "Meta's consolidated.NN.pth files: give the model's Hugging Face version, or one file of each"
    return ""


def _by_suffix(directory: Path, names: frozenset[str]) -> str:
    for name in sorted(names):
        # A pickle that a trainer left (training_args.bin, optimizer.pt) says nothing about the weights.
        suffix = Path(name).suffix.lower()
        if suffix in (".gguf", ".h5", ".msgpack", ".onnx", ".engine"):
            return f"{printable(name, 80)} is {_SUFFIXES[suffix]}"
    if "saved_model.pb" in names:
        return f"a TensorFlow SavedModel, not read: {_TO_SAFETENSORS}"
    if {"weights.npz", "weights.00.safetensors"} & names:
        return "an MLX model, not read: give the Hugging Face version of it"
    return ""


def _checkpoints_inside(directory: Path, names: frozenset[str]) -> str:
    steps = training_checkpoints(directory, names)
    if not steps:
        return ""
    shown = steps if len(steps) <= 8 else [*steps[:7], "…", steps[-1]]
    return (
        f"{len(steps)} training checkpoints are inside; give one of them, or --series for all: "
        f"{', '.join(shown)}"
    )


def _weights_inside(directory: Path, names: frozenset[str]) -> str:
    """Models and adapters in sub-directories."""
    found: dict[str, list[str]] = {"model": [], "adapter": []}
    for name in sorted(names)[:_MOST_ENTRIES]:
        inside = _names_inside(directory / name)
        if "adapter_config.json" in inside:
            found["adapter"].append(name)
        elif weights_of(inside) is not None:
            found["model"].append(name)
    told = [
        f"{kind}{'s' if len(some) > 1 else ''} {', '.join(printable(name, 80) for name in some[:8])}"
        f"{f' … ({len(some)} in all)' if len(some) > 8 else ''}"
        for kind, some in found.items()
        if some
    ]
    return f"weights lie in sub-directories; give one of them: {'; '.join(told)}" if told else ""


def _names_inside(directory: Path) -> frozenset[str]:
    """What a sub-directory holds; nothing where it is none, or can't be read."""
    try:
        return frozenset(entry.name for entry in directory.iterdir())
    except OSError:
        return frozenset()


def _models_inside(directory: Path, names: frozenset[str]) -> str:
    for name in ("transformer", "unet"):
        if (directory / name / "config.json").is_file():
            return f"a diffusers pipeline; give one of its models, such as its {name} directory"
    if "snapshots" in names:
        try:
            snapshots = sorted(entry.name for entry in (directory / "snapshots").iterdir())
        except OSError as error:
            raise CheckpointError(f"{printable(str(directory))}: {error.strerror}") from None
        return (
            f"a hub cache entry; give a snapshot of it: {', '.join(f'snapshots/{s}' for s in snapshots[:4])}"
        )
    return ""


_RULES: tuple[Callable[[Path, frozenset[str]], str], ...] = (
    _adapter_without_weights,
    _adapter_without_config,
    _shards_without_index,
    _megatron,
    _distributed,
    _deepspeed,
    _consolidated,
    _by_suffix,
    _checkpoints_inside,
    _models_inside,
    _weights_inside,
)
