"""Sessions over results that are known beforehand: a pairing from names, a cache in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from intruder_tui.checkpoint.pairs import MatrixPair, Pairing, Row, RowKind, Source
from intruder_tui.checkpoint.recipes import Adapted, LoraUpdate, Stored
from intruder_tui.checkpoint.stored import FileStamp, StoredTensor
from intruder_tui.definition import Side
from intruder_tui.engine.jobs import Depth, Job, Study
from intruder_tui.engine.protocol import Engine, Finished
from intruder_tui.engine.session import Session
from intruder_tui.results import MatrixResult, Summary, Tier
from intruder_tui.studies.answers import StudyKind
from intruder_tui.studies.files import StudyValue

STAMP = FileStamp(1, 2, 3, 4, 5)


class MemoryCache:
    """What `Session` asks of a cache, in dictionaries; `ready` names are found without being computed.

    As in the real one an answer belongs to a pair of weights, not to a name: jobs, studies and keys of
    another checkpoint find nothing here. A certificate answers a verdict, never an exact job.
    """

    def __init__(
        self, pairs: Sequence[MatrixPair], results: Mapping[str, MatrixResult], ready: Sequence[str] = ()
    ) -> None:
        self.results = dict(results)
        self.ready = set(ready)
        self.studies: dict[str, StudyValue] = {}
        self._names = {key_of(pair): pair.name for pair in pairs}

    def find(self, job: Job) -> str | None:
        return None if job.depth is Depth.EXACT and self._bounds(job) else self._found(job)

    def find_bounds(self, job: Job) -> str | None:
        return self._found(job) if self._bounds(job) else None

    def load(self, key: str) -> MatrixResult | None:
        return self.results.get(self._names.get(key, ""))

    def summary(self, key: str) -> Summary | None:
        result = self.load(key)
        return None if result is None else result.summary()

    def find_study(self, study: Study) -> str | None:
        key = study_key(study)
        return key if key in self.studies else None

    def load_study(self, kind: StudyKind, key: str) -> StudyValue | None:
        return self.studies.get(key)

    def _found(self, job: Job) -> str | None:
        key = key_of(job.pair)
        return key if self._names.get(key) in self.ready else None

    def _bounds(self, job: Job) -> bool:
        result = self.load(key_of(job.pair))
        return result is not None and result.tier is Tier.CERTIFICATE


def key_of(pair: MatrixPair) -> str:
    """What `MemoryCache` calls the answer on a pair."""
    return f"{pair.base} {pair.tuned}"


def study_key(study: Study) -> str:
    """What `MemoryCache` calls a study."""
    return f"{key_of(study.pair)} {study.kind} {study.side}"


def study_of(session: Session, name: str, kind: StudyKind, side: Side | None = None) -> Study:
    """The study of a row."""
    pair = session.row(name).pair
    assert pair is not None
    return Study(pair, kind, side)


def keep_study(session: Session, study: Study, value: StudyValue) -> Finished:
    """Put a study's answer into a session's cache; the event that says so."""
    cache = session.desk._cache
    assert isinstance(cache, MemoryCache)
    cache.studies[study_key(study)] = value
    return Finished(study, study_key(study), 0.5)


def stored(path: str, name: str, shape: tuple[int, ...]) -> StoredTensor:
    """A tensor that is said to lie in a file."""
    return StoredTensor(path, name, "BF16", shape, STAMP)


def matrix_row(name: str, shape: tuple[int, int] = (64, 48), *, untouched: bool = False) -> Row:
    """A weight matrix on both sides."""
    base = Stored(stored("/base/model.safetensors", name, shape))
    tuned = base if untouched else Stored(stored("/tuned/model.safetensors", name, shape))
    pair = MatrixPair(name, shape, base, tuned, ("BF16", "BF16"))
    return Row(name, RowKind.MATRIX, shape, "BF16", pair)


def adapted_row(name: str, shape: tuple[int, int] = (64, 48), rank: int = 8, scaling: float = 2.0) -> Row:
    """A weight matrix under a LoRA adapter."""
    base = Stored(stored("/base/model.safetensors", name, shape))
    a = stored("/tuned/adapter_model.safetensors", f"{name}.lora_A", (rank, shape[1]))
    b = stored("/tuned/adapter_model.safetensors", f"{name}.lora_B", (shape[0], rank))
    tuned = Adapted(base, LoraUpdate(a, b, scaling))
    pair = MatrixPair(name, shape, base, tuned, ("BF16", f"BF16 + LoRA r {rank}"))
    return Row(name, RowKind.MATRIX, shape, "BF16", pair)


def other_row(name: str, kind: RowKind, shape: tuple[int, ...], reason: str) -> Row:
    """An entry that is not analysed."""
    return Row(name, kind, shape, "BF16", None, reason)


def pairing(rows: Sequence[Row], tuned: str = "tuned-lora-r16") -> Pairing:
    """Rows laid side by side; their tuned weights lie in the files of that checkpoint."""
    rows = [row if row.pair is None else replace(row, pair=_of(tuned, row.pair)) for row in rows]
    return Pairing(
        Source("base", "Tiny-base", "model directory", ("/base/model.safetensors",), len(rows)),
        Source(tuned, tuned, "LoRA adapter", (f"/{tuned}/adapter_model.safetensors",), len(rows)),
        tuple(rows),
    )


def _of(checkpoint: str, pair: MatrixPair) -> MatrixPair:
    match pair.tuned:
        case Stored(tensor):
            return replace(pair, tuned=Stored(_moved(tensor, checkpoint)))
        case Adapted(base, LoraUpdate() as update):
            a, b = (_moved(tensor, checkpoint) for tensor in (update.a, update.b))
            return replace(pair, tuned=Adapted(base, replace(update, a=a, b=b)))
    raise TypeError(pair.tuned)


def _moved(tensor: StoredTensor, checkpoint: str) -> StoredTensor:
    """The same tensor in another checkpoint's file; one of the base stays where it is."""
    return replace(tensor, path=tensor.path.replace("/tuned/", f"/{checkpoint}/", 1))


def session(
    rows: Sequence[Row],
    engine: Engine,
    results: Mapping[str, MatrixResult],
    ready: Sequence[str] = (),
    tuned: str = "tuned-lora-r16",
) -> Session:
    """A session over those rows; `ready` ones are in the cache from the start."""
    laid = pairing(rows, tuned)
    pairs = [row.pair for row in laid.rows if row.pair is not None]
    return Session(laid, engine, MemoryCache(pairs, results, ready))


def finished(session: Session, name: str, seconds: float = 0.5) -> Finished:
    """The event that a row's result lies in the cache."""
    pair = session.row(name).pair
    assert pair is not None
    return Finished(Job(pair), key_of(pair), seconds)
