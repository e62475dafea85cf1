"""Weights that fit the hardware: what a structure costs in accuracy and saves in bits, and how fast codes are made and read.

Accuracies are those of `python -m benchmarks.structure_rows` and `python -m benchmarks.structure_annealed`, labels in the circuit
those of `python -m benchmarks.structure_circuits`, converters those of `python -m benchmarks.structure_codes`, from the tables in
benchmarks/results; what has no row is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks import structure_annealed, structure_circuits, structure_codes, structure_rows
from benchmarks.figure import Figure
from training.structures.code import Field, LayerCode
from training.structures.masks import Masks, Rule, wired
from training.structures.packing import packed, unpacked
from training.structures.plan import MasksPlan
from training.structures.structure import Span, Structure
from training.structures.supermask import Supermask
from training.structures.ternary import Ternary, ternary_table

PACKAGES = ("torch", "numpy")

WEIGHTS = (4000, 2500)
NAMES = (
    "ternary_8_2", "ternary_16_4", "ternary_8_2_all", "reusable_topology", "ticket", "partially_frozen", "supermask",
    "block_toeplitz", "commuting_pairs", "spike_4bit", "spike_6bit", "spike_8bit", "spike_vectors_2bit",
    "cnn_block_toeplitz", "cnn_commuting_pairs", "cnn_ternary_8_2", "cifar_block_toeplitz", "cifar_commuting_pairs",
    "cifar_ternary_8_2",
)  # fmt: skip
TARGETS = {
    "accuracy_drop": {
        "ternary_8_2": "at most 0.7", "ternary_16_4": "at most 0.7", "reusable_topology": "at most 0.7", "ticket": "at most 1.5",
        "supermask": "at most 0.5", "cnn_block_toeplitz": "at most 1", "spike_4bit": "at most 1", "spike_6bit": "at most 0.3",
        "spike_8bit": "at most 0.1",
    },
    "compression": {
        "ternary_8_2": "at least 29", "ternary_16_4": "at least 29", "block_toeplitz": "at least 4",
        "cnn_block_toeplitz": "at least 4",
    },
}  # fmt: skip


AGAINST = (
    ("reusable_topology", "fixed_topology", "gain_over_random", "at least 17"),
    ("partially_frozen", "ticket", "gain_over_unfrozen", "at least -0.5"),
)
"""A structure, another, what the difference of their accuracies is called, and what it shall be."""


def figures(quick: bool) -> Iterator[Figure]:
    """What the tables hold, and the encoder and decoder on ten million weights (a tenth of them if `quick`)."""
    rows = _table(structure_rows.TABLE)
    circuits = _table(structure_circuits.IMAGES)
    if len(rows):
        yield from _of_rows({str(name): own for name, own in rows.groupby("structure")})
    for name, own in circuits.groupby("structure", sort=False) if len(circuits) else ():
        yield from _of_circuits(str(name), own)
    annealed = _table(structure_annealed.TABLE)
    for name, own in annealed.groupby("structure", sort=False) if len(annealed) else ():
        yield from _of_annealed(str(name), own)
    codes = _table(structure_codes.TABLE)
    for _, own in codes.groupby(["die", "step_v"], sort=False) if len(codes) else ():
        yield from _of_codes(own.set_index("way"))
    yield from _codec(WEIGHTS if not quick else (WEIGHTS[0] // 10, WEIGHTS[1]))


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.exists() else pd.DataFrame()


def _of_rows(by_name: Mapping[str, pd.DataFrame]) -> Iterator[Figure]:
    for name in NAMES:
        of = "".join(prefix for prefix in ("cnn_", "cifar_") if name.startswith(prefix))
        if not {name, f"{of}dense"} <= by_name.keys():
            continue
        dense = by_name[f"{of}dense"].set_index("seed").test_accuracy
        own = by_name[name].set_index("seed")
        first, accuracy = own.iloc[0], own.test_accuracy
        spread = f"{len(own)} seeds, standard deviation {100 * accuracy.std(ddof=1):.2f} points" if len(own) > 1 else "one seed"
        yield Figure(f"{name}.accuracy", accuracy.mean(), "", "", f"{first.network}, {first.train_samples} images, {spread}")
        lost = 100 * (dense - accuracy).dropna()
        target = {what: of_name.get(name, "") for what, of_name in TARGETS.items()}
        told = f"below dense, seeds {list(lost.index)}"
        yield Figure(f"{name}.accuracy_drop", lost.mean(), "points", target["accuracy_drop"], told)
        yield Figure(f"{name}.bits_per_weight", first.bits_per_weight, "", "", f"{first.coded_weights} weights coded")
        yield Figure(f"{name}.compression", first.compression, "", target["compression"], "of the layers coded, over float32")
        yield Figure(f"{name}.compression_with_table", first.compression_with_table, "", "", "the decode table counted, too")
        yield Figure(f"{name}.whole_network_compression", first.whole_network_compression, "", "", "layers not coded as float32")
    for name, other, figure, wanted in AGAINST:
        if {name, other} <= by_name.keys():
            gained = by_name[name].test_accuracy.mean() - by_name[other].test_accuracy.mean()
            yield Figure(f"{name}.{figure}", 100 * gained, "points", wanted, f"over {other}, in the mean of the seeds")


def _of_circuits(name: str, rows: pd.DataFrame) -> Iterator[Figure]:
    """Of every design the network that was simulated last."""
    last = {str(design): own[own.network == own.network.iloc[-1]] for design, own in rows.groupby("design", sort=False)}
    alike = pd.concat([own.circuit_label == own.model_label for own in last.values()])
    told = {design: f"{len(own)} images of {design}" for design, own in last.items()}
    yield Figure(f"{name}.label_agreement", float(alike.mean()), "", "1", ", ".join(told.values()))
    for design, own in last.items():
        figure = name if design == structure_circuits.DESIGN.stem else f"{name}.{design}"
        for layer in ("hidden", "output"):
            pairs, rms = own[f"{layer}_pairs"], own[f"{layer}_rms_s"]
            spread = float(((rms.fillna(0.0) ** 2 * pairs).sum() / pairs.sum()) ** 0.5)
            said = f"circuit and model, {pairs.sum()} pairs of {told[design]}"
            yield Figure(f"{figure}.circuit_{layer}_rmse_s", spread, "s", "", said)


def _of_annealed(name: str, rows: pd.DataFrame) -> Iterator[Figure]:
    spread = f", standard deviation {100 * rows.test_accuracy.std(ddof=1):.2f} points" if len(rows) > 1 else ""
    told = f"{len(rows)} seeds, no fine tuning"
    yield Figure(f"{name}.accuracy", rows.test_accuracy.mean(), "", "", told + spread)
    yield Figure(f"{name}.accuracy_drop", 100 * (rows.dense_accuracy - rows.test_accuracy).mean(), "points", "", told)
    lost = 100 * (rows.dense_accuracy - rows.rounded_accuracy).mean()
    yield Figure(f"{name}.accuracy_drop_of_rounding", lost, "points", "", "the same levels, every weight at the nearest")
    yield Figure(f"{name}.bits_per_weight", rows.bits_per_weight.iloc[0])
    yield Figure(f"{name}.compression", rows.compression.iloc[0])
    of = "rms of the membranes for test images, geometric mean over the layers"
    for other, target in (("rounding", "at least 5"), ("greedy", "at least 1"), ("layer_rounding", "at least 5")):
        yield Figure(f"{name}.error_gain_vs_{other}", rows[f"error_gain_vs_{other}"].mean(), "", target, of)
    gain = rows.output_error_gain_vs_rounding.mean()
    yield Figure(f"{name}.output_error_gain_vs_rounding", gain, "", "", "rms of the outputs' membranes of the whole network")


def _of_codes(ways: pd.DataFrame) -> Iterator[Figure]:
    """How much nearer annealed codes on a coarse converter are than others, in what the outputs send."""
    die, step, error = ways.die.iloc[0], f"{1e3 * ways.step_v.iloc[0]:g}", ways.rmse_s
    where = f"{die.replace(', ', '_').replace(' ', '_')}_{step}mv"
    told = f"{die}, steps of {step} mV: " + ", ".join(f"{way} {1e9 * own:.3g} ns" for way, own in error.items())
    for other, target in (("nearest", "at least 5"), ("greedy", "at least 1")):
        if {other, "annealed"} <= set(error.index):
            yield Figure(f"annealed_codes.{where}.gain_vs_{other}", error[other] / error["annealed"], "", target, told)


def _codec(shape: tuple[int, int]) -> Iterator[Figure]:
    """CPU time of the slowest code and of all of them, from real weights to bytes and back."""
    torch.set_num_threads(1)
    weights = 0.05 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    scale, times = 1e7 / weights.numel(), {}
    for name, structure in _structures(shape).items():
        times[name] = _timed(structure, weights)
    for at, what in enumerate(("encode", "decode")):
        slowest = max(times, key=lambda name: times[name][at])
        told = ", ".join(f"{name} {scale * own[at]:.2f}" for name, own in times.items())
        yield Figure(f"{what}_s_per_10m", scale * times[slowest][at], "s", "at most 2", f"CPU time on one core: {told}")


def _structures(shape: tuple[int, int]) -> dict[str, Structure]:
    span, plan = Span(0.0, 1e6), MasksPlan(wiring="n_of_m", group=4)
    rule = Rule(**plan.model_dump(exclude={"kind", "layers", "file", "sha256"}), number=0)
    for block, nonzeros in ((8, 2), (16, 4)):
        ternary_table(block, nonzeros)  # made once
    return {
        "ternary_8_2": Ternary(shape, span),
        "ternary_16_4": Ternary(shape, span, block=16, nonzeros=4),
        "reusable_topology": Masks(shape, span, rule, wired(rule, shape)),
        "supermask": Supermask(shape, span),
    }


def _timed(structure: Structure, weights: torch.Tensor) -> tuple[float, float]:
    before = time.process_time()
    code = structure.code(weights)
    stored = {name: packed(one.values, one.bits) for name, one in code.fields.items()}
    encoded = time.process_time()
    fields = {name: Field(unpacked(stored[name], one.values.size, one.bits), one.bits) for name, one in code.fields.items()}
    read = partial(LayerCode, code.kind, code.shape, code.rule, code.seeds, fields, code.reals, code.table_bits)
    found = type(structure).decoded(read())
    done = time.process_time()
    assert np.array_equal(found, structure.held(weights).numpy())
    return encoded - before, done - encoded
