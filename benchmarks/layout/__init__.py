"""The layout of the reference design and of larger arrays. Each part is a module with `figures(quick)`."""

from __future__ import annotations

PACKAGES = ("klayout", "numba", "PySpice")

PARTS = {
    "checks": "rules, comparison, seeded faults, time, area",
    "extraction": "how long the extraction of a network takes, and what its corners are",
    "spikes": "spikes of the network that was simulated as it was laid out, against a model with and without its places",
    "rails": "lines that feed the network as resistances",
    "switched": "coupling and those resistances switched on and off, in the circuit of that network and in its model",
    "lines": "lines of spikes as resistances, and their delay",
    "large": "coupling and the drop on the lines that feed an array of 64 x 32, in the model of a classifier and in its circuit",
    "gold": "the same layouts by magic and netgen, where these are",
    "gold_cells": "the cells of other synapses by magic and netgen",
}
"""In the order in which they are measured, and what each is about; the names of their figures begin with "layout."."""
