"""What one looks into with a script: membranes of all kept samples and the spikes of the outputs, as numbers in the page."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks import Block, Explorer
from reports.figures.style import NAME
from reports.run import Run

MOST_BYTES = 700_000
"""Of waveforms before they are written as text, which takes a third more: the page stays below 3 MB."""

MOST_POINTS, FEWEST_POINTS = 400, 60


def explorer(run: Run) -> list[Block]:
    """Membranes and spikes of the nominal circuit, to zoom and to pick from."""
    waveforms, spikes = run.tables["validation/waveforms"], run.tables["validation/spikes"]
    outputs = spikes[spikes.die.isna() & (spikes.layer == spikes.layer.max())]
    points = _points(waveforms)
    mappings = [
        _mapping(str(name), part, outputs[outputs.mapping == name], points) for name, part in waveforms.groupby("mapping")
    ]
    if not mappings or not points:
        return []
    # Within a script element "</" would end it, and "<!--" change what does.
    content = json.dumps({"mappings": mappings}, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    caption = (
        "The same to look into: choose a sample and a neuron, or click a spike; drag to zoom, double click to go back. Circuit solid, "
        f"model dashed, {points} points a line; cursors of both layers move together."
    )
    return [Explorer(content, caption)]


def _points(waveforms: pd.DataFrame) -> int:
    """Of each line, so that all of them fit; 0 where there are too many lines."""
    lines = len(waveforms[["mapping", "sample", "layer", "neuron"]].drop_duplicates())
    affordable = MOST_BYTES // (8 * max(lines, 1))
    return min(affordable, MOST_POINTS) if affordable >= FEWEST_POINTS else 0


def _mapping(name: str, waveforms: pd.DataFrame, spikes: pd.DataFrame, points: int) -> dict[str, Any]:
    told = spikes.dropna(subset=["model_spike_s", "circuit_spike_s"]).sort_values("model_spike_s")
    return {
        "name": name,
        "title": NAME.get(name, name),
        "samples": sorted({int(one) for one in waveforms["sample"]}),
        "neurons": int(waveforms.neuron.max()) + 1,
        "layers": [_layer(int(layer), part, points) for layer, part in waveforms.groupby("layer")],
        "spikes": {
            "model": _text(1e9 * told.model_spike_s),
            "error": _text(1e9 * (told.circuit_spike_s - told.model_spike_s)),
            "sample": [int(one) for one in told["sample"]],
            "neuron": [int(one) for one in told.neuron],
        },
    }


def _layer(layer: int, waveforms: pd.DataFrame, points: int) -> dict[str, Any]:
    """Lines of a layer on times that they share."""
    time = np.linspace(waveforms.time_s.min(), waveforms.time_s.max(), max(points, 2))
    lines = [
        {
            "sample": int(sample),
            "neuron": int(neuron),
            **{key: _text(np.interp(time, line.time_s, line[f"{key}_v"])) for key in ("circuit", "model")},
        }
        for (sample, neuron), line in waveforms.sort_values("time_s").groupby(["sample", "neuron"])
    ]
    return {"layer": layer, "time": _text(time), "lines": lines}


def _text(values: Any) -> str:
    """Numbers in single precision as base64."""
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode("ascii")
