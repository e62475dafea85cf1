"""Measured files through the fits: parameters found again, bad files refused by one line each, the rest goes on."""

from __future__ import annotations

import contextlib
import json
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cosim.cli.main import app
from cosim.design import Design, load_design
from cosim.errors import InputError
from cosim.fits.membrane_model import ChargePulse, NeuronParameters, Spike, Stimuli, Trace, displacement
from cosim.silicon.files import IvTable, read
from cosim.silicon.fit import SiliconFit, fit_silicon
from training.hardware import REFERENCE_FILE, HardwareModel

REFERENCE = Path(__file__).parents[2] / "designs" / "iris_5_5_5.toml"
REST, TIMES = 1.3, np.arange(0.0, 1e-6, 4e-9)
SYNAPSES = (("n1", 1, 0.50, 30e-9), ("n2", 1, 0.58, 200e-9), ("p1", -1, 1.20, -15e-9), ("p2", -1, 1.08, -90e-9))
CAPACITANCE, DELAY, LEAK, REVERSAL, KICK = 152e-15, 3e-9, 5e-9, {1: 2.5, -1: 1.4}, {1: 9e-16, -1: -6e-16}
PATTERNS: tuple[tuple[float, dict[int, float]], ...] = (
    (1.5e-6, {}),
    (-8e-7, {1: 0.3}),
    (0.0, {0: 0.15, 1: 0.6}),
    (1.5e-6, {2: 0.2, 3: 0.5}),
    (0.0, {3: 0.2, 1: 0.7}),
    (9e-7, {0: 0.3, 2: 0.6}),
)
"""Known current (A) for 60 ns, and when each synapse fires (us)."""


@pytest.fixture(scope="module")
def design() -> Design:
    return load_design(REFERENCE)


@pytest.fixture(scope="module")
def base() -> HardwareModel:
    return HardwareModel.reference()


def write_waveforms(folder: Path, noise_v: float = 2e-4) -> list[Path]:
    """A circuit with known parameters: CSV files, each with its stimulus beside it."""
    signs, currents = np.array([s[1] for s in SYNAPSES]), np.array([[s[3] for s in SYNAPSES]])
    p = NeuronParameters(
        *(np.array([x]) for x in (CAPACITANCE, 1e-3, LEAK, DELAY)), current_a=currents,
        beta_per_v=np.array([[s / REVERSAL[int(s)] for s in signs]]), curvature_per_v2=np.zeros((1, 4)),
        charge_on_c=np.array([[KICK[int(s)] for s in signs]]), charge_off_c=np.zeros((1, 4)),
    )  # fmt: skip
    generator, paths = np.random.default_rng(5), []
    for k, (pulse_a, spikes_us) in enumerate(PATTERNS):
        spikes = tuple(Spike(j, 1e-6 * t) for j, t in spikes_us.items())
        pulses = (ChargePulse(pulse_a, 20e-9, 80e-9),) if pulse_a else ()
        trace = Trace("", TIMES, np.zeros_like(TIMES), spikes, pulses)
        u = displacement(p, Stimuli([trace], 4, -1.0))[:, 0].real + noise_v * generator.standard_normal(len(TIMES))
        path = folder / f"pattern_{k}.csv"
        lines = [f"{t!r},{v!r}" for t, v in zip(TIMES.tolist(), (REST - u).tolist(), strict=True)]
        path.write_text("time_s,membrane_v\n" + "\n".join(lines) + "\n")
        path.with_suffix(".toml").write_text(stimulus(spikes, pulses))
        paths.append(path)
    return paths


def stimulus(spikes: tuple[Spike, ...], pulses: tuple[ChargePulse, ...]) -> str:
    used = {spike.synapse for spike in spikes}
    text = "".join(
        f'[[synapse]]\nname = "{SYNAPSES[j][0]}"\nsign = {SYNAPSES[j][1]}\nbias_v = {SYNAPSES[j][2]}\n'
        for j in sorted(used, reverse=True)
    )
    text += "".join(f'[[spike]]\nsynapse = "{SYNAPSES[s.synapse][0]}"\non_s = {s.on_s!r}\n' for s in spikes)
    return text + "".join(f"[[charge]]\ncurrent_a = {p.current_a}\nstart_s = {p.start_s}\nend_s = {p.end_s}\n" for p in pulses)


def iv_text(biases: tuple[float, ...] = (0.45, 0.5, 0.55, 0.6), bend: float = 0.0, unit_a: float = 1.0) -> str:
    """NMOS curves of the base's own membrane: 10 nA at 0.45 V, a factor 3 per 50 mV, reversal 2.5 V."""
    lines = ["# any lab", "sign,bias_v,membrane_v,current_a"]
    to_u = HardwareModel.reference().neuron.membrane.inverse()
    for bias in biases:
        current = 10e-9 * 3 ** ((bias - 0.45) / 0.05)
        for volts in np.linspace(0.5, 1.35, 18):
            u = float(to_u(volts))
            lines.append(f"1,{bias},{volts:.6f},{current * (1 - u / 2.5 + bend * u * u) / unit_a:.8e}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, design: Design, base: HardwareModel) -> SiliconFit:
    folder = tmp_path_factory.mktemp("bench")
    iv = folder / "iv.csv"
    iv.write_text(iv_text())
    return fit_silicon([iv, *write_waveforms(folder)], design, base)


def test_waveforms_give_the_parameters_of_the_circuit(fitted: SiliconFit) -> None:
    assert not fitted.refused
    rows = {row["parameter"]: row for row in fitted.rows()}
    truth = {
        "capacitance": CAPACITANCE, "delay": DELAY, "leak": LEAK, "charge_on.plus": KICK[1], "charge_on.minus": KICK[-1],
        "reversal.plus": 2.5, "reversal.minus": -1.4, **{f"current.{name}": current for name, _, _, current in SYNAPSES},
    }  # fmt: skip
    for name, value in truth.items():
        assert abs(rows[name]["value"] - value) < 4 * rows[name]["standard_error"], name
        assert rows[name]["standard_error"] < 0.05 * abs(value), name
    assert fitted.waveforms is not None
    assert fitted.waveforms.residual_rms_v == pytest.approx(2e-4, rel=0.1)


def test_the_hardware_model_holds_what_was_measured_and_the_rest_as_it_was(fitted: SiliconFit, base: HardwareModel) -> None:
    model = HardwareModel.model_validate_json(fitted.hardware.model_dump_json())
    assert model.provenance == "measured" and base.provenance == "simulated"
    assert model.neuron.capacitance_f == pytest.approx(CAPACITANCE, rel=2e-3)
    assert float(model.plus.code(np.array(30e-9))) == pytest.approx(0.5, abs=1e-4)
    np.testing.assert_allclose(model.plus.reversal.y, 2.5, rtol=2e-3)
    np.testing.assert_allclose(model.minus.reversal.y, 1.4, rtol=2e-2)
    assert model.minus.code == base.minus.code
    assert model.neuron.firing == base.neuron.firing
    assert model.plus.charge_off.x == model.plus.code.x, "curves over current share their points"
    assert "iv.csv" in model.plus.code.source


def test_a_curved_iv_says_so(tmp_path: Path, design: Design, base: HardwareModel) -> None:
    path = tmp_path / "iv.csv"
    path.write_text(iv_text(bend=0.05))
    fit = fit_silicon([path], design, base)
    assert all(0.002 < curve.residual_fraction < 0.05 for curve in fit.curves)
    assert all(curve.reversal_error_v > 1e-4 for curve in fit.curves)


WAVEFORM = "time_s,membrane_v\n" + "".join(f"{k * 1e-8:.3e},{1.3 - 0.005 * k:.4f}\n" for k in range(60))


NOISE = "time_s,membrane_v\n" + "".join(
    f"{k * 1e-8:.3e},{1.3 + 1e-3 * noise:.6f}\n" for k, noise in enumerate(np.random.default_rng(3).standard_normal(200))
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no data"),
        ("time_s,membrane_v\n", "holds no data"),
        ("t,v\n0,1\n", "columns: t, v; an I-V table has sign, bias_v, membrane_v, current_a, a waveform time_s, membrane_v"),
        (WAVEFORM.replace("1.2500", "n/a"), "line 12: membrane_v: is 'n/a'; every cell must hold a number"),
        (WAVEFORM.replace("1.2500", ""), "line 12: membrane_v: is empty"),
        (WAVEFORM.replace("1.2500", "nan"), "line 12: membrane_v: is 'nan'"),
        (WAVEFORM.replace("2.100e-07,", "1.900e-07,"), "line 23: time_s: does not rise"),
        (WAVEFORM.replace("2.100e-07,", "2.000e-07,"), "line 23: time_s: is that of the line before, and"),
        (WAVEFORM[:188] + WAVEFORM[-170:], "line 11: time_s: a gap of 4.1e-07 s follows"),
        (WAVEFORM.replace("e-08,", "e-02,").replace("e-07,", "e-01,"), "looks like us"),
        (WAVEFORM.replace("e-08,", "e+01,").replace("e-07,", "e+02,"), "looks like ns"),
        (WAVEFORM.replace("e-08,", "e-13,").replace("e-07,", "e-12,"), "must be in seconds"),
        (WAVEFORM.replace(",1.", ",1300."), "membrane_v: reaches 1300"),
        ("time_s,membrane_v\n" + "".join(f"{k * 1e-8:.3e},1.3\n" for k in range(60)), "membrane_v: never moves"),
        (WAVEFORM.replace(",1.", ",0.001"), "membrane_v: starts at 0.0013, the design rests at 1.3 V; must be in volts"),
        (NOISE, "membrane_v: never moves beyond its noise (0.001 V)"),
        (iv_text().replace("\n1,", "\n2,"), "line 3: sign: must be 1"),
        (iv_text(unit_a=1e-3), "bias_v 0.45: current_a is 1e-05 A at rest, 1231 times the simulated cell's; must be in amperes"),
        (iv_text().replace("e-08\n", "e+01\n"), "current_a: reaches"),
        (iv_text(biases=(0.5,)), "sign +1: one bias_v only"),
        ("\n".join(iv_text().splitlines()[:5]), "points between rest and threshold"),
        (iv_text().replace("1,0.6,", "1,0.4,"), "the current must rise as bias_v rises"),
        (iv_text().replace("\n1,", "\n-1,"), "its sign must be that of the weight"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_clear_line(text: str, complaint: str, tmp_path: Path, design: Design, base: HardwareModel) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    path.with_suffix(".toml").write_text("")
    fit = fit_silicon([path], design, base)
    assert len(fit.refused) == 1 and "\n" not in fit.refused[0]
    assert complaint in fit.refused[0] and str(path) in fit.refused[0]
    assert fit.hardware == base and not fit.measured


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[spike]\n", "not valid TOML"),
        ('[[spike]]\nsynapse = "n1"\non_s = 1e-7\n', "spike.synapse: 'n1' is none of no synapses"),
        ('[[synapse]]\nname = "n"\nsign = 2\nbias_v = 0.5\n', "synapse.0.sign"),
        ('[[synapse]]\nname = "n"\nsign = 1\nbias_v = 0.5\n[[spike]]\nsynapse = "n"\non_s = 1\n', "spike.on_s: 1 must lie in"),
        ("[[charge]]\ncurrent_a = 1e-6\nstart_s = 2e-7\nend_s = 1e-7\n", "charge: start_s and end_s must rise"),
        ("[[charge]]\ncurrent_a = 1e-6\nstart_s = 2e-7\nend_s = 3e-7\nunit = 1\n", "charge.0.unit: unknown key"),
    ],
)
def test_a_bad_stimulus_is_one_clear_line(text: str, complaint: str, tmp_path: Path, design: Design) -> None:
    path = tmp_path / "one.csv"
    path.write_text(WAVEFORM)
    path.with_suffix(".toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read(path, design)
    assert complaint in str(caught.value) and "one.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_waveform_without_its_stimulus_says_where_it_should_be(tmp_path: Path, design: Design) -> None:
    path = tmp_path / "one.csv"
    path.write_text(WAVEFORM)
    with pytest.raises(InputError, match=r"one\.toml: cannot be read.*which synapse fires when"):
        read(path, design)


def test_a_synapse_means_the_same_in_every_waveform(tmp_path: Path, design: Design, base: HardwareModel) -> None:
    paths = write_waveforms(tmp_path)
    other = paths[2].with_suffix(".toml")
    other.write_text(other.read_text().replace("bias_v = 0.58", "bias_v = 0.6"))
    assert "synapse 'n2': has another sign or bias_v" in fit_silicon(paths, design, base).refused[0]


def test_a_bias_that_two_files_hold_is_one_line_and_nothing_of_the_sign_is_taken(
    tmp_path: Path, design: Design, base: HardwareModel
) -> None:
    paths = [tmp_path / name for name in ("monday.csv", "friday.csv")]
    paths[0].write_text(iv_text())
    paths[1].write_text(iv_text(biases=(0.5, 0.52)))
    fit = fit_silicon([*paths, *write_waveforms(tmp_path)], design, base)
    assert len(fit.refused) == 1
    assert "friday.csv, " in fit.refused[0] and "sign +1: bias_v 0.5 is there twice; give each bias one curve" in fit.refused[0]
    assert not fit.curves and "reversal, sign +1" in fit.measured, "the waveforms' reversal takes its place"
    assert fit.hardware.plus.reversal.y[0] == pytest.approx(2.5, rel=0.02)


def test_a_cell_whose_weight_grows_as_its_bias_rises_may_be_of_either_sign(
    tmp_path: Path, design: Design, base: HardwareModel
) -> None:
    """A cell of the user's own may have an NMOS bias for w < 0."""
    path = tmp_path / "iv.csv"
    path.write_text(iv_text())
    code = base.plus.code
    turned = base.plus.model_copy(update={"code": code.model_copy(update={"y": tuple(1.8 - volts for volts in code.y)})})
    assert not fit_silicon([path], design, base).refused
    (line,) = fit_silicon([path], design, base.model_copy(update={"plus": turned})).refused
    assert "the current must fall as bias_v rises, as in the simulated cell" in line


def test_a_cell_without_a_gate_bias_has_no_bias_curve(tmp_path: Path, design: Design, base: HardwareModel) -> None:
    path = tmp_path / "iv.csv"
    path.write_text(iv_text())
    resistor = base.plus.model_copy(update={"code_name": "resistor_length"})
    (line,) = fit_silicon([path], design, base.model_copy(update={"plus": resistor})).refused
    assert line == f"{path}: bias_v: the weight of the design's cell is its resistor_length, not a gate bias; measure waveforms"


def _edited(paths: list[Path], old: str, new: str) -> list[Path]:
    for path in (path.with_suffix(".toml") for path in paths):
        path.write_text(path.read_text().replace(old, new))
    return paths


def test_a_synapse_of_the_wrong_sign_is_refused(tmp_path: Path, design: Design, base: HardwareModel) -> None:
    paths = _edited(write_waveforms(tmp_path), "sign = -1\nbias_v = 1.08", "sign = 1\nbias_v = 1.08")
    fit = fit_silicon(paths, design, base)
    assert len(fit.refused) == 1 and not fit.measured and fit.waveforms is None
    assert "synapse 'p2': its current is -7." in fit.refused[0] and "sign must be -1" in fit.refused[0]


def test_a_known_charge_in_other_units_is_refused(tmp_path: Path, design: Design, base: HardwareModel) -> None:
    paths = write_waveforms(tmp_path)
    for path in (path.with_suffix(".toml") for path in paths):
        path.write_text(re.sub(r"current_a = (\S+)", lambda m: f"current_a = {float(m[1]) * 1e6}", path.read_text()))
    fit = fit_silicon(paths, design, base)
    assert len(fit.refused) == 1 and not fit.measured
    assert "capacitance: comes out as 1.52e-07 F, that of the simulated model is 1.4e-13 F; current_a" in fit.refused[0]


def test_a_given_capacitance_goes_into_the_model(tmp_path: Path, design: Design, base: HardwareModel) -> None:
    paths = write_waveforms(tmp_path)
    for path in (path.with_suffix(".toml") for path in paths):
        path.write_text("capacitance_f = 160e-15\n" + re.sub(r"\[\[charge\]\][^[]*", "", path.read_text()))
    fit = fit_silicon([paths[2], paths[3], paths[4]], design, base)
    assert fit.hardware.neuron.capacitance_f == pytest.approx(160e-15)
    assert fit.hardware.neuron.capacitance_neuron.source == "given with the waveforms"
    assert "capacitance neuron" in fit.measured


def test_comments_and_columns_in_any_order_are_fine(tmp_path: Path, design: Design) -> None:
    path = tmp_path / "iv.csv"
    rows = [line.split(",") for line in iv_text().splitlines()[1:]]
    path.write_text(
        "# bench 3\n" + "\n".join(",".join([*reversed(row), "note" if k == 0 else "dry"]) for k, row in enumerate(rows))
    )
    table = read(path, design)
    assert isinstance(table, IvTable)
    assert len(table.sign) == 72 and table.membrane_v[0] == 0.5


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, ["fit", *map(str, words), "--design", str(REFERENCE), "--hardware", str(REFERENCE_FILE)])


def test_the_command_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "iv.csv", tmp_path / "bad.csv"
    good.write_text(iv_text())
    bad.write_text("sign,bias_v,membrane_v,current_a\n1,0.5,high,1e-9\n")
    result = invoke(bad, good, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 2
    assert result.stderr.strip() == f"cosim: {bad}: line 2: membrane_v: is 'high'; every cell must hold a number"
    answer = json.loads(result.stdout)
    assert answer["measured"] == ["bias curve and reversal, sign +1"] and len(answer["parameters"]) == 8
    assert HardwareModel.load(tmp_path / "out" / "hardware.json").provenance == "measured"
    assert (tmp_path / "out" / "parameters.csv").read_text().startswith("parameter,value,standard_error,unit,source\n")


def test_the_command_says_what_was_measured(tmp_path: Path) -> None:
    result = invoke(*write_waveforms(tmp_path), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "residual of the waveforms, rms" in result.stdout
    assert "everything else is as simulated" in result.stdout


@contextlib.contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [300, 4000])
def test_a_full_disk_leaves_no_half_result(size: int, tmp_path: Path) -> None:
    """Neither with room for the table (0.5 kB) nor without; there is none for the model (18 kB)."""
    (tmp_path / "iv.csv").write_text(iv_text())
    with disk_full_after(size):
        result = invoke(tmp_path / "iv.csv", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1 and "cannot be written: File too large" in result.stderr
    assert not (tmp_path / "out" / "hardware.json").exists() and not list((tmp_path / "out").rglob("*partial*"))
    assert not any(file.stat().st_size in (0, size) for file in (tmp_path / "out").iterdir())


def test_without_a_simulated_model_there_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["fit", "x.csv", "--design", str(REFERENCE), "--hardware", str(tmp_path / "none.json")])
    assert result.exit_code == 2
    assert "run `cosim characterize" in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_measured_files_do_not_need_the_order_of_spikes(tmp_path: Path, design: Design) -> None:
    """Synapses are named: each file may list its own, in its own order."""
    paths = write_waveforms(tmp_path, noise_v=0.0)
    one = read(paths[4], design)
    assert not isinstance(one, IvTable)
    assert [s.name for s in one.synapses] == ["p2", "n2"]
    assert [one.synapses[s.synapse].name for s in one.trace.spikes] == ["p2", "n2"]
