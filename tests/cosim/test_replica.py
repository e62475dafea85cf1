"""Biases that replicas hold, against a device whose current is known."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.bench.bench import Bench
from cosim.calibration.held import HeldError, fires_after_a_phase, held
from cosim.calibration.replica import Replicas
from cosim.design import Design
from training.calibration.program import LayerProgram

BIAS_V = np.linspace(0.0, 1.8, 73)


def current(bias_v: np.ndarray, threshold_v: float, temperature_k: float) -> np.ndarray:
    """Of a transistor in saturation (Enz, Krummenacher and Vittoz 1995): weak to strong inversion."""
    thermal_v = 8.617333e-5 * temperature_k
    return np.asarray(1e-6 * thermal_v**2 / 0.026**2 * np.log1p(np.exp((bias_v - threshold_v) / (2 * 1.3 * thermal_v))) ** 2)


@pytest.mark.parametrize("bias_v", [0.45, 0.56, 0.9])
def test_a_bias_is_held_to_a_current(bias_v: float) -> None:
    """At 30 C, with a threshold 3 mV lower, and on other steps of the supply: the bias of the same current to a tenth of a mV."""
    at_30 = BIAS_V * 1.01
    here, there = {"n": (BIAS_V, current(BIAS_V, 0.6, 300.0))}, {"n": (at_30, current(at_30, 0.597, 303.0))}
    found = held(here, there, "n", bias_v)
    assert current(np.array(found), 0.597, 303.0) == pytest.approx(current(np.array(bias_v), 0.6, 300.0), rel=3e-3)
    assert abs(found - bias_v) > 1e-3


def test_a_current_that_no_bias_keeps_is_one_line() -> None:
    weak = {"n": (BIAS_V, current(BIAS_V, 2.5, 300.0) + 1e-17)}
    with pytest.raises(HeldError, match=r"^n: no gate bias between 0 and 1\.8 V keeps "):
        held({"n": (BIAS_V, current(BIAS_V, 0.3, 300.0))}, weak, "n", 1.8)


@pytest.mark.parametrize("away_v", [0.0, 0.025, -0.035])
def test_the_replica_of_a_neuron_is_set_until_it_fires_after_one_phase(away_v: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its current keeps it, but for a threshold that moved too: the time falls by an e-fold each 45 mV, a little bent."""
    wanted = 0.56 + away_v

    class Fired:
        def run(self, points: list[float]) -> Fired:
            return self

        def row(self, bias: float) -> dict[str, float]:
            return {"spike_s": 1e-6 * np.exp((wanted - bias) / 0.045 + 3 * (bias - wanted) ** 2)}

        design = Design(name="x")

    monkeypatch.setattr("cosim.calibration.held.firing_time.points", lambda _bench, _size, biases: list(biases))
    assert fires_after_a_phase(Fired(), 0.56) == pytest.approx(wanted, abs=2e-6)  # type: ignore[arg-type]
    with pytest.raises(HeldError, match=r"^discharger: with 0\.360 to 0\.440 V a resting neuron does not fire after one"):
        fires_after_a_phase(Fired(), 0.4)  # type: ignore[arg-type]


def test_codes_move_with_the_reference_cell_of_their_sign() -> None:
    bench = Bench(Design(name="x"), None, None)  # type: ignore[arg-type]
    replicas = Replicas(bench, [], 0.002, -0.003, 0.001)
    layer = LayerProgram(np.array([[1, -1, 0]]), np.array([[0.5, 1.2, 0.0]]), np.array([0.56]))
    (moved,) = replicas.program((layer,))
    assert moved.code_v == pytest.approx(np.array([[0.502, 1.197, 0.0]])) and moved.bias_v == pytest.approx([0.561])
