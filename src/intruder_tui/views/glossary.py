"""What every number on the screen means, a line each, with the definition in force."""

from __future__ import annotations

from collections.abc import Mapping

from intruder_tui.definition import Definition, Side
from intruder_tui.findings.model_map import Measure
from intruder_tui.views.glyphs import UNICODE, Glyphs

Entry = tuple[str, str]


def definition_in_force(definition: Definition, switch: str, glyphs: Glyphs = UNICODE) -> list[Entry]:
    """Side, k, eps and the rule, as they are now; the key `switch` goes to the other side."""
    left = definition.side is Side.LEFT
    space = "left vectors, output space" if left else "right vectors, input space"
    return [
        (
            "intruder",
            f"tuned singular vector j < {definition.k} with best(j) < {definition.eps:.2f}: a direction that "
            "is new in the tuned matrix (arXiv 2410.21228)",
        ),
        ("best(j)", "the largest |cos| between tuned vector j and ANY base vector, not only the top k"),
        (f"side {definition.side.value}", f"{space}; {switch} switches to the other one"),
        (f"k {definition.k}", "how many tuned vectors are examined, from the largest singular value down"),
        (f"{glyphs.eps} {definition.eps:.2f}", "the threshold; changing side, k or it computes nothing anew"),
        (
            "strongest",
            "the intruder with the lowest best match in the whole checkpoint: the most foreign one; "
            '"strongest known" while bounds leave room for a lower one elsewhere',
        ),
        (
            f"{glyphs.sigma} rank",
            "j, counted from 0: rank 0 has the largest singular value of the tuned matrix",
        ),
    ]


def view_entries(view: str, keys: Mapping[str, str], glyphs: Glyphs = UNICODE) -> list[Entry]:
    """The terms of one view by its tab; "Vector" is a part of Intruders, "Series" one of Compare.

    `keys` has the key in force for an action by its binding's id.
    """
    sigma = glyphs.sigma
    return {
        "Heatmap": [
            ("columns", "tuned vectors, by descending singular value, left to right"),
            ("rows", "base vectors, by descending singular value, top to bottom"),
            ("colour", "|cos| of the two vectors; the legend has its scale"),
            ("outline", "the column is an intruder: nothing in the whole base matches it"),
            (f"{sigma}", "the vector's singular value: how strongly the weight uses the direction"),
            ("bright diagonal", "the tuned vector is still its base vector; below it: it moved up in rank"),
            (f"{glyphs.diagonal}", "i = j: the bright cells lie here where nothing has moved"),
            (
                f"{keys['map.in']} {keys['map.out']} {keys['map.whole']}",
                "zoom in, zoom out, all vectors; a cell then shows the largest |cos| of its block",
            ),
            (keys["map.compute"], "compute the cosines beyond the stored ones: it factorises both weights"),
            (keys["map.both"], "the output (U) and the input side (V) beside each other"),
        ],
        "Intruders": [
            ("j", "rank of the tuned vector; 0 has the largest singular value"),
            (f"{sigma} tuned", "its singular value in W1"),
            (
                "best |cos|",
                f"best(j): a value, or a bound such as {glyphs.at_most}0.31 or 0.47{glyphs.to}0.52",
            ),
            ("base i", "the base vector that attains best(j)"),
            (f"{sigma} base", "that vector's singular value in W0"),
            ("shift", "i - j: how far up or down the ranks the vector has moved"),
            (
                "in dW",
                "share of its energy in the update's column (V: row) space; a dash where dW fills it all",
            ),
            ("window", "share of its energy in base vectors of nearly its own rank"),
            ("made of", "how many base vectors it is effectively made of: 1 the same, many: foreign"),
            ("cluster", "how many tied base vectors it lies among, and its overlap with their span"),
            ("tier", "how best |cos| was had: exact or float64 values, or a bound so far"),
            ("verdict", "intruder, matched, or one of the next three; only intruders are counted"),
            ("clustered", f"no single base vector reaches {glyphs.eps}, the span of tied ones does: not new"),
            ("borderline", f"best(j) and {glyphs.eps} differ by less than the numerical error"),
            ("undecided", f"{glyphs.eps} lies within the bounds; the value is on its way"),
            (
                "mixing?",
                "an inference: low best, but most energy in its window; neighbours mixed, nothing new",
            ),
            (
                f"{keys['table.sort']} {keys['table.sort-back']} {keys['table.reverse']}",
                "sort by the next column, by the one before, the other way round; an arrow marks it",
            ),
            (
                keys["table.enter"],
                f"the vector against all base vectors; {keys['vector.close']} goes back",
            ),
        ],
        "Spectrum": [
            ("W0, W1, dW", "base, tuned, and update W1 - W0: singular values over their rank, both axes log"),
            ("marked", "the singular values of the intruders in W1"),
            ("random dW", "the largest singular value of noise of dW's norm: more is structure"),
            ("rounding noise", "the largest singular value that rounding to the file's dtype alone gives dW"),
        ],
        "Update": [
            ("relative update", "Frobenius norm of dW over that of W0"),
            ("effective rank", "exp of the entropy of dW's singular values (Roy & Vetterli 2007)"),
            ("stable rank", "squared Frobenius norm over squared largest singular value of dW"),
            ("energy rank", "fewest singular values whose squares sum to 90, 95, 99 % of dW's"),
            ("adapter rank r", "from the adapter's configuration: an upper limit, not a measure"),
            ("rounding floor", "what storing W1 in its file's dtype alone puts into dW: dW near it is noise"),
            ("scaling", "what B A is multiplied by: alpha / r, with rank stabilisation alpha / sqrt(r)"),
            (
                "the slider",
                f"the count that W0 + t dW would have; {keys['update.smaller']} and {keys['update.larger']} "
                f"move it, {keys['update.own']} goes to t = 1",
            ),
            ("component c", "the c-th term of dW's singular value decomposition, 0 is the largest"),
            ("energy", "(p_c . y_j) squared: how much of tuned vector j lies along the component"),
            ("elsewhere", "what no component of dW carries: directions that the base had"),
        ],
        "Sweep": [
            (f"over {glyphs.eps}", "the count at this k for every threshold (the paper's Fig. 5)"),
            ("over k", f"the count at this {glyphs.eps} for every number of examined vectors (Fig. 11)"),
            (
                "over k / q",
                f"{keys['sweep.share']} switches: every matrix examines the same share of its q vectors",
            ),
            (glyphs.setting, f"the setting in force: k, or {glyphs.eps}"),
            (glyphs.band, "undecided, borderline or clustered: the count may be this high"),
            ("cut above", f"near {glyphs.eps} = 1 every vector counts; the plot stops before"),
        ],
        "Map": [
            ("rows, columns", "module types, and layers; what lies outside the layers stands beneath"),
            (Measure.COUNT, "certain intruders of the matrix; experts of a layer are summed"),
            (Measure.LOWEST, f"the smallest best(j), j < k; {glyphs.undecided} marks an upper bound"),
            (Measure.RELATIVE, "Frobenius norm of dW over that of W0"),
            (Measure.EFFECTIVE, "exp of the entropy of dW's singular values"),
            ("sum, least, most", "over the row or the column, of what is analysed so far"),
        ],
        "Compare": [
            ("count", "intruders of each checkpoint; in brackets the lowest best(j) behind it"),
            (glyphs.dash, "the checkpoint lacks the matrix; for a difference: fewer than two counts"),
            (f"{glyphs.idle} {glyphs.failed} {glyphs.unchanged}", "not analysed yet; failed; unchanged"),
            (f"{glyphs.at_least.strip()}3", "so far: not every matrix of the checkpoint is analysed"),
            ("difference", "second minus first checkpoint"),
            ("spread", "largest minus smallest of three or more checkpoints"),
        ],
        "Series": [
            ("step", "from the trainer's state beside the weights, else from the directory's name"),
            ("lowest, at j", "the smallest best(j), j < k, at this step, and the rank of that vector"),
            ("first j", "the smallest rank of any intruder at this step"),
            ("a line", "joins the steps' lowest values: results can't tell whether the vector is the same"),
            (
                "followed",
                f"{keys['compare.follow']} computes each step's vectors; an intruder is then the same "
                "direction all along",
            ),
            ("link", "|cos| with the vector of the step before, the nearest one there; 0.50 or more"),
        ],
        "Vector": [
            ("a bar", "|cos| of this tuned vector with one base vector, by the base's rank"),
            ("random", "what a random direction would reach at best"),
            ("beyond", "base vectors without a bar; best(j) covers them all the same"),
        ],
    }[view]


def marks(glyphs: Glyphs = UNICODE) -> list[Entry]:
    """The marks of the tree."""
    dot, dots = ("dash", "points") if glyphs.none == "-" else ("dot", "dots")
    return [
        (glyphs.idle, f"two {dots}: not analysed yet"),
        (glyphs.queued, "queued"),
        (glyphs.computing[0], "computing"),
        (glyphs.none, f"one {dot}: analysed, no intruder"),
        (glyphs.intruder, "an intruder; the number counts them"),
        (glyphs.undecided, "undecided, borderline or clustered vectors: see Intruders"),
        (glyphs.unchanged, "unchanged: dW is zero"),
        (glyphs.failed, "failed or refused; the reason stands in the pane"),
    ]
