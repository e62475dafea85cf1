"""What a corner of a layer looks like in every structure: `python -m benchmarks.structure_pictures docs/images`.

The same real weights, drawn by a seed, as each structure holds them; white is no device or one that is off.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from training.hardware import NormalisedModel
from training.network import RCSpikeNetwork
from training.structures.code import Compression
from training.structures.network import encode, put_structure
from training.structures.plan import NAMED

SHOWN, NEURONS, INPUTS = 24, 96, 96


def draw(folder: Path) -> Path:
    """structures.png in a folder."""
    stored = 0.1 * torch.randn(NEURONS, INPUTS, generator=torch.Generator().manual_seed(0))
    figure, axes = plt.subplots(2, 4, figsize=(12, 6.4), layout="constrained")
    for (name, plan), axis in zip(NAMED.items(), axes.flat, strict=False):
        network = RCSpikeNetwork((INPUTS, NEURONS), NormalisedModel.constant(3.0, -3.0))
        put_structure(network, plan)
        layer = next(iter(network))
        layer.set_weight(stored)
        weight = layer.weight.detach().numpy()[:SHOWN, :SHOWN]
        largest = float(np.abs(weight).max())
        axis.imshow(np.where(weight == 0, np.nan, weight), cmap="RdBu_r", vmin=-largest, vmax=largest)
        levels = len(np.unique(np.abs(weight[weight != 0]).round(6)))
        axis.set_title(
            f"{name}\n{Compression.of(encode(network)).bits_per_weight:.2f} bits a weight, {levels} magnitudes", fontsize=9
        )
        axis.set(xticks=[], yticks=[], xlabel="inputs", ylabel="neurons")
    axes.flat[-1].remove()
    path = folder / "structures.png"
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    print(draw(Path(sys.argv[1])))
