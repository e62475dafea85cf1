"""A layer of RC-Spike neurons with the nonidealities of a hardware model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from training import elementwise
from training.capacitance import Capacitance
from training.coupling import Places
from training.drive_normalisation import DriveNormalisation, start_scale
from training.drop import Drop
from training.firing import FiringCurve, NeuronVariation
from training.gain_and_bias import BiasSpike, NeuronGain
from training.gates import GateShift
from training.hardware import NormalisedModel, WeightRange
from training.solvers.autograd_walk import mixed
from training.solvers.connection import AnyConnection, Convolution, Dense, Wired
from training.solvers.reversal import beta_of
from training.solvers.solver import DSTD, Accumulation, Exact, Solver
from training.synapses import SynapseCells, Synapses
from training.wiring import Lines

SolverName = Literal["exact", "dstd"]

COARSE = DSTD(steps=2, late=3.0)
"""A cheap stand-in for the accumulation phase: a cell until 7/8 of it, one behind, where hidden neurons spike."""
FEWEST_ON = 0.25
"""Of the first weights, the cells must be able to do this share."""

# Effective weights as designed to those of the synapses as made (noise, mismatch), of the same shape; differentiable.
Variation = Callable[[Tensor], Tensor]


class LayerOutput(NamedTuple):
    """What a layer computed, each [batch, out, ...]: spike times (1: silent), v(1) before and after the synapses switch off."""

    spike_times: Tensor
    membrane: Tensor
    switched_membrane: Tensor


class RCSpikeLayer(nn.Module):
    """`outputs` neurons behind a crossbar of `inputs` columns (equations: `training.hardware.NormalisedModel`).

    The parameters, and the whole state dict, are `weight` [out, in] and, where asked for, `gain.value`, `bias.weight` [out] and
    the `links` [out, in] that are wired. The hardware enters as buffers that are not saved, so the same weights load under
    another model.

    Args:
        inputs, outputs: size of the crossbar.
        model: the neuron equation's numbers.
        weight_range: what the cell can do, sign by sign; the model's own grid where None.
        fan_out: synapses on each output line, i.e. neurons of the next layer.
        solver: "exact" (event walk) or "dstd" in training. In evaluation the layer is always exact, and so are cells whose
            capacitance depends on their weight, and membranes that couple.
        steps, random_offset, late, moment, interpolated_adjoint: of `training.solvers.solver.DSTD`.
        leak: size of d t_out / d v where the neuron is silent or at its earliest spike. The true slope there is 0 and a silent
            neuron could never learn to fire; the forward value is not touched.
        membrane_leak: constant conductance of the membrane, in 1/phases.
        spike_delay: delay of every input spike on its way to the synapse, in phases.
        gain: a gain per neuron, `training.gain_and_bias.NeuronGain`.
        bias: a bias spike at t = 0, `training.gain_and_bias.BiasSpike`.
        normalise: batch normalisation of the drive, `training.drive_normalisation.DriveNormalisation`, instead of both;
            `fold_normalisation` makes a plain layer with a bias spike of it.
        spike_time_noise: rms noise of the spike times in training, in phases; also in evaluation if `noise_in_evaluation`.
        connection: how the inputs meet the synapses; `kernel` are the further axes of `weight` that it needs.
        open_ended: a spike may come later than its phase lasts, as the firing curve says of it.
    """

    links: Tensor | None
    """Which crossings have a device, shaped as `weight`; None: all."""
    coarse: bool
    """Whether training solves the phase by `COARSE`, whatever the solver."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        model: NormalisedModel,
        *,
        weight_range: WeightRange | None = None,
        fan_out: int = 0,
        solver: SolverName = "exact",
        steps: int = 10,
        random_offset: bool = False,
        late: float = 1.0,
        moment: bool = False,
        interpolated_adjoint: bool = False,
        leak: float = 0.1,
        membrane_leak: float = 0.0,
        spike_delay: float = 0.0,
        gain: bool = False,
        bias: bool = False,
        normalise: bool = False,
        spike_time_noise: float = 0.0,
        noise_in_evaluation: bool = False,
        connection: AnyConnection | None = None,
        kernel: tuple[int, ...] = (),
        open_ended: bool = False,
    ) -> None:
        super().__init__()
        if solver not in ("exact", "dstd"):
            raise ValueError(f"solver: {solver!r}; a layer is solved by 'exact' or 'dstd'")
        DSTD(steps, late=late)  # which refuses what is no grid, also where the layer is solved exactly
        for name, value in (
            ("spike_time_noise", spike_time_noise),
            ("membrane_leak", membrane_leak),
            ("spike_delay", spike_delay),
        ):
            if not 0.0 <= value < math.inf:
                raise ValueError(f"{name}: {value} must be 0 or more")
        if normalise and (gain or bias):
            raise ValueError("normalise: has a gain and a bias of its own; leave gain and bias out")
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, *kernel))
        self.register_buffer("links", None)
        self.gain = NeuronGain(outputs) if gain else None
        self.bias = BiasSpike(outputs) if bias else None
        self.normalisation = DriveNormalisation(outputs) if normalise else None
        self.connection: AnyConnection = connection or Dense()
        self.solver, self.steps, self.random_offset = solver, steps, random_offset
        self.late, self.moment, self.interpolated_adjoint = late, moment, interpolated_adjoint
        self.coarse = False
        self.leak, self.membrane_leak, self.spike_delay = leak, membrane_leak, spike_delay
        self.spike_time_noise, self.noise_in_evaluation = spike_time_noise, noise_in_evaluation
        self.fan_out, self.open_ended = fan_out, open_ended
        self.variation: Variation | None = None
        self.bias_variation: Variation | None = None
        self.neuron_variation: NeuronVariation | None = None
        self.bind(model, weight_range)

    def bind(self, model: NormalisedModel, weight_range: WeightRange | None = None) -> None:
        """Put the layer on another hardware model; the weights stay."""
        self.model = model
        self.weight_range = weight_range or WeightRange.of(model)
        self.cells = SynapseCells(model).to(self.weight)
        self.places = Places(model, self.weight.shape).to(self.weight)
        self.drop = Drop(model).to(self.weight)
        self.firing = FiringCurve(model, self.fan_out, self.leak, open_ended=self.open_ended).to(self.weight)

    def reset_parameters(self, generator: torch.Generator, spread: float | None = None) -> None:
        """Draw the weights: uniform, their mean 1/inputs (a membrane below rest never fires).

        Their standard deviation is spread / sqrt(inputs), so that the neurons of a layer differ however many inputs they have;
        None: 1.7 / inputs, which keeps the drive sum|w|/|E| small, and more where the cell has hardly such weights: a layer
        whose synapses are all off does not learn. Where the drive is normalised their mean is 0, and their scale is nothing.
        """
        inputs = self.weight[0].numel() if self.links is None else int(self.links.flatten(1).sum(1).max())
        scale = 5.0 / inputs
        low, high = self._reaching_the_cell(-0.4 * scale, 0.8 * scale)
        if spread is not None or self.normalisation is not None:
            middle = 1.0 / inputs if self.normalisation is None else 0.0
            half = (spread or 1.0) * math.sqrt(3.0 / inputs)
            low, high = middle - half, middle + half
        with torch.no_grad():
            drawn = torch.empty_like(self.weight).uniform_(low, high, generator=generator)
            if parametrize.is_parametrized(self, "weight"):
                drawn = self.parametrizations.weight[0].drawn(drawn)  # type: ignore[union-attr, index]
            self.set_weight(drawn)
            for module in (self.gain, self.bias):
                if module is not None:
                    module.reset_parameters()
            if self.normalisation is not None:
                self.normalisation.reset_parameters(start_scale(inputs, *self.model.reversals))
            self.project()

    def _reaching_the_cell(self, low: float, high: float) -> tuple[float, float]:
        """The range of the first weights, about the same mean, so wide that half of them are on where hardly any would be."""
        plus, minus = self.weight_range.plus[0], self.weight_range.minus[0]
        if max(high - plus, 0.0) + max(-low - minus, 0.0) >= FEWEST_ON * (high - low):
            return low, high
        middle, half = (low + high) / 2, plus + minus  # of -half .. half, the weights between -minus and plus are half
        return middle - half, middle + half

    @property
    def stored(self) -> Tensor:
        """What is trained of the weight: the weight itself, or what the structure that the layer has makes it from."""
        if parametrize.is_parametrized(self, "weight"):
            original: Tensor = self.parametrizations.weight.original  # type: ignore[union-attr, assignment]
            return original
        return self.weight

    @torch.no_grad()
    def set_weight(self, weight: Tensor) -> None:
        """Give the synapses these weights; where the layer has a structure, train from them on."""
        if parametrize.is_parametrized(self, "weight"):
            self.weight = weight  # type: ignore[assignment]
        else:
            self.weight.copy_(weight)

    def wire(self, links: Tensor) -> None:
        """Leave out the devices of the crossings [out, in, ...] that are not linked; their weights must be 0."""
        if links.shape != self.weight.shape:
            raise ValueError(f"links: {list(links.shape)} is not the shape of the weight, {list(self.weight.shape)}")
        self.links = links.to(self.weight.device, torch.bool)

    @torch.no_grad()
    def project(self) -> None:
        """Bring the stored weights back into the range of the cell (projected gradient descent)."""
        low, high = -self.weight_range.minus[1], self.weight_range.plus[1]
        if self.bias is not None:
            self.bias.weight.clamp_(low, high)
        if self.gain is not None:
            self.gain.project(self.stored, low, high)
        elif self.normalisation is None:  # whose weights have no scale of their own: those it makes of them are clipped
            self.stored.clamp_(low, high)

    @torch.no_grad()
    def fold_gain(self) -> None:
        """Put the gain of each neuron into its weights: the same layer without one."""
        if self.gain is not None:
            self.weight.mul_(self.gain.of(self.weight))
            self.gain = None

    @torch.no_grad()
    def fold_normalisation(self) -> None:
        """Put what normalises the drive into the weights and a bias spike: the same layer in evaluation, without it."""
        weight, bias = self._with_gain()
        if self.normalisation is not None and bias is not None:
            self.weight.copy_(weight)
            self.bias = BiasSpike(len(bias)).to(bias)
            self.bias.weight.copy_(bias)
            self.normalisation = None

    @property
    def lines(self) -> Lines:
        """The input of every synapse, [out, in]. A convolution has none before it is unrolled (`training.unrolling`)."""
        if isinstance(self.connection, Convolution):
            raise ValueError("a convolution has a synapse at every position; unroll the network")
        if isinstance(self.connection, Wired):
            return np.asarray(self.connection.lines.numpy())
        neurons, inputs = self.weight.shape
        return np.tile(np.arange(inputs), (neurons, 1))

    def extra_repr(self) -> str:
        return f"weight={list(self.weight.shape)}, solver={self.solver!r}"

    def crossbar(self) -> list[Tensor]:
        """The stored weights of all synapses, [out, in] and, of the bias spike, [out].

        Raises ValueError where the drive is normalised: no synapse has the weights that are stored there.
        """
        if self.normalisation is not None:
            raise ValueError("normalise: the stored weights are not those of the synapses before the layer is folded")
        return [self.weight] if self.bias is None else [self.weight, self.bias.weight]

    def bias_weight(self) -> Tensor | None:
        """Weights of the bias spike, [out], as they are asked of the cell; None where there is none."""
        return self._with_gain()[1]

    def _with_gain(self, t: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Weights, and those of the bias spike, with the gain of each neuron: from a mini-batch of spike times that it may be
        normalised by, or as evaluation has it."""
        if self.normalisation is None:
            weight = self.weight if self.gain is None else self.gain(self.weight)
            return weight, None if self.bias is None else self.bias.weight
        drive = None
        if t is not None:
            made = self.weight if self.links is None else self.weight * self.links
            drive = self.connection((1.0 - t).clamp(0.0, 1.0), made)
        gain, bias = self.normalisation(drive)
        return gain.view(-1, *[1] * (self.weight.dim() - 1)) * self.weight, bias

    def effective_weight(self) -> Tensor:
        """What the cell does with the stored weights, shaped as `weight`: clipped sign by sign, off below the smallest code.

        With the statistics of evaluation, where the drive is normalised. The gradient is straight through.
        """
        return self._realised(self._with_gain()[0])

    def _realised(self, weight: Tensor) -> Tensor:
        (least_minus, most_minus), (least_plus, most_plus) = self.weight_range.minus, self.weight_range.plus
        bounds = (-most_minus, -least_minus, least_plus, most_plus)
        if not weight.is_cpu:
            on_device: Tensor = elementwise.clip_weight(weight, *bounds)
            return on_device
        with torch.no_grad():
            clipped = elementwise.clip(weight, *bounds)
        return clipped + (weight - weight.detach())

    def synapses(self) -> Synapses:
        """Effective weights and what the hardware model says of each; linear between its points, differentiable."""
        made = self._as_made(self.effective_weight(), self.variation, self.links)
        return made._replace(beta=beta_of(made.beta, made.weight))

    def _as_made(self, weight: Tensor, variation: Variation | None, links: Tensor | None = None) -> Synapses:
        """Synapses of effective weights as designed; the cell is looked up by those, whatever current it then has.

        A gate that is shifted is another code: there the cell is looked up by what it gives.
        """
        if isinstance(variation, GateShift):
            shifted: Synapses = self.cells(variation(weight))
            return shifted if links is None else shifted.wired(links)
        cells: Synapses = self.cells(weight)
        made = cells if variation is None else cells._replace(weight=variation(weight))
        return made if links is None else made.wired(links)

    def fire(self, v: Tensor, capacitance: Tensor | None = None) -> Tensor:
        """Spike times of membranes v [batch, out, ...] at the start of the firing phase: see `training.firing.FiringCurve`.

        `capacitance` [out] is that of the neurons over their model's.
        """
        neurons = self.neuron_variation
        made = neurons and NeuronVariation(*(self.connection.per_output(part) for part in neurons))
        spike_times: Tensor = self.firing(v, made, None if capacitance is None else self.connection.per_output(capacitance))
        return self.places.delayed(spike_times)

    def forward(self, t: Tensor, generator: torch.Generator | None = None) -> LayerOutput:
        """Input spike times [batch, in] (t >= 1: none) to output spike times and membranes.

        `generator` draws the spike-time noise and the grid offset of DSTD.
        """
        t = t.to(self.weight.dtype) + self.spike_delay if self.spike_delay else t.to(self.weight.dtype)
        weight, of_bias = self._with_gain(t if self.training else None)
        synapses = self.places.kicked(self._as_made(self._realised(weight), self.variation, self.links))
        bias = None if of_bias is None else self._as_made(self._realised(of_bias), self.bias_variation)
        capacitance = self._capacitance(synapses, bias)
        if capacitance:
            synapses, bias = capacitance.moved_by(synapses), bias and capacitance.moved_by(bias)
        membrane = self._solver_of_now()(self.phase(t, synapses, bias, capacitance), generator)
        switched = self._switched_off(t, membrane, synapses, bias, capacitance)
        spike_times = self._fire_with_tail(t, switched, synapses, bias, capacitance)
        if self.spike_time_noise and (self.training or self.noise_in_evaluation):
            spike_times = self._jitter(spike_times, generator)
        return LayerOutput(spike_times, membrane, switched)

    def _capacitance(self, synapses: Synapses, bias: Synapses | None) -> Capacitance | None:
        """Of the membranes, where they differ from the model's column."""
        by_place = self.places.capacitance if self.places.has_capacitance else None
        return Capacitance.of(synapses, bias, by_place) if self.cells.has_load or by_place is not None else None

    def _switched_off(
        self, t: Tensor, membrane: Tensor, synapses: Synapses, bias: Synapses | None, capacitance: Capacitance | None
    ) -> Tensor:
        """Membranes after the synapses that were on have switched off; what had left their capacitance is back, empty."""
        moved = torch.zeros_like(membrane)
        if self.cells.has_load:
            moved = moved - membrane * self._of_arrived(t, synapses.lift)
        if self.cells.has_kick_off or self.places.has_kick:
            moved = moved + self._of_arrived(t, synapses.kick_off, bias and bias.kick_off)
        if self.places.has_falling:
            moved = moved + self._of_falling(t, synapses, self.places.off, capacitance)
        if self.drop.is_there:
            moved = moved + self._dropped(t, membrane, synapses, capacitance)
        membrane = membrane + mixed(moved, self.places.mixing(capacitance and capacitance.accumulating))
        return membrane * self.connection.per_output(capacitance.accumulating / capacitance.off) if capacitance else membrane

    def _fire_with_tail(
        self, t: Tensor, switched: Tensor, synapses: Synapses, bias: Synapses | None, capacitance: Capacitance | None
    ) -> Tensor:
        """Spike times; the tails of the switched synapses, and what leaks, move the membranes on until then."""
        off = capacitance and capacitance.off
        spike_times = self.fire(switched, off)
        if not (self.cells.has_tail or self.cells.has_leakage or self.places.has_coupling):
            return spike_times
        moved = switched
        if self.cells.has_tail:
            tail = self._of_arrived(t, synapses.kick_off_tail, bias and bias.kick_off_tail)
            if self.places.has_falling:
                tail = tail + self._of_falling(t, synapses, self.places.tail, capacitance)
            drift = self._of_arrived(t, synapses.kick_off_drift, bias and bias.kick_off_drift)
            after = spike_times.clamp_min(1e-3) / self.model.tail_reference
            moved = moved + tail * after.log() + drift * (after - 1.0)
        if self.cells.has_leakage:
            moved = moved + self._leaked(spike_times, synapses, bias, capacitance)
        if self.places.has_coupling:
            moved = moved + self.places.firing(switched, spike_times, off)
        return self.fire(moved, off)

    def _leaked(self, spike_times: Tensor, synapses: Synapses, bias: Synapses | None, capacitance: Capacitance | None) -> Tensor:
        """What the leakage of synapses that are no idle ones does to a firing membrane, as if it had been there at the start.

        The discharger dies away as e^{-k t}, and a drive is worth (e^{k t} - 1)/k at the start.
        """
        leakage = synapses.leakage - self.model.idle_leakage
        leakage = (leakage if self.links is None else leakage * self.links).flatten(1).sum(1)
        if bias is not None:
            leakage = leakage + bias.leakage - self.model.idle_leakage
        rate = -math.log1p(-1.0 / self.model.e_dis)
        if capacitance:
            leakage, spike_times = leakage * capacitance.accumulating, spike_times / self.connection.per_output(capacitance.off)
        return self.connection.per_output(leakage) * ((rate * spike_times).expm1() / rate if rate else spike_times)

    def phase(self, t: Tensor, synapses: Synapses, bias: Synapses | None, capacitance: Capacitance | None) -> Accumulation:
        """The accumulation phase of synapses as made."""
        leak = self.weight.new_full((len(self.weight),), self.membrane_leak) if self.membrane_leak else None
        if bias is not None:
            own = bias.weight * beta_of(bias.beta, bias.weight)
            leak = own if leak is None else own + leak
        drive = None if bias is None else bias.weight
        if self.model.leakage:
            of_neuron = self.weight.new_full((len(self.weight),), self.model.leakage)
            of_neuron = of_neuron / capacitance.accumulating if capacitance else of_neuron
            drive = of_neuron if drive is None else drive + of_neuron
        curved = self.cells.has_curvature
        return Accumulation(
            t, synapses.weight, synapses.beta, synapses.kick_on if self.cells.has_kick_on or self.places.has_kick else None,
            v_reset=self.model.v_reset, bias=drive, leak=leak, connection=self.connection,
            lift=synapses.lift if self.cells.has_load else None,
            curvature=synapses.gamma if curved else None,
            bend=bias.gamma * bias.weight if bias and curved else None,
            leakage=synapses.leakage if self.cells.has_leakage else None,
            mixing=self.places.mixing(capacitance and capacitance.accumulating),
        )  # fmt: skip

    def _solver_of_now(self) -> Solver:
        if self.cells.has_load or self.places.has_coupling or not self.training:
            return Exact()
        if self.coarse:
            return COARSE
        if self.solver == "exact":
            return Exact()
        return DSTD(self.steps, self.random_offset, self.late, self.moment, self.interpolated_adjoint)

    def _dropped(self, t: Tensor, membrane: Tensor, synapses: Synapses, capacitance: Capacitance | None) -> Tensor:
        """What lines that feed the rows take off."""
        of_neuron = capacitance and capacitance.accumulating
        weight = synapses.weight if of_neuron is None else synapses.weight * of_neuron[:, None]
        moved: Tensor = self.drop(t, weight, beta_of(synapses.beta, weight), membrane, of_neuron)
        return moved

    def _of_falling(self, t: Tensor, synapses: Synapses, each: Tensor, capacitance: Capacitance | None) -> Tensor:
        """What lines of another length than the column's leave as they fall."""
        arrived = (t < 1.0).to(t.dtype)
        return self.places.fallen(arrived, synapses.weight, each, capacitance and capacitance.accumulating)

    def _of_arrived(self, t: Tensor, charge: Tensor, of_bias: Tensor | None = None) -> Tensor:
        """Sum of a charge per synapse, shaped as `weight`, over the inputs that arrived; the bias always does."""
        total = self.connection((t < 1.0).to(t.dtype), charge)
        return total if of_bias is None else total + self.connection.per_output(of_bias)

    def _jitter(self, spike_times: Tensor, generator: torch.Generator | None) -> Tensor:
        """Noise on the spikes there are: a silent neuron stays silent, and no spike leaves its phase."""
        noise = torch.empty_like(spike_times).normal_(generator=generator)
        if not spike_times.is_cpu:
            jittered: Tensor = elementwise.jitter(spike_times, noise, self.spike_time_noise)
            return jittered
        with torch.no_grad():
            noise *= self.spike_time_noise
            moved = (spike_times + noise).clamp_(0.0, 1.0)
            noise = torch.where(spike_times < 1.0, moved - spike_times, 0.0)
        return spike_times + noise

    def _apply(self, fn: Any, recurse: bool = True) -> RCSpikeLayer:
        """Rebuild the buffers in full precision after a change of dtype or device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.bind(self.model, self.weight_range)
        return self
