"""Netlists: what is connected to what. That the circuits work is shown by the characterisation's own tests."""

import re

import numpy as np
import pytest

from netlists.crossbar import Cells
from netlists.models.pruning import device_uses
from netlists.network import network_bench
from netlists.neuron.rc_spike import RcSpikeNeuron, RcSpikeSection
from netlists.stimulus import PhaseWindow
from netlists.synapse import SynapseSetting, synapse_cell
from netlists.synapse.current_source import CurrentSourceSection, CurrentSourceSynapse
from netlists.synapse.resistive import ResistiveSection, ResistiveSynapse
from netlists.testbenches import Injection, Sender, column, standing, synapse_iv
from netlists.timing import Timing
from sky130_models.pdk import NAMES
from sky130_models.process import SKY130


def cells(resistive: bool = False) -> Cells:
    synapse = SKY130.fill(ResistiveSection if resistive else CurrentSourceSection, "synapse")
    neuron = RcSpikeNeuron(SKY130.fill(RcSpikeSection, "neuron"), SKY130)
    return Cells(synapse_cell(synapse, SKY130, 1.8), neuron, Timing(), 1.8, 0.56)


def instances(netlist: str, name: str) -> list[list[str]]:
    return [line.split() for line in netlist.splitlines() if line.startswith("X") and f" {name}" in line]


def test_the_memory_transistor_sits_at_the_membrane_and_the_selector_at_the_rail() -> None:
    cell = str(CurrentSourceSynapse(SKY130.fill(CurrentSourceSection, "synapse"), SKY130, 1.8).subcircuit())
    pins = {line.split()[0]: line.split()[1:5] for line in cell.splitlines() if line.startswith("X")}
    assert pins["Xn_memory"] == ["membrane", "n_bias", "n_middle", "0"]
    assert pins["Xn_selector"] == ["n_middle", "spike", "0", "0"]
    assert pins["Xp_memory"] == ["membrane", "p_bias", "p_middle", "supply"]
    assert pins["Xp_selector"] == ["p_middle", "spike_bar", "supply", "supply"]


def test_an_off_synapse_has_both_gates_at_their_rails() -> None:
    netlist = column(cells(), [None], [None], PhaseWindow(1e-7, 1.1e-6, 2.1e-6), 2e-6)
    assert "Vcolumn_synapse_0_0_n_bias column_synapse_0_0_n_bias 0 0.0" in netlist
    assert "Vcolumn_synapse_0_0_p_bias column_synapse_0_0_p_bias 0 1.8" in netlist


@pytest.mark.parametrize(
    ("setting", "n_bias", "p_bias"), [(SynapseSetting(1, 0.5), "0.5", "1.8"), (SynapseSetting(-1, 1.1), "0.0", "1.1")]
)
def test_a_weight_uses_one_pair(setting: SynapseSetting, n_bias: str, p_bias: str) -> None:
    netlist = synapse_iv(cells(), setting)
    assert f"Vsynapse_n_bias synapse_n_bias 0 {n_bias}\n" in netlist
    assert f"Vsynapse_p_bias synapse_p_bias 0 {p_bias}\n" in netlist


def test_a_5_5_5_has_fifty_synapses_and_ten_neurons() -> None:
    layer = [[SynapseSetting(1, 0.5)] * 5] * 5
    bench = network_bench([cells()] * 2, [layer, layer], [0.0, 0.2, 0.4, 0.6, 1.0])
    assert len(instances(bench.netlist, "synapse_current_source")) == 50
    assert len(instances(bench.netlist, "neuron")) == 10
    assert len(bench.sources.bias) == 2 * (2 + 50)
    # an input that never arrives has no edge
    assert re.search(r"Vinput_4_drive input_4_drive 0 PWL\(0\.0 0\.0\)", bench.netlist)
    # the layers run one phase apart
    assert bench.windows[1].accumulate_s == pytest.approx(bench.windows[0].fire_s)


def test_an_input_rises_at_its_spike_time_and_falls_with_the_phase() -> None:
    layer = [[None] * 1]
    bench = network_bench([cells()] * 2, [layer, layer], [0.25])
    card = re.search(r"Vinput_0_drive .*PWL\((.*)\)", bench.netlist)
    assert card is not None
    points = np.array(card[1].split(), dtype=float).reshape(-1, 2)
    rise, fall = (float(np.interp(0.9, points[k : k + 2, 1], points[k : k + 2, 0])) for k in (1,)), points[-2:, 0].mean()
    assert next(iter(rise)) == pytest.approx(bench.windows[0].accumulate_s + 0.25e-6)
    assert fall == pytest.approx(bench.windows[0].fire_s)


def test_injected_charge_is_current_times_time() -> None:
    netlist = column(cells(), [None], [None], PhaseWindow(1e-7, 1.1e-6, 2.1e-6), 2e-6, Injection(2e-8, 2e-7, 7e-7))
    card = re.search(r"Iinjection .*PWL\((.*)\)", netlist)
    assert card is not None
    time, current = np.array(card[1].split(), dtype=float).reshape(-1, 2).T
    assert np.trapezoid(current, time) == pytest.approx(2e-8 * 5e-7)


def test_a_resistive_weight_is_one_resistor_to_one_rail() -> None:
    synapse = ResistiveSynapse(SKY130.fill(ResistiveSection, "synapse"), SKY130, 1.8)
    plus, minus = (str(synapse.subcircuit("s", SynapseSetting(sign, 200.0))) for sign in (1, -1))  # type: ignore[arg-type]
    assert "n_switch switch spike 0 0" in plus
    assert "p_switch switch spike_bar supply supply" in minus
    netlist = column(
        cells(resistive=True), [SynapseSetting(1, 200.0), None], [None, None], PhaseWindow(1e-7, 1.1e-6, 2.1e-6), 2e-6
    )
    assert [use.length_um for use in device_uses(netlist, NAMES) if "res_xhigh" in use.subckt] == [200.0]


def test_a_column_stands_as_in_a_network_unless_its_codes_decide_what_hangs_on_the_membrane() -> None:
    assert standing(cells(), 5) == [SynapseSetting(sign, {1: 0.525, -1: 1.175}[sign]) for sign in (1, -1, 1, -1, 1)]  # type: ignore[arg-type]
    assert standing(cells(resistive=True), 3) == [None] * 3


def test_lines_that_neurons_send_are_as_many_neurons_each_with_its_column() -> None:
    setting, window = SynapseSetting(1, 0.5), PhaseWindow(6e-7, 1.6e-6, 2.6e-6)
    sender = Sender(PhaseWindow(1e-7, 6e-7, 1.6e-6), Injection(2e-8, 2e-7, 5e-7))
    settings, spikes = [setting, setting, None, None], [(1e-6, 1.6e-6)] * 2 + [None] * 2
    netlist = column(cells(), settings, spikes, window, 2e-6, rows=3, merged=True, sender=sender)
    calls = {line.split()[0]: line for line in netlist.splitlines() if line.startswith(("Xinput", "Xcolumn"))}
    copies = {name: int(found[1]) if (found := re.search(r"copies=\{\((\d+)\)\}", call)) else 1 for name, call in calls.items()}
    assert "Xinput_0_driver" not in calls and copies["Xinput_1_driver"] == 2, "what stays low keeps its driver"
    assert copies["Xinput_0_sender"] == 2 and calls["Xinput_0_sender"].split()[1] == "input_0_sender_membrane"
    assert sum(copies[name] for name in calls if name.startswith("Xinput_0_sender_synapse")) == 2 * 4
    assert sum(copies[name] for name in calls if name.startswith("Xinput_0_load")) == 2 * (3 - 1)
    assert sum(copies[name] for name in calls if name.startswith(("Xcolumn_synapse", "Xcolumn_further"))) == 4
    (pulse,) = (line for line in netlist.splitlines() if line.startswith("Iinput_0_sender_injection"))
    assert "4e-08" in pulse, "twice the membrane, twice the charge"


def test_codes_run_from_the_weakest_to_the_strongest() -> None:
    synapse = CurrentSourceSynapse(SKY130.fill(CurrentSourceSection, "synapse"), SKY130, 1.8)
    assert synapse.codes(1, 3) == pytest.approx([0.40, 0.525, 0.65])
    assert synapse.codes(-1, 3) == pytest.approx([1.30, 1.175, 1.05])
    assert np.all(np.diff(ResistiveSynapse(SKY130.fill(ResistiveSection, "synapse"), SKY130, 1.8).codes(1, 5)) < 0)
