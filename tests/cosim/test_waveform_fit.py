"""Fits of waveforms: the exact solution against an ODE solver, parameters found again, errors that mean what they say."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cosim.errors import InputError
from cosim.fits import ideal_recovery
from cosim.fits.ideal_recovery import NEURON, PATTERNS, Recovery, recover, simulated_traces, synapses, truth
from cosim.fits.membrane_model import (
    ChargePulse,
    NeuronParameters,
    Spike,
    Stimuli,
    Trace,
    displacement,
    riccati_step,
    tanhc,
)
from cosim.fits.waveform_fit import NotDetermined, SynapseUnderTest, correlation_time, fit_waveforms

TIMES = np.arange(0.0, 1e-6, 4e-9)


def parameters(**changes: object) -> NeuronParameters:
    """One set for the synapses of the ideal column."""
    current = np.array([ideal_recovery.CURRENTS_A])
    per_sign = {
        "beta_per_v": {sign: 1 / e for sign, e in ideal_recovery.REVERSAL_V.items()},
        "charge_on_c": ideal_recovery.CHARGE_ON_C,
    }
    arrays = {name: np.where(current > 0, by[1], by[-1]) for name, by in per_sign.items()}
    values = NeuronParameters(
        *(np.array([x]) for x in (NEURON.capacitance_f, NEURON.start_v, NEURON.leak_s, NEURON.delay_s)),
        current_a=current, curvature_per_v2=np.zeros_like(current), charge_off_c=np.zeros_like(current), **arrays,
    )  # fmt: skip
    return replace(values, **changes)


def driven(bare: list[Trace], p: NeuronParameters) -> list[Trace]:
    """The traces with the voltages that the equation gives them."""
    voltages = NEURON.rest_v - displacement(p, Stimuli(bare, p.current_a.shape[1], -1.0))[:, 0].real
    return [replace(trace, membrane_v=v) for trace, v in zip(bare, np.split(voltages, len(bare)), strict=True)]


def traces(times: np.ndarray = TIMES) -> list[Trace]:
    """The patterns of the ideal column, as the equation gives them."""
    pulse = ideal_recovery._PULSE_A, ideal_recovery._PULSE_S
    bare = [
        Trace(
            f"pattern {k}", times, np.zeros_like(times),
            tuple(Spike(j, 1e-6 * t) for j, t in enumerate(spikes) if t is not None),
            (ChargePulse(charge * pulse[0], *pulse[1]),) if charge else (),
        )
        for k, (charge, spikes) in enumerate(PATTERNS)
    ]  # fmt: skip
    return driven(bare, parameters())


@pytest.mark.parametrize("z", [-2.0, -1e-5, 0.0, 3e-5, 1e-4, 0.3, 50.0])
def test_tanhc_is_its_definition(z: float) -> None:
    root = math.sqrt(abs(z))
    expected = 1.0 if z == 0 else math.tan(root) / root if z < 0 else math.tanh(root) / root
    assert tanhc(np.array(z)).real == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bend", [0.0, 0.4, -0.7, 3.0])
def test_a_step_is_the_solution_of_the_equation(bend: float) -> None:
    drive, decay, d = 0.9, 0.6, 0.8
    solved = solve_ivp(lambda _, u: drive - decay * u + bend * u * u, (0, d), [0.2], rtol=1e-11, atol=1e-13)
    assert riccati_step(*map(np.array, (0.2, drive, decay, bend, d))).real == pytest.approx(solved.y[0, -1], rel=1e-9)


def test_a_whole_trace_agrees_with_an_ode_solver() -> None:
    p = parameters(
        curvature_per_v2=np.full((1, 6), 0.05),
        charge_off_c=np.full((1, 6), 4e-16),
        leak_s=np.array([3e-8]),
    )
    spikes = (Spike(2, 0.2e-6, 0.7e-6), Spike(4, 0.1e-6), Spike(0, 0.4e-6))
    trace = Trace("one", TIMES, np.zeros_like(TIMES), spikes, (ChargePulse(4e-7, 0.05e-6, 0.3e-6),))
    c, u = NEURON.capacitance_f, NEURON.start_v
    on_s = {spike.synapse: spike.on_s + NEURON.delay_s for spike in spikes}
    edges = [0.0, *sorted([*on_s.values(), 0.7e-6, 0.05e-6, 0.3e-6]), 1e-6]
    expected = np.full(len(TIMES), np.nan)
    for start, end in itertools.pairwise(edges):
        on = [j for j in on_s if on_s[j] <= start and not (j == 2 and start >= 0.7e-6)]
        pulse = 4e-7 * (0.05e-6 <= start < 0.3e-6)
        u += sum(p.charge_on_c[0, j] for j in on_s if on_s[j] == start) / c + 4e-16 * (start == 0.7e-6) / c
        current, beta = p.current_a[0, on], p.beta_per_v[0, on]

        def slope(_: float, u: np.ndarray, pulse=pulse, current=current, beta=beta) -> np.ndarray:  # type: ignore[no-untyped-def]
            return (pulse - 3e-8 * u + (current * (1 - beta * u + 0.05 * u**2)).sum()) / c

        inside = (start <= TIMES) & (end > TIMES)
        solved = solve_ivp(slope, (start, end), [u], "DOP853", np.append(TIMES[inside], end), rtol=1e-11, atol=1e-12)
        expected[inside], u = solved.y[0, :-1], float(solved.y[0, -1])
    found = displacement(p, Stimuli([trace], 6, -1.0))[:, 0].real
    np.testing.assert_allclose(found, expected, atol=2e-9)


def test_every_parameter_of_an_exact_waveform_is_found_again() -> None:
    found = recover(traces())
    assert {one.name for one in found} == set(truth())
    assert max(one.relative_error for one in found) < 1e-6


def test_charge_of_switching_off_and_curvature_are_found_where_they_show() -> None:
    p = parameters(
        charge_off_c=np.where(np.array([ideal_recovery.CURRENTS_A]) > 0, 9e-16, 3e-16), curvature_per_v2=np.full((1, 6), 0.04)
    )
    ended = [replace(t, spikes=tuple(replace(s, off_s=s.on_s + 0.15e-6) for s in t.spikes)) for t in traces()]
    fit = fit_waveforms(driven(ended, p), synapses(), NEURON.rest_v, 1e-8, curvature=True)
    assert fit["charge_off.plus"].value == pytest.approx(9e-16, rel=1e-5)
    assert fit["charge_off.minus"].value == pytest.approx(3e-16, rel=1e-5)
    assert fit["curvature.minus"].value == pytest.approx(0.04, rel=1e-5)


def test_a_known_capacitance_does_for_a_known_charge() -> None:
    without = [t for t in traces() if not t.pulses]
    known = {"capacitance": NEURON.capacitance_f, "leak": NEURON.leak_s, "current.m5": -110e-9}
    used = [t for t in without if all(s.synapse != 5 for s in t.spikes)]
    some = [s for k, s in enumerate(synapses()) if k != 5]
    fit = fit_waveforms(used, some, NEURON.rest_v, 1e-8, known={k: v for k, v in known.items() if k != "current.m5"})
    assert fit["current.p2"].value == pytest.approx(240e-9, rel=1e-6)
    assert "capacitance" not in fit.names


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda ts: [t for t in ts if not t.pulses], "capacitance: voltages alone tell I/C"),
        (lambda ts: [t for t in ts if all(s.synapse != 5 for s in t.spikes)], "current.m5: this synapse is never on"),
        (
            lambda ts: [replace(t, pulses=tuple(replace(p, current_a=-p.current_a) for p in t.pulses)) for t in ts],
            "the wrong way",
        ),
    ],
)
def test_what_the_waveforms_do_not_tell_is_refused_by_name(spoil: object, what: str) -> None:
    with pytest.raises(NotDetermined, match=what):
        fit_waveforms(spoil(traces()), synapses(), NEURON.rest_v, 1e-8)  # type: ignore[operator]


def test_one_weight_cannot_tell_delay_from_charge() -> None:
    pulse = ChargePulse(1.4e-6, 20e-9, 80e-9)
    drawn = [
        Trace("charge", TIMES, np.zeros_like(TIMES), (), (pulse,)),
        Trace("early", TIMES, np.zeros_like(TIMES), (Spike(0, 0.2e-6),), ()),
    ]
    p = parameters()
    one = replace(
        p,
        **{
            name: getattr(p, name)[:, 1:2]
            for name in ("current_a", "beta_per_v", "curvature_per_v2", "charge_on_c", "charge_off_c")
        },
    )
    drawn = driven(drawn, one)
    with pytest.raises(NotDetermined, match=r"delay.*cannot tell them apart; use two weights"):
        fit_waveforms(drawn, [SynapseUnderTest("p", 1)], 1.3, 1e-8)


def test_a_membrane_that_never_moves_is_refused() -> None:
    with pytest.raises(InputError, match="still: membrane_v: never moves"):
        fit_waveforms([Trace("still", TIMES, np.full_like(TIMES, 1.3))], synapses(), 1.3, 1e-8)


def test_errors_mean_what_they_say() -> None:
    """Sixty draws of white noise: two sigma cover 95 % of them, give or take (three sigma of a binomial: 87 %)."""
    generator, exact, draws = np.random.default_rng(7), traces(TIMES[::3]), []
    for _ in range(60):
        noisy = [replace(t, membrane_v=t.membrane_v + 1e-3 * generator.standard_normal(len(t.membrane_v))) for t in exact]
        draws.append(recover(noisy))
    for name in truth():
        own = [one for draw in draws for one in draw if one.name == name]
        coverage = np.mean([abs(one.estimate - one.true) < 2 * one.standard_error for one in own])
        ratio = np.mean([one.standard_error for one in own]) / np.std([one.estimate for one in own])
        assert coverage >= 0.86, name
        assert 0.7 < ratio < 1.4, name


def test_residuals_that_hang_together_make_the_errors_larger() -> None:
    generator, n = np.random.default_rng(3), 20000
    white = generator.standard_normal(n)
    hanging = np.zeros(n)
    for k in range(1, n):
        hanging[k] = 0.9 * hanging[k - 1] + white[k]
    one_trace = np.zeros(n)
    assert correlation_time(white, one_trace) < 1.1
    assert correlation_time(hanging, one_trace) == pytest.approx(1.9 / 0.1, rel=0.25)


def test_a_model_that_misses_something_states_larger_errors() -> None:
    """A curvature that is there and not fitted: the residuals hang together, and the errors say so."""
    generator = np.random.default_rng(9)
    curved = driven(traces(), parameters(curvature_per_v2=np.full((1, 6), 0.03)))
    noisy = [replace(t, membrane_v=t.membrane_v + 1e-4 * generator.standard_normal(len(t.membrane_v))) for t in curved]
    lacking = fit_waveforms(noisy, synapses(), NEURON.rest_v, 1e-8)
    complete = fit_waveforms(noisy, synapses(), NEURON.rest_v, 1e-8, curvature=True)
    assert complete.correlation_time == 1.0
    assert lacking.correlation_time > 3.0
    assert lacking["capacitance"].standard_error > 2 * complete["capacitance"].standard_error


@pytest.mark.slow
def test_an_ideal_deck_gives_its_parameters_back() -> None:
    found: list[Recovery] = recover(simulated_traces())
    for one in found:
        assert one.relative_error < 0.005, one
        assert 0 < one.standard_error / abs(one.true) < 0.005, one
        assert abs(one.estimate - one.true) < 6 * one.standard_error, one
