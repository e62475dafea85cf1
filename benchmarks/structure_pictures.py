"""What a corner of a layer looks like in every structure: `python -m benchmarks.structure_pictures docs/images`.

The same real weights, drawn by a seed, as each structure holds them; white is no device or one that is off. What is assigned
after training is assigned for inputs that go together as neighbours do. At last spike times, as a counter has them and as words.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from training.hardware import NormalisedModel
from training.network import RCSpikeNetwork
from training.structures.code import Compression
from training.structures.network import assign, encode, put_structure
from training.structures.plan import NAMED
from training.structures.spike_times import SpikeCounter
from training.structures.spike_vectors import SpikeVectors

SHOWN, NEURONS, INPUTS = 24, 96, 96


def draw(folder: Path) -> Path:
    """structures.png in a folder."""
    stored = 0.1 * torch.randn(NEURONS, INPUTS, generator=torch.Generator().manual_seed(0))
    t = _together()
    figure, axes = plt.subplots(3, 4, figsize=(12, 9.4), layout="constrained")
    for (name, plan), axis in zip(NAMED.items(), axes.flat, strict=False):
        network = RCSpikeNetwork((INPUTS, NEURONS), NormalisedModel.constant(3.0, -3.0))
        put_structure(network, plan)
        layer = next(iter(network))
        layer.set_weight(stored)
        assign(network, t)
        weight = layer.weight.detach().numpy()[:SHOWN, :SHOWN]
        largest = float(np.abs(weight).max())
        axis.imshow(np.where(weight == 0, np.nan, weight), cmap="RdBu_r", vmin=-largest, vmax=largest)
        levels = len(np.unique(np.abs(weight[weight != 0]).round(6)))
        axis.set_title(
            f"{name}\n{Compression.of(encode(network)).bits_per_weight:.2f} bits a weight, {levels} magnitudes", fontsize=9
        )
        axis.set(xticks=[], yticks=[], xlabel="inputs", ylabel="neurons")
    _counted(axes.flat[-2])
    _words(axes.flat[-1])
    path = folder / "structures.png"
    figure.savefig(path, dpi=110)
    return path


def _together() -> torch.Tensor:
    """Spikes of inputs that go together the nearer they stand, [samples, inputs]."""
    near = torch.exp(-(torch.arange(INPUTS)[:, None] - torch.arange(INPUTS)).abs() / 8.0)
    draws = torch.randn(400, INPUTS, generator=torch.Generator().manual_seed(1))
    spikes: torch.Tensor = 0.5 + 0.2 * draws @ torch.linalg.cholesky(near).T
    return spikes.clamp(0.0, 1.0)


def _counted(axis: Axes) -> None:
    """What a counter of three bits makes of a spike."""
    t = torch.linspace(0.0, 1.0, 801)
    axis.plot(t, SpikeCounter(3)(t), color="tab:blue")
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    axis.set_title("spike times, 3 bits\none word a spike", fontsize=9)
    axis.set(xlabel="spike (phases)", ylabel="as counted", aspect="equal")


def _words(axis: Axes) -> None:
    """Pairs of spikes that go together, and the sixteen words that a table learns for them."""
    generator, coder = torch.Generator().manual_seed(0), SpikeVectors(4, 2)
    first = torch.rand(4000, 1, generator=generator)
    pairs = torch.cat([first, first + 0.12 * torch.randn(4000, 1, generator=generator)], 1).clamp(0.0, 1.0)
    for part in pairs.repeat(5, 1).split(100):  # type: ignore[no-untyped-call]
        coder(part)
    axis.plot(*pairs[:600].T, ".", color="0.75", markersize=2)
    axis.plot(*coder.vectors.T, "o", color="tab:red", markersize=4)
    axis.set_title("spike times of two neighbours\none word of 4 bits for both", fontsize=9)
    axis.set(xlabel="spike (phases)", ylabel="its neighbour's", aspect="equal")


if __name__ == "__main__":
    print(draw(Path(sys.argv[1])))
