"""The neurons of a layer as the hardware model knows them, in the unknowns of a die."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.calibration.program import LayerProgram
from training.firing import NeuronVariation
from training.gates import GateCurve, GateShift, interpolated
from training.hardware import FloatArray, NormalisedModel, WeightRange
from training.hardware_aware.variation import Mismatch
from training.layer import RCSpikeLayer
from training.solvers.connection import Each
from training.solvers.solver import reached

BOOST_SIGMA = 0.005
"""How far a raised discharger current is off what the nominal one says, relative, for each `BOOST_V` that it is raised by."""

BOOST_V = 14e-3

BEYOND = (0.1, 3.0)
"""Of the smallest and of the largest weight: how far codes may lie beyond the range that was characterised."""


@dataclass(frozen=True)
class DischargerCurve:
    """ln of the discharger's current, over that at the nominal bias, against its bias (V, rising)."""

    bias_v: FloatArray
    log_current: FloatArray
    nominal_v: float

    @cached_property
    def _grid(self) -> tuple[Tensor, Tensor]:
        from scipy.interpolate import PchipInterpolator

        fine = np.linspace(self.bias_v[0], self.bias_v[-1], 257)
        return torch.as_tensor(fine), torch.as_tensor(PchipInterpolator(self.bias_v, self.log_current)(fine))

    def log_at(self, bias_v: Tensor) -> Tensor:
        """Any shape; differentiable; straight beyond the ends."""
        return interpolated(bias_v, *self._grid)

    def bias_of(self, log_current: FloatArray) -> FloatArray:
        """The bias that gives ln of the current over the nominal one, any shape."""
        return interpolated(torch.as_tensor(log_current), *reversed(self._grid)).numpy()

    @property
    def slope_per_v(self) -> float:
        """At the nominal bias, e-folds a volt."""
        around = torch.tensor([-1e-3, 1e-3], dtype=torch.float64) + self.nominal_v
        return float(self.log_at(around).diff()) / 2e-3


class Rows(NamedTuple):
    """What single neurons get and are set to, a row each: times and codes [rows, in], biases [rows]."""

    times: FloatArray
    sign: NDArray[np.int_]
    code_v: FloatArray
    bias_v: FloatArray

    @classmethod
    def of(cls, program: LayerProgram, times: FloatArray) -> Rows:
        """Every neuron of every die at every pattern of its die: `times` [dies, patterns, in] -> rows [dies, out, patterns]."""
        dies, out, inputs = program.sign.shape
        shape = (dies, out, times.shape[1], inputs)

        def each(x: NDArray[Any]) -> NDArray[Any]:
            return np.broadcast_to(x[:, :, None], shape[: x.ndim + 1]).reshape(-1, *x.shape[2:])

        arrived = np.broadcast_to(times[:, None], shape).reshape(-1, inputs)
        return cls(arrived, *map(each, (program.sign, program.code_v, program.bias_v)))


def joined(rounds: Sequence[Rows], neurons: int) -> Rows:
    """Rows [neurons, patterns] of several rounds as those of one: [neurons, patterns of all rounds]."""

    def join(*parts: NDArray[Any]) -> NDArray[Any]:
        own = [part.reshape(neurons, -1, *part.shape[1:]) for part in parts]
        return np.concatenate(own, 1).reshape(-1, *parts[0].shape[1:])

    return Rows(*map(join, *rounds))


class Fired(NamedTuple):
    """Of every row: the spike (phases, later than 1 where it comes too late), and its derivatives by the unknowns
    [rows, unknowns], by the code of each synapse (1/V) [rows, in] and by the bias (1/V) [rows]."""

    spike: FloatArray
    by_unknown: FloatArray
    by_code: FloatArray
    by_bias: FloatArray


class Driven(NamedTuple):
    """Of every row: the spike (phases, later than 1 where it comes too late), and its derivatives by each weight as made
    [rows, in], by ln of the discharger's current [rows] and by when each input arrives [rows, in]."""

    spike: FloatArray
    by_weight: FloatArray
    by_current: FloatArray
    by_time: FloatArray


class AsMade(NamedTuple):
    """Neurons as made: gate shifts of their devices (V) [..., in], threshold over the nominal one, gate shift of the discharger
    (V), and how far it is off once it is raised by `BOOST_V`, [...]."""

    plus_v: FloatArray
    minus_v: FloatArray
    threshold: FloatArray
    discharger_v: FloatArray
    boost: FloatArray


@dataclass(frozen=True)
class LayerCircuit:
    """The neurons of a layer, and how far a die may be off.

    The unknowns of a neuron, in standard deviations of their prior: the gate shift of the positive and of the negative device of
    every synapse, its threshold, the gate shift of its discharger, and how far a raised discharger is off. 2 in + 3 of them.
    """

    model: NormalisedModel
    discharger: DischargerCurve
    mismatch: Mismatch
    inputs: int
    fan_out: int

    @property
    def unknowns(self) -> int:
        return 2 * self.inputs + 3

    @cached_property
    def sigma(self) -> FloatArray:
        """Of the prior: volts for shifts, relative for the threshold and the raised discharger."""
        plus, minus = (
            np.sqrt(np.log1p(spread**2)) / abs(curve.slope_at_middle())
            for spread, curve in zip((self.mismatch.device_plus, self.mismatch.device_minus), self.gates, strict=True)
        )
        discharger = np.sqrt(np.log1p(self.mismatch.device_discharger**2)) / self.discharger.slope_per_v
        shifts = [np.full(self.inputs, x) for x in (plus, minus)]
        return np.array([*shifts[0], *shifts[1], self.mismatch.device_threshold, discharger, BOOST_SIGMA])

    @cached_property
    def gates(self) -> tuple[GateCurve, GateCurve]:
        like = torch.zeros((), dtype=torch.float64)
        return GateCurve(self.model.plus, like), GateCurve(self.model.minus, like)

    def code_range(self, sign: int) -> tuple[float, float]:
        """Lowest and highest code of a sign (V)."""
        codes = self.gates[0 if sign > 0 else 1].bias_v
        return float(codes.min()), float(codes.max())

    def weight(self, sign: NDArray[np.int_], code_v: FloatArray) -> FloatArray:
        """Weights as designed of any shape."""
        code = torch.tensor(code_v)
        plus, minus = (curve.log_weight(code).exp().numpy() for curve in self.gates)
        return np.where(sign > 0, plus, np.where(sign < 0, -minus, 0.0))

    def codes(self, weights: FloatArray) -> FloatArray:
        """Of weights as designed, any shape (V); 0 where they are off."""
        sign = np.sign(weights)
        log_w = torch.as_tensor(np.log(np.where(sign == 0, 1.0, np.abs(weights))))
        plus, minus = (curve.bias(log_w).numpy() for curve in self.gates)
        return np.where(sign > 0, plus, np.where(sign < 0, minus, 0.0))

    def program(self, weights: FloatArray, bias_v: float) -> LayerProgram:
        """Of weights as designed, [out, in], with one bias for all dischargers."""
        return LayerProgram(np.sign(weights).astype(int), self.codes(weights), np.full(len(weights), bias_v))

    def as_made(self, unknown: FloatArray) -> AsMade:
        """What neurons off by `unknown` [..., unknowns] are."""
        own, n = unknown * self.sigma, self.inputs
        return AsMade(own[..., :n], own[..., n : 2 * n], 1.0 + own[..., 2 * n], own[..., 2 * n + 1], own[..., 2 * n + 2])

    def current_of(self, made: AsMade, bias_v: FloatArray) -> FloatArray:
        """ln of the discharger's current over the nominal one, at a bias."""
        log_current = self.discharger.log_at(torch.as_tensor(bias_v + made.discharger_v)).numpy()
        return np.asarray(log_current + made.boost * (bias_v - self.discharger.nominal_v) / BOOST_V)

    def bias_of(self, made: AsMade, log_current: FloatArray) -> FloatArray:
        """The bias that gives ln of the discharger's current over the nominal one."""
        bias = self.discharger.bias_of(log_current) - made.discharger_v
        raised = made.boost * (bias - self.discharger.nominal_v) / BOOST_V
        return self.discharger.bias_of(log_current - raised) - made.discharger_v

    def matching_current(self, threshold: FloatArray) -> FloatArray:
        """ln of the current that discharges to another threshold in the time of the nominal one."""
        b = 1.0 / self.model.e_dis
        return np.asarray(np.log(threshold if b == 0 else np.log1p(-b * threshold) / np.log1p(-b)))

    def made_range(self, made: AsMade, sign: int, margin_v: float) -> tuple[FloatArray, FloatArray]:
        """Smallest and largest |w| that the devices of a sign give within their codes, [..., in]."""
        curve, shift = (self.gates[0], made.plus_v) if sign > 0 else (self.gates[1], made.minus_v)
        low, high = self.code_range(sign)
        ends = [curve.log_weight(torch.as_tensor(code + shift)).exp().numpy() for code in (low - margin_v, high + margin_v)]
        return np.minimum(*ends), np.maximum(*ends)

    def setting(self, made: AsMade, weight: FloatArray, bias_v: FloatArray) -> LayerProgram:
        """The program with which neurons as made have these weights."""
        sign = np.sign(weight).astype(int)
        shift = np.where(sign > 0, made.plus_v, made.minus_v)
        return LayerProgram(sign, np.where(sign == 0, 0.0, self.codes(weight) - shift), bias_v)

    def fire_weights(self, weight: FloatArray, threshold: FloatArray, log_current: FloatArray, times: FloatArray) -> Driven:
        """Spikes of neurons whose weights are as given once they are made, a row each: weights and times [rows, in], thresholds
        over the nominal one and ln of the dischargers' currents [rows]."""
        layer = self._neurons(times, WeightRange((0.0, np.inf), (0.0, np.inf)))
        layer.weight.data = torch.tensor(weight)
        current, arrived = torch.tensor(log_current).requires_grad_(), torch.tensor(times).requires_grad_()
        layer.neuron_variation = NeuronVariation(torch.as_tensor(threshold), current.exp())
        spike = layer(arrived).spike_times
        found = torch.autograd.grad(spike.sum(), (layer.weight, current, arrived))
        return Driven(spike.detach().numpy(), *(slope.numpy() for slope in found))

    def fire(self, unknown: FloatArray, rows: Rows) -> Fired:
        """Spikes of neurons off by `unknown` [rows, unknowns], and their derivatives."""
        layer, given = self._layer(rows), torch.as_tensor(unknown * self.sigma).requires_grad_()
        bias = torch.tensor(rows.bias_v).requires_grad_()
        self._make(layer, given, bias)
        spike = layer(torch.tensor(rows.times)).spike_times
        by_physical, by_bias = torch.autograd.grad(spike.sum(), (given, bias))
        found = by_physical.numpy()
        plus, minus = found[:, : self.inputs], found[:, self.inputs : 2 * self.inputs]
        by_code = np.where(rows.sign > 0, plus, np.where(rows.sign < 0, minus, 0.0))
        return Fired(spike.detach().numpy(), found * self.sigma, by_code, by_bias.numpy())

    @torch.no_grad()
    def spikes(self, unknown: FloatArray, rows: Rows) -> FloatArray:
        """`fire` without derivatives."""
        layer = self._layer(rows)
        self._make(layer, torch.as_tensor(unknown * self.sigma), torch.tensor(rows.bias_v))
        result: FloatArray = layer(torch.tensor(rows.times)).spike_times.numpy()
        return result

    @torch.no_grad()
    def reached(self, unknown: FloatArray, rows: Rows) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest membrane of every row while it accumulates, in thresholds."""
        layer = self._layer(rows)
        self._make(layer, torch.as_tensor(unknown * self.sigma), torch.tensor(rows.bias_v))
        low, high = reached(layer.phase(torch.tensor(rows.times), layer.synapses(), None, None))
        return low.numpy(), high.numpy()

    def _layer(self, rows: Rows) -> RCSpikeLayer:
        """A neuron a row, as designed."""
        spans = [(one.smallest * BEYOND[0], one.largest * BEYOND[1]) for one in (self.model.plus, self.model.minus)]
        layer = self._neurons(rows.times, WeightRange(*spans))
        layer.weight.data = torch.as_tensor(self.weight(rows.sign, rows.code_v))
        layer.weight.requires_grad_(False)
        return layer

    def _neurons(self, times: FloatArray, weight_range: WeightRange) -> RCSpikeLayer:
        return RCSpikeLayer(
            self.inputs, len(times), self.model, weight_range=weight_range, fan_out=self.fan_out, connection=Each(),
            open_ended=True, leak=0.0,
        ).double().eval()  # fmt: skip

    def _make(self, layer: RCSpikeLayer, physical: Tensor, bias_v: Tensor) -> None:
        """Its neurons as made, off by shifts in volts and relative threshold and boost."""
        n = self.inputs
        plus, minus, (threshold, discharger, boost) = physical[:, :n], physical[:, n : 2 * n], physical[:, 2 * n :].unbind(1)
        layer.variation = GateShift(self.model, plus, minus)
        raised = boost * (bias_v - self.discharger.nominal_v) / BOOST_V
        log_current = self.discharger.log_at(bias_v + discharger) + raised
        layer.neuron_variation = NeuronVariation(1.0 + threshold, log_current.exp())
