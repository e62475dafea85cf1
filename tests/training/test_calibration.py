"""Dies of the model, measured by their spikes and programmed anew; every part against something that was not written here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from training.calibration.calibrate import Calibrated, Settings, calibrate
from training.calibration.chip import ModelDie, NoisyChip, ideal, layer_spikes, sent
from training.calibration.circuit import DischargerCurve, LayerCircuit, Rows
from training.calibration.identify import Estimate, Observed, identify
from training.calibration.joint import Whole
from training.calibration.least_squares import solve
from training.calibration.outputs import HELD, annealed_for_outputs, moved
from training.calibration.plan import candidates, plan
from training.calibration.program import LayerProgram, Program
from training.calibration.reach import Freedom, on_devices
from training.calibration.reprogram import reprogram
from training.calibration.steps import WAYS, Way, nearest, on_steps, rounded
from training.hardware import FloatArray, HardwareModel, normalise
from training.hardware_aware.variation import Mismatch

HARDWARE = HardwareModel.reference()
BIAS = HARDWARE.neuron.discharger_bias.value
DISCHARGER = DischargerCurve(
    BIAS + np.array([-0.045, -0.015, 0.0, 0.014, 0.03, 0.06]), np.log([0.367, 0.719, 1, 1.355, 1.906, 3.558]), BIAS
)
DRAW = np.random.default_rng(3)
SAMPLES = np.concatenate([DRAW.random((60, 4)), np.zeros((60, 1))], 1)
DIES = 3


def circuit(fan_out: int) -> LayerCircuit:
    return LayerCircuit(normalise(HARDWARE), DISCHARGER, Mismatch(), 5, fan_out)


CIRCUITS = [circuit(4), replace(circuit(0), inputs=4)]


def nominal() -> Program:
    """A network whose codes leave the devices room."""
    draw = np.random.default_rng(1)
    weights = [draw.uniform(0.05, 0.6, shape) * draw.choice([1, 1, 1, -1], shape) for shape in ((4, 5), (3, 4))]
    weights[0][1, 2] = 0.0
    return tuple(c.program(w, BIAS) for c, w in zip(CIRCUITS, weights, strict=True))


@pytest.fixture(scope="module")
def dies() -> list[ModelDie]:
    return [ModelDie.drawn(CIRCUITS, (4, 3), seed) for seed in range(1, DIES + 1)]


@pytest.fixture(scope="module")
def calibrated(dies: list[ModelDie]) -> Calibrated:
    return calibrate(dies, CIRCUITS, nominal(), SAMPLES, Settings(rounds=(8, 5), freedom=Freedom(margin_v=0.03)))


def errors(dies: list[ModelDie], program: Program) -> list[FloatArray]:
    """Rms of every layer and die (phases), on inputs that it was not programmed with."""
    new = np.concatenate([np.random.default_rng(9).random((DIES, 30, 4)), np.zeros((DIES, 30, 1))], 2)
    new = new[: len(dies)]
    unknown = [np.stack([die.unknown[layer] for die in dies]) for layer in (0, 1)]
    ideal = sent(CIRCUITS, [0 * u for u in unknown], tuple(layer.of_dies(len(dies)) for layer in nominal()), new)
    return [np.sqrt(((a - b) ** 2).mean((1, 2))) for a, b in zip(sent(CIRCUITS, unknown, program, new), ideal, strict=True)]


def test_a_calibrated_die_does_what_the_nominal_network_does(dies: list[ModelDie], calibrated: Calibrated) -> None:
    before = errors(dies, tuple(layer.of_dies(DIES) for layer in nominal()))
    after = errors(dies, calibrated.program)
    assert before[1].min() > 0.02
    assert all(layer.max() < 1.5e-3 for layer in after) and np.sqrt((after[1] ** 2).mean()) < 5e-4


def test_what_it_says_of_its_devices_is_true_within_its_uncertainty(dies: list[ModelDie], calibrated: Calibrated) -> None:
    for layer, estimate in enumerate(calibrated.estimates):
        truth = np.stack([die.unknown[layer] for die in dies])
        sigma = np.sqrt(np.einsum("dkii->dki", estimate.covariance))
        assert 0.9 <= (np.abs(estimate.unknown - truth) < 2 * sigma).mean() <= 1.0
        assert sigma.max() <= 1.0 + 1e-9 and sigma.min() < 0.2


def test_derivatives_are_differences() -> None:
    c, program = CIRCUITS[0], nominal()[0].of_dies(1)
    rows = Rows.of(program, SAMPLES[None, :3])
    unknown = np.random.default_rng(4).standard_normal((12, c.unknowns)) / 2
    fired, step = c.fire(unknown, rows), 1e-6
    for k in range(c.unknowns):
        moved = np.eye(c.unknowns)[k] * step
        difference = (c.spikes(unknown + moved, rows) - c.spikes(unknown - moved, rows)) / (2 * step)
        assert fired.by_unknown[:, k] == pytest.approx(difference, rel=1e-3, abs=1e-6)
    biased = (c.spikes(unknown, rows._replace(bias_v=rows.bias_v + 1e-7)) - fired.spike) / 1e-7
    assert fired.by_bias == pytest.approx(biased, rel=1e-3, abs=1e-4)
    coded = (c.spikes(unknown, rows._replace(code_v=rows.code_v + 1e-7 * np.eye(5)[1])) - fired.spike) / 1e-7
    assert fired.by_code[:, 1] == pytest.approx(coded, rel=1e-3, abs=1e-4)


def test_many_problems_end_where_scipy_ends_with_each() -> None:
    """Rosenbrock's valley from several starts, free and within bounds."""

    def residual(x: FloatArray) -> FloatArray:
        return np.stack([10 * (x[..., 1] - x[..., 0] ** 2), 1 - x[..., 0]], -1)

    def both(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        slope = np.zeros((len(x), 2, 2))
        slope[:, 0, 0], slope[:, 0, 1], slope[:, 1, 0] = -20 * x[:, 0], 10.0, -1.0
        return residual(x), slope

    starts = np.array([[-1.2, 1.0], [0.5, 0.4], [-0.5, -0.9]])
    for low, high in ((-np.inf, np.inf), (-1.5, 0.7)):
        clipped = np.clip(starts, low, high)
        found = solve(both, clipped, low, high, iterations=200, tolerance=1e-12).x
        expected = [
            least_squares(residual, start, bounds=(low, high + 1e-12), xtol=1e-12, ftol=1e-12).x for start in clipped * 0.999
        ]
        assert found == pytest.approx(np.array(expected), abs=1e-4)


def test_weights_between_devices_go_to_them_a_fifth_at_a_time() -> None:
    """Forty unknowns with a common sum: as on a grid of 0 and 1 each ends on it, and what is left over is made up for."""
    goal, asked = np.random.default_rng(2).uniform(0.1, 0.9, (1, 40)), 0

    def residuals(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        slope = np.broadcast_to(np.concatenate([0.1 * np.eye(40), np.ones((1, 40))]), (len(x), 41, 40))
        return np.concatenate([0.1 * (x - goal), (x - goal).sum(1, keepdims=True)], 1), slope

    def snapped(x: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        nonlocal asked
        asked += 1
        return np.rint(x), np.abs(x - np.rint(x)) > 1e-9

    x = on_devices(residuals, goal, np.zeros((1, 40)), np.ones((1, 40)), snapped, (5, 5)).x
    assert set(np.unique(x)) == {0.0, 1.0} and asked < 20
    assert abs((x - goal).sum()) <= 0.5 + 1e-9


def test_a_silent_neuron_says_that_it_is_not_early_and_no_more() -> None:
    """One that is slower than the prior believes and never fires moves nothing but what would have made it fire."""
    c = CIRCUITS[0]
    program = nominal()[0].of_dies(1)
    arrived = SAMPLES[None, :4]
    silent = Observed(program, arrived, np.ones((1, 4, 4)))
    estimate = identify(c, [silent], 1e-3)
    rows = silent.rows()
    at_prior, found = (c.spikes(x, rows) for x in (np.zeros((16, c.unknowns)), np.repeat(estimate.unknown[0], 4, 0)))
    fired = at_prior.reshape(4, 4) < 1.0
    assert fired.any() and (found.reshape(4, 4)[fired] > 0.98).all()
    late = ~fired.any(1)
    assert np.allclose(estimate.unknown[0, late], 0.0)


def test_one_wrong_spike_does_not_spoil_a_neuron(dies: list[ModelDie]) -> None:
    c, layer = CIRCUITS[0], nominal()[0]
    patterns = plan(CIRCUITS, [Estimate.prior(x, 1, n) for x, n in zip(CIRCUITS, (4, 3), strict=True)],
                    tuple(one.boosted(0.014) for one in nominal()), nominal(), SAMPLES, 12, 1e-3).patterns  # fmt: skip
    boosted = layer.boosted(0.014)
    true = dies[0].observe((boosted, nominal()[1]), patterns)[0]
    wrong = true.copy()
    wrong[3, 0] = min(wrong[3, 0] + 0.3, 0.99)
    rows = Rows.of(layer.of_dies(1), SAMPLES[None])

    def predicted(seen: FloatArray) -> FloatArray:
        estimate = identify(c, [Observed(boosted.of_dies(1), patterns[None], seen[None])], 1e-3)
        return c.spikes(np.repeat(estimate.unknown[0], len(SAMPLES), 0), rows)[: len(SAMPLES)]

    ideal = c.spikes(np.repeat(dies[0].unknown[0], len(SAMPLES), 0), rows)[: len(SAMPLES)]
    off = [float(np.sqrt(((predicted(seen) - ideal)[ideal < 1] ** 2).mean())) for seen in (true, wrong)]
    assert off[1] < 6e-3 and off[0] < off[1]


@pytest.mark.parametrize("step", [1e-3, 0.07, 0.15, 1 / 49, 0.0015])
def test_times_of_patterns_are_below_the_end_of_the_phase_or_silent(step: float) -> None:
    """Whether a step divides the phase or not: a quarter of the inputs is silent, and no file is read back as another plan."""
    times = candidates(40, SAMPLES[:0].reshape(0, 40), 0, step)
    assert times.max() == 1.0 and times[times < 1.0].max() <= 1.0 - 1e-9
    assert 0.2 < (times == 1.0).mean() < 0.3 + step
    assert times[times < 1.0] / step == pytest.approx(np.rint(times[times < 1.0] / step))


def test_planned_patterns_tell_more_than_random_ones() -> None:
    prior = [Estimate.prior(c, 1, n) for c, n in zip(CIRCUITS, (4, 3), strict=True)]
    boosted = tuple(layer.boosted(0.014) for layer in nominal())
    chosen = plan(CIRCUITS, prior, boosted, nominal(), SAMPLES, 8, 1e-3)
    assert chosen.patterns.shape == (8, 5) and len(np.unique(chosen.patterns, axis=0)) == 8
    assert (np.diff(chosen.expected, axis=0) < 1e-9).all() and (chosen.expected[-1] < chosen.expected[0] / 8).all()
    rough = plan(CIRCUITS, prior, boosted, nominal(), SAMPLES, 8, 1e-3, step=0.125)
    assert np.array_equal(rough.patterns * 8, np.rint(rough.patterns * 8)) and (rough.patterns < 1).any()
    assert (rough.expected[-1] < 1.5 * chosen.expected[-1]).all()  # few times are nearly as good as many


def test_codes_are_rounded_together() -> None:
    """Against all 3^5 neighbours: as good as the best of them, and far better than each by itself."""
    draw = np.random.default_rng(5)
    apart, together, best = [], [], []
    for _ in range(20):
        slope = draw.standard_normal((40, 5)) + 2 * draw.standard_normal((40, 1))
        normal, x, step = slope.T @ slope, draw.random(5), 0.1
        low, high = np.zeros(5), np.ones(5)
        grid = np.stack(np.meshgrid(*[[-1, 0, 1]] * 5), -1).reshape(-1, 5) * step + np.rint(x / step) * step
        grid = grid[(grid >= -1e-9).all(1) & (grid <= 1 + 1e-9).all(1)]

        def cost(y: FloatArray, x: FloatArray = x, normal: FloatArray = normal) -> float:
            return float((y - x) @ normal @ (y - x))

        y = rounded(x, normal, low, high, step)
        assert np.allclose(y / step, np.rint(y / step))
        apart.append(cost(np.rint(x / step) * step))
        together.append(cost(y))
        best.append(min(map(cost, grid)))
    assert np.sum(together) < 1.02 * np.sum(best) and np.sum(together) < np.sum(apart) / 2


def test_on_coarse_steps_no_neuron_is_worse_than_by_any_of_the_ways(dies: list[ModelDie]) -> None:
    """On the dies themselves, and not to first order alone, which does not reach that far."""
    own, unknown = CIRCUITS[0], np.stack([die.unknown[0] for die in dies])
    layer, freedom = nominal()[0].of_dies(len(dies)), Freedom(step_v=10e-3)
    times = np.broadcast_to(SAMPLES[:10], (len(dies), *SAMPLES[:10].shape))

    def sent_by(program: LayerProgram) -> FloatArray:
        return np.minimum(layer_spikes(own, unknown, program, times), 1.0)

    def misses(ways: tuple[Way, ...]) -> FloatArray:
        program = on_steps(own, unknown, layer, times, freedom, ways)
        on = program.sign != 0
        assert np.allclose(program.code_v[on] / 10e-3, np.rint(program.code_v[on] / 10e-3))
        return np.asarray(np.square(sent_by(program) - sent_by(layer)).sum(1))

    best = misses(())
    assert all((best <= misses((way,)) + 1e-12).all() for way in WAYS)
    assert best.sum() < 0.5 * misses((nearest,)).sum()


def test_without_biases_of_their_own_dischargers_share_one(dies: list[ModelDie]) -> None:
    found = calibrate(
        dies[:1], CIRCUITS, nominal(), SAMPLES[:8], Settings(rounds=(2,), freedom=Freedom(own_biases=False, step_v=1e-3))
    )
    layer = found.program[0]
    assert np.ptp(layer.bias_v) == 0 and abs(layer.bias_v[0, 0] - BIAS) < 10e-3
    assert layer.bias_v[0, 0] / 1e-3 == pytest.approx(round(layer.bias_v[0, 0] / 1e-3))
    on = layer.sign != 0
    assert np.allclose(layer.code_v[on] / 1e-3, np.rint(layer.code_v[on] / 1e-3))


def test_hidden_spikes_move_where_dischargers_share_a_line_so_that_outputs_are_right() -> None:
    """Layer by layer is where it starts, and is several times worse at the outputs, on new inputs too."""
    unknown = [np.random.default_rng(8).standard_normal((1, n, c.unknowns)) for n, c in zip((4, 3), CIRCUITS, strict=True)]
    known = [Estimate(u, np.zeros((*u.shape, u.shape[-1]))) for u in unknown]
    samples, new = SAMPLES[:30], SAMPLES[30:]
    shared = Freedom(own_biases=False, margin_v=0.03)
    whole = Whole.of(CIRCUITS, known, nominal(), shared)
    together = reprogram(CIRCUITS, known, nominal(), samples, ideal(CIRCUITS, nominal(), samples), shared)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.calibration.reprogram.jointly", lambda *given: given[3])
        apart = reprogram(CIRCUITS, known, nominal(), samples, ideal(CIRCUITS, nominal(), samples), shared)

    def off(program: Program) -> list[float]:
        misses = [
            a[0] - b for a, b in zip(sent(CIRCUITS, unknown, program, new[None]), ideal(CIRCUITS, nominal(), new), strict=True)
        ]
        return [float(np.sqrt((miss**2).mean())) for miss in misses]

    assert off(together)[1] < off(apart)[1] / 2 and off(together)[0] > off(apart)[0]
    for layer in together:
        assert np.ptp(layer.bias_v) < 1e-12 and abs(layer.bias_v[0, 0] - BIAS) > 1e-5
    x = whole.vector(together)
    assert all(np.allclose(a.code_v, b.code_v) for a, b in zip(whole.program(x), together, strict=True))
    assert not whole.snapped(x)[1].any()


def test_derivatives_of_a_whole_network_are_differences() -> None:
    """By every weight and bias of both layers, through the hidden spikes; at a chip's spikes the chip's count."""
    unknown = [np.random.default_rng(8).standard_normal((1, n, c.unknowns)) / 2 for n, c in zip((4, 3), CIRCUITS, strict=True)]

    def whole(dies: int, freedom: Freedom) -> Whole:
        same = [np.repeat(u, dies, 0) for u in unknown]
        return Whole.of(CIRCUITS, [Estimate(u, np.zeros((*u.shape, u.shape[-1]))) for u in same], nominal(), freedom)

    for freedom in (Freedom(), Freedom(own_biases=False)):
        one, inputs = whole(1, freedom), SAMPLES[:2]
        x = one.vector(tuple(layer.of_dies(1) for layer in nominal()))
        x[x == 0] = 0.02  # a weight that is off has no derivative of its own
        spikes, slopes = one.fire(x, inputs)
        steps = 1e-6 * np.eye(x.shape[1])
        ahead, behind = (whole(x.shape[1], freedom).fire(x + sign * steps, inputs)[0] for sign in (1, -1))
        for layer in (0, 1):
            difference = np.moveaxis((ahead[layer] - behind[layer]) / 2e-6, 0, -1)
            assert slopes[layer][0] == pytest.approx(difference, rel=2e-3, abs=2e-5)
        seen = [np.minimum(spike, 1.0).swapaxes(1, 2) for spike in spikes]
        assert np.allclose(one.fire(x, inputs, seen)[1][1], slopes[1])
        seen[0] = np.clip(seen[0] + 0.05, 0.0, 1.0)
        assert not np.allclose(one.fire(x, inputs, seen)[1][1], slopes[1])


def test_a_chip_in_the_loop_of_its_identified_model_gets_further_than_in_that_of_the_nominal_one(dies: list[ModelDie]) -> None:
    """Seen with a jitter of 0.5 ns, which it does not fit."""
    settings = Settings(rounds=(8, 5), jitter=5e-4, freedom=Freedom(margin_v=0.03), loop=2)
    chip = NoisyChip(dies[0], 5e-4, 1)
    known = calibrate([chip], CIRCUITS, nominal(), SAMPLES, settings)
    blind = calibrate([chip], CIRCUITS, nominal(), SAMPLES, replace(settings, loop=4, identified=False))
    off = [errors(dies[:1], found.program)[1][0] for found in (known, blind)]
    assert off[0] < 1e-3 and off[1] > 10e-3
    assert [len(found.loop_rmse[0]) for found in (known, blind)] == [3, 5]
    assert blind.loop_rmse[0][0] > 20e-3 and min(blind.loop_rmse[0]) < blind.loop_rmse[0][0] / 2
    assert len(blind.patterns) == 5 and not blind.estimates[0].unknown.any()


def test_jitter_is_seen_and_not_sent() -> None:
    quiet = ModelDie.drawn(CIRCUITS, (4, 3), 2)
    noisy = NoisyChip(quiet, 5e-3)
    a, b = (die.observe(nominal(), SAMPLES) for die in (quiet, noisy))
    fires = a[1] < 0.95
    assert (b[1] - a[1])[fires].std() == pytest.approx(5e-3, rel=0.15)
    assert np.all(b[1][a[1] == 1.0] == 1.0)


def test_a_program_of_dies_is_taken_apart() -> None:
    layer = LayerProgram(np.ones((2, 3), int), np.full((2, 3), 0.5), np.array([0.56, 0.57]))
    assert np.array_equal(layer.of_dies(3).die(1).bias_v, layer.bias_v) and layer.boosted(0.01).bias_v[0] == pytest.approx(0.57)


def test_weights_that_no_device_gives_are_made_up_for_by_the_others() -> None:
    """A neuron with a synapse that is off and one whose device is too strong at its weakest code."""
    c = CIRCUITS[0]
    layer = c.program(np.array([[0.3, 0.4, 0.0, 0.0185, 0.35]]), BIAS)
    unknown = np.zeros((1, 1, c.unknowns))
    unknown[..., 3] = 1.5
    samples = np.random.default_rng(2).random((40, 5))
    wanted = ideal([c], (layer,), samples)
    found = reprogram([c], [Estimate(unknown, np.zeros((1, 1, c.unknowns, c.unknowns)))], (layer,), samples, wanted, Freedom())
    low = c.code_range(1)[0]
    assert found[0].sign[0, 0, 2] == 0 and found[0].code_v[0, 0, 3] == pytest.approx(low)
    (sent_then,) = sent([c], [unknown], found, samples[None])
    left = float(np.sqrt(((sent_then[0] - wanted[0]) ** 2).mean()))
    alone = replace(layer, code_v=layer.code_v - np.array([[0, 0, 0, layer.code_v[0, 3] - low, 0]]))
    (uncorrected,) = sent([c], [unknown], (alone.of_dies(1),), samples[None])
    assert left < 0.6 * float(np.sqrt(((uncorrected[0] - wanted[0]) ** 2).mean()))


def test_codes_of_all_layers_make_up_for_each_other_at_the_outputs(dies: list[ModelDie]) -> None:
    """On new inputs too; hidden spikes pay for it."""
    unknown, freedom, samples = (
        [np.stack([die.unknown[layer] for die in dies]) for layer in (0, 1)],
        Freedom(step_v=3e-3),
        SAMPLES[:20],
    )
    known = [Estimate(own, np.zeros((*own.shape, own.shape[-1]))) for own in unknown]
    apart = reprogram(CIRCUITS, known, nominal(), samples, ideal(CIRCUITS, nominal(), samples), freedom, WAYS)
    together = annealed_for_outputs(CIRCUITS, known, nominal(), apart, samples, freedom)
    for layer in together:
        for volts in (layer.code_v[layer.sign != 0], layer.bias_v):
            assert np.allclose(volts / freedom.step_v, np.rint(volts / freedom.step_v))
    assert (errors(dies, together)[1] < errors(dies, apart)[1]).all()
    assert errors(dies, together)[1].mean() < 0.6 * errors(dies, apart)[1].mean()


def test_codes_of_a_die_are_moved_to_the_best_of_all_next_steps() -> None:
    draw, step = np.random.default_rng(4), 1e-3
    for seed in range(8):
        misses, slopes, volts = draw.standard_normal(12), 1e3 * draw.standard_normal((12, 6)), step * draw.integers(400, 600, 6)
        low, high = volts - np.array([0.0, 1, 1, 1, 1, 0]) * step, volts + np.array([1.0, 1, 1, 1, 1, 0]) * step
        moves = step * np.stack(np.meshgrid([0, 1], *[[-1, 0, 1]] * 4, [0]), -1).reshape(-1, 6)
        held = HELD * np.trace(slopes[:, :5].T @ slopes[:, :5]) / 5
        cost = np.square(misses + moves @ slopes.T).sum(1) + held * np.square(moves).sum(1)
        assert moved(volts, low, high, misses, slopes, step, seed) == pytest.approx(volts + moves[cost.argmin()])
