"""A finished network at another corner, temperature or supply: as it is biased, biased for the condition, programmed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from cosim.bench.bench import Bench
from cosim.calibration.discharger import discharger_current
from cosim.calibration.held import curves_of, fires_after_a_phase, held
from cosim.calibration.nominal import Nominal, layer_circuits
from cosim.characterize.extract import characterize
from cosim.design import Design
from cosim.design.condition import Condition
from netlists.crossbar import Cells
from training.calibration.chip import ideal
from training.calibration.circuit import LayerCircuit
from training.calibration.identify import Estimate
from training.calibration.program import Program
from training.calibration.reach import Freedom
from training.calibration.reprogram import reprogram
from training.hardware import HardwareModel

WIDER_V = 0.1
"""By how much weaker codes are characterised at another condition: fast corners and heat want them; steps stay as they are."""


class Biases(StrEnum):
    """What the biases of a circuit do at another condition.

    fixed: nothing, all are as designed, referenced to ground. replica: replicas of the cells hold four voltages
    (`cosim.calibration.replica`), and nothing of the network is measured. rebiased: dischargers and codes are set so that the
    condition's own cells give the weights that were trained, and a resting neuron fires after a phase. calibrated: besides, each
    neuron is programmed so that it sends what it was trained to send, by the model of the condition.
    """

    FIXED = "fixed"
    REPLICA = "replica"
    REBIASED = "rebiased"
    CALIBRATED = "calibrated"


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """A condition that was characterised: a bench there, its cells layer by layer, the network in its codes, and how far below
    rest its neurons' threshold is (V)."""

    bench: Bench
    cells: Sequence[Cells]
    nominal: Nominal
    threshold_v: float

    @classmethod
    def of(cls, bench: Bench, condition: Condition, nominal: Nominal) -> Elsewhere:
        """Characterise the cells of a bench's design at a condition. Raises what `characterize` raises, and `HeldError`."""
        design = with_wider_codes(condition.applied(bench.design), condition.supply_v - bench.design.process.supply_v)
        there = replace(bench, design=design, pdk=design.process.pdk(), failures=[])
        biased = replace(there, discharger_bias_v=_resting_bias(bench, there, nominal))
        hardware = characterize(biased).hardware
        circuits = layer_circuits(design, hardware, discharger_current(there, hardware))
        return cls(there, there.cells_of_layers(hardware), nominal.at(circuits), hardware.neuron.v_th_v)

    def program(self, estimates: Sequence[Estimate], wanted: Nominal, freedom: Freedom) -> Program:
        """For one die whose devices are known, to do here what the network does as designed; no die where all is nominal."""
        target = ideal(wanted.circuits, wanted.program, wanted.samples)
        found = reprogram(self.nominal.circuits, estimates, self.nominal.program, wanted.samples, target, freedom)
        return tuple(layer.die(0) for layer in found)


def _resting_bias(here: Bench, there: Bench, nominal: Nominal) -> float:
    """The bias (V) of a discharger with which a resting neuron fires after one phase there."""
    designed_v = nominal.circuits[0].discharger.nominal_v
    return fires_after_a_phase(there, held(curves_of(here), curves_of(there), "discharger", designed_v))


def with_wider_codes(design: Design, supply_shift_v: float) -> Design:
    """A design whose codes follow a shift of the supply and reach further to the weak side, in the same steps."""
    content = design.model_dump()
    weakest, strongest = content["synapse"]["nmos_bias_v"]
    content["synapse"]["nmos_bias_v"] = (weakest - WIDER_V, strongest)
    weakest_p, strongest_p = (bias + supply_shift_v for bias in content["synapse"]["pmos_bias_v"])
    content["synapse"]["pmos_bias_v"] = (weakest_p + WIDER_V, strongest_p)
    codes = content["characterization"]["codes"]
    share = 1 + WIDER_V / min(strongest - weakest, weakest_p - strongest_p)
    content["characterization"]["codes"] = int(np.ceil((codes - 1) * share)) + 1
    return Design.model_validate(content)


def cells_at(bench: Bench, condition: Condition, hardware: HardwareModel) -> tuple[Bench, Sequence[Cells]]:
    """A bench at a condition whose circuit keeps the biases that a hardware model found elsewhere."""
    design = condition.applied(bench.design)
    there = replace(bench, design=design, pdk=design.process.pdk(), failures=[])
    return there, there.cells_of_layers(hardware)


def carried_over(estimates: Sequence[Estimate], here: Sequence[LayerCircuit], there: Sequence[LayerCircuit]) -> list[Estimate]:
    """The devices of a die in the unknowns of another condition: the same shifts in volts, the same relative threshold."""
    return [
        replace(
            estimate,
            unknown=estimate.unknown * (scale := own.sigma / other.sigma),
            covariance=estimate.covariance * np.outer(scale, scale),
        )
        for estimate, own, other in zip(estimates, here, there, strict=True)
    ]


def nothing_known(nominal: Nominal) -> list[Estimate]:
    """The estimate of the circuit without mismatch."""
    return [Estimate.prior(c, 1, len(layer.bias_v)) for c, layer in zip(nominal.circuits, nominal.program, strict=True)]
