"""Structures: what a layer may hold, that it trains as any other, and that its code is its weights."""

from __future__ import annotations

from itertools import chain, combinations, product
from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from realistic import model
from torch import Tensor

from training.data import iris
from training.hardware import NormalisedModel
from training.hardware_aware.variation import WeightNoise, varied
from training.layer import RCSpikeLayer, SolverName
from training.network import RCSpikeNetwork
from training.recipe import Recipe
from training.structures import wiring
from training.structures.code import CodeFileError, Compression, Field, LayerCode, load_code, save_code
from training.structures.commuting import groups, types_of_rows
from training.structures.network import StructureError, assign, decode, encode, put_structure, settle
from training.structures.packing import length, packed, unpacked
from training.structures.plan import NAMED, AnyStructure, CommutingPlan, MasksPlan, SupermaskPlan, TernaryPlan, ToeplitzPlan
from training.structures.structure import structure_of, structures_of
from training.structures.ternary import Ternary, TernaryTable, ternary_table
from training.synapses import Synapses
from training.tensors import read_tensors, write_tensors
from training.trainer import train

RECIPE = Recipe(epochs=4, learning_rate=1e-2, schedule="one_cycle")
COMBINATIONS = ["".join(one) for one in chain.from_iterable(combinations("CSM", k) for k in range(4))]
PLANS: dict[str, AnyStructure] = {
    **NAMED,
    **{f"masks_{learn or 'none'}": MasksPlan(learn=learn, coats=4, seed=3) for learn in COMBINATIONS},
    "random": MasksPlan(wiring="random", links=0.3),
    "n_of_m": MasksPlan(wiring="n_of_m", group=4, links=0.5),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def network(plan: AnyStructure | None, sizes: tuple[int, ...] = (8, 12, 4), solver: SolverName = "exact") -> RCSpikeNetwork:
    made = RCSpikeNetwork(sizes, model(), solver=solver, steps=3)
    if plan is not None:
        put_structure(made, plan)
    made.reset_parameters(torch.Generator().manual_seed(1), 0.7)
    return made


def weights(of: RCSpikeNetwork) -> list[Tensor]:
    return [layer.weight.detach().clone() for layer in of]


# Packing


@given(st.integers(1, 20), st.lists(st.integers(0, 2**20 - 1), max_size=40))
def test_packed_numbers_come_back(bits: int, numbers: list[int]) -> None:
    values = np.array([number % (1 << bits) for number in numbers], dtype=np.uint32)
    content = packed(values, bits)
    assert len(content) == length(len(values), bits) == -(-len(values) * bits // 8)
    assert np.array_equal(unpacked(content, len(values), bits), values)


def test_numbers_that_do_not_fit_and_content_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit into 3 bits"):
        packed(np.array([8]), 3)
    with pytest.raises(ValueError, match="has 1 bytes, 5 numbers of 3 bits have 2"):
        unpacked(np.zeros(1, np.uint8), 5, 3)
    with pytest.raises(ValueError, match="more than its numbers"):
        unpacked(np.array([0b1000], np.uint8), 1, 3)


# Codes


@st.composite
def blocks(draw: st.DrawFn) -> tuple[int, int, np.ndarray]:
    size = draw(st.integers(1, 9))
    kept = draw(st.integers(1, size))
    rows = draw(st.lists(st.lists(st.sampled_from([-1, 0, 1]), min_size=size, max_size=size), min_size=1, max_size=20))
    digits = np.array(rows, dtype=np.int8)
    digits[np.cumsum(digits != 0, axis=1) > kept] = 0
    return size, kept, digits


@given(blocks())
def test_every_block_has_an_index_and_comes_back(given_blocks: tuple[int, int, np.ndarray]) -> None:
    size, kept, digits = given_blocks
    table = ternary_table(size, kept)
    assert len(table.words) == len(np.unique(table.words, axis=0)) == sum(comb(size, k) * 2**k for k in range(kept + 1))
    indices = table.indices(digits)
    assert indices.max() < 2**table.index_bits and np.array_equal(table.digits(indices), digits)


def test_tables_that_are_published() -> None:
    assert len(ternary_table(8, 2).words) == 129 and ternary_table(8, 2).index_bits == 8
    assert ternary_table(16, 4).index_bits == 16
    assert np.array_equal(TernaryTable(2, 1).words.tolist(), [[0, -1], [-1, 0], [0, 0], [1, 0], [0, 1]])


def test_a_block_that_is_no_word_and_an_index_behind_the_last_are_refused() -> None:
    with pytest.raises(ValueError, match="more digits that are not zero"):
        ternary_table(8, 2).indices(np.ones((1, 8), np.int8))
    with pytest.raises(ValueError, match="index 129 of 129 words"):
        ternary_table(8, 2).digits(np.array([129], np.uint32))


@pytest.mark.parametrize("name", PLANS)
def test_the_code_is_the_weights_in_so_many_bits(name: str, tmp_path: Path) -> None:
    made = network(PLANS[name])
    codes = encode(made)
    save_code(tmp_path / "code.safetensors", codes)
    read = load_code(tmp_path / "code.safetensors")
    for layer, code, weight in zip(made, read, decode(read), strict=True):
        assert np.array_equal(weight, layer.weight.detach().numpy()) and weight.dtype == np.float32
        smallest, largest = (max(model().plus.smallest, model().minus.smallest), model().minus.largest)
        on = np.abs(weight[weight != 0])
        assert code.kind in ("toeplitz", "factors") or (smallest * (1 - 1e-6) <= on.min() and on.max() <= largest * (1 + 1e-6))
        assert code.bits == sum(code.parts.values())
    stored, _ = read_tensors(tmp_path / "code.safetensors")
    seeds = sum(32 * code.seeds for code in codes)
    in_file = 8 * sum(tensor.numel() * tensor.element_size() for tensor in stored.values())
    assert 0 <= in_file + seeds - Compression.of(codes).bits < 8 * len(stored)


def test_bits_are_counted_by_hand() -> None:
    def of(plan: AnyStructure, sizes: tuple[int, ...] = (8, 12)) -> dict[str, int]:
        return encode(network(plan, sizes))[0].parts

    assert of(NAMED["ternary_8_2"]) == {"index": 12 * 8, "unit": 32}
    assert of(NAMED["ternary_8_2"], (9, 12)) == {"index": 12 * 2 * 8, "unit": 32}
    assert of(NAMED["reusable_topology"]) == {"sign": 48, "coat": 3 * 48, "unit": 32, "threshold": 7 * 32, "seeds": 32}
    assert of(NAMED["ticket"]) == {"link": 96, "unit": 32, "seeds": 32}
    searched = 96 - round(0.5 * 96) - round(0.2 * 96)
    assert of(NAMED["partially_frozen"]) == {"link": searched, "unit": 32, "seeds": 32}
    assert of(NAMED["supermask"]) == {"coats": 4 * 96, "unit": 32, "threshold": 7 * 32}


def test_compression_is_of_the_layers_coded_and_of_all() -> None:
    found = Compression.of(encode(network(TernaryPlan(layers="inner"), (8, 16, 16, 4))))
    assert (found.coded_weights, found.weights) == (256, 8 * 16 + 256 + 64)
    assert found.coded_bits == 256 + 32 and found.ratio == pytest.approx(32 * 256 / 288)
    assert found.bits == 288 + 32 * (128 + 64) and found.table_bits == 129 * 8 * 2
    assert found.ratio_with_table == pytest.approx(32 * 256 / (288 + 129 * 16))


# Code files


@pytest.fixture
def code_file(tmp_path: Path) -> Path:
    save_code(tmp_path / "code.safetensors", encode(network(NAMED["reusable_topology"])))
    return tmp_path / "code.safetensors"


def test_a_code_file_that_is_cut_short_is_one_line(code_file: Path) -> None:
    code_file.write_bytes(code_file.read_bytes()[:-7])
    with pytest.raises(CodeFileError, match=r"code\.safetensors: cannot be read") as caught:
        load_code(code_file)
    assert "\n" not in str(caught.value)


def test_a_code_file_of_another_version_or_of_something_else_is_one_line(code_file: Path, tmp_path: Path) -> None:
    tensors, metadata = read_tensors(code_file)
    for change, said in (({"version": "2"}, "version: '2' is not 1"), ({"format": ""}, "is no code file")):
        write_tensors(tmp_path / "other.safetensors", tensors, metadata | change)
        with pytest.raises(CodeFileError, match=said):
            load_code(tmp_path / "other.safetensors")


def test_a_field_that_is_too_short_is_one_line(code_file: Path, tmp_path: Path) -> None:
    tensors, metadata = read_tensors(code_file)
    tensors["layers.0.coat"] = tensors["layers.0.coat"][:-1]
    write_tensors(tmp_path / "other.safetensors", tensors, metadata)
    with pytest.raises(CodeFileError, match=r"layers\.0\.coat: has 17 bytes, 48 numbers of 3 bits have 18"):
        load_code(tmp_path / "other.safetensors")


def test_a_code_that_decodes_to_nothing_is_one_line() -> None:
    def said(code: LayerCode) -> str:
        with pytest.raises(StructureError) as caught:
            decode([code])
        return str(caught.value)

    unit = {"unit": np.ones(1, np.float32)}
    assert said(LayerCode("magic", (2, 2))).startswith("layers.0: kind: 'magic' is none of dense, ")
    assert "index" in said(LayerCode("ternary", (1, 8), {"block": 8, "nonzeros": 2}, reals=unit))
    high = {"index": Field(np.array([200], np.uint32), 8)}
    assert "index 200 of 129" in said(LayerCode("ternary", (1, 8), {"block": 8, "nonzeros": 2}, fields=high, reals=unit))
    assert "nonzeros: 0 of a block of 8" in said(LayerCode("ternary", (1, 8), {"block": 8, "nonzeros": 0}, reals=unit))
    huge = LayerCode("ternary", (1, 32), {"block": 32, "nonzeros": 16}, reals=unit)
    assert "words of 32 with 16 non-zeros" in said(huge)
    code = encode(network(NAMED["reusable_topology"]))[0]
    other = LayerCode(code.kind, code.shape, {**code.rule, "seed": 5}, 1, code.fields, code.reals)
    assert "wiring: is not the one" in said(other)


# Training


@pytest.mark.parametrize("solver", ["exact", "dstd"])
@pytest.mark.parametrize("name", [name for name in PLANS if name not in ("block_toeplitz", "partially_frozen")])
def test_a_layer_with_a_structure_is_one_of_its_weights_with_the_same_gradient(name: str, solver: SolverName) -> None:
    """Forward and backward against a plain layer of the weights that the structure holds: the gradient goes straight through."""
    held, plain = network(PLANS[name], solver=solver), network(None, solver=solver)
    for layer, other in zip(held, plain, strict=True):
        other.set_weight(layer.weight.detach())
        if layer.links is not None:
            other.wire(layer.links)
    t = torch.rand(6, 8, generator=torch.Generator().manual_seed(2))
    found, wanted = held(t)[-1].membrane, plain(t)[-1].membrane
    assert torch.equal(found, wanted)
    found.square().sum().backward()
    wanted.square().sum().backward()
    for layer, other in zip(held, plain, strict=True):
        assert layer.stored.grad is not None and other.weight.grad is not None
        assert torch.equal(layer.stored.grad, other.weight.grad) and bool((layer.stored.grad != 0).any())


@pytest.mark.parametrize("name", NAMED)
def test_training_lowers_the_loss_and_settled_weights_are_those_of_the_code(name: str) -> None:
    made = network(NAMED[name], (5, 40, 3))
    history = train(made, iris(), RECIPE.but(epochs=10), lambda epoch: None)
    assert history[-1].loss < 0.97 * history[0].loss
    assign(made, iris().train_t)
    code, before = encode(made), weights(made)
    settle(made)
    assert [type(layer) for layer in made] == [RCSpikeLayer, RCSpikeLayer]
    for layer, weight, decoded in zip(made, before, decode(code), strict=True):
        assert torch.equal(layer.weight, weight) and np.array_equal(decoded, weight.numpy())


def test_an_interrupted_training_with_gradual_pruning_ends_in_the_same_bits(tmp_path: Path) -> None:
    plan, recipe, checkpoint = TernaryPlan(), RECIPE.but(schedule="constant"), tmp_path / "checkpoint.safetensors"

    def stop(row: object) -> None:
        if getattr(row, "epoch") == 2:  # noqa: B009
            raise KeyboardInterrupt

    straight, resumed, again = (network(plan, (5, 16, 3)) for _ in range(3))
    history = train(straight, iris(), recipe, lambda row: None)
    with pytest.raises(KeyboardInterrupt):
        train(resumed, iris(), recipe, stop, checkpoint, checkpoint_every=1)
    assert train(again, iris(), recipe, lambda row: None, checkpoint, checkpoint_every=1) == history
    assert all(torch.equal(a, b) for a, b in zip(weights(straight), weights(again), strict=True))


def test_links_are_pruned_gradually() -> None:
    structure = Ternary((4, 8), structure_of(network(TernaryPlan()).layers[0]).span)  # type: ignore[union-attr]
    stored, counts = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), []
    for progress in (0.0, 0.1, 0.25, 0.5, 1.0):
        structure.advance(progress)
        counts.append(structure.kept)
        assert int((structure.held(stored) != 0).sum(1).max()) <= structure.kept
    assert counts == [8, 5, 3, 2, 2]


# Masks


def test_our_rule_of_signs_and_coats() -> None:
    made = network(MasksPlan(learn="SM", coats=8, links=1.0))
    layer = next(iter(made))
    structure, unit = structure_of(layer), float(layer.weight.detach().abs().min())
    assert structure is not None
    coats = (layer.weight / unit).detach()
    thresholds = (torch.arange(1, 8) + 0.5) * unit
    passed = (layer.stored.abs()[..., None] > thresholds).sum(-1)
    assert torch.allclose(coats, torch.where(layer.stored < 0, -1.0, 1.0) * (1 + passed))
    assert set(coats.abs().round().int().flatten().tolist()) >= {1, 2, 3}


def test_what_is_not_learnt_stays_as_the_seed_drew_it() -> None:
    def signs(plan: MasksPlan, seed: int) -> Tensor:
        made = network(plan)
        made.reset_parameters(torch.Generator().manual_seed(seed), 0.7)
        return torch.cat([weight.sign().flatten() for weight in weights(made)])

    assert torch.equal(signs(MasksPlan(learn="M"), 1), signs(MasksPlan(learn="M"), 2))
    assert not torch.equal(signs(MasksPlan(learn="SM"), 1), signs(MasksPlan(learn="SM"), 2))
    assert not torch.equal(signs(MasksPlan(learn="M"), 1), signs(MasksPlan(learn="M", seed=1), 1))


def test_pruned_links_never_are_and_locked_ones_always() -> None:
    plan = MasksPlan(learn="C", coats=1, links=0.5, pruned=0.3, locked=0.4)
    there = []
    for seed in range(8):
        made = network(plan, (20, 30))
        made.reset_parameters(torch.Generator().manual_seed(seed), 0.7)
        there.append(weights(made)[0] != 0)
        assert int(there[-1].sum()) == 300
    share = torch.stack(there).float().mean(0)
    assert int((share == 0).sum()) >= 180 and int((share == 1).sum()) >= 240


@pytest.mark.parametrize("learn", ["C", "CM"])  # of one coat no magnitude is learnt
def test_the_unit_follows_the_links_that_are_searched_alone(learn: str) -> None:
    layer = next(iter(network(MasksPlan(learn=learn, coats=1, links=0.5, pruned=0.3, locked=0.4), (20, 30))))
    structure, before = structure_of(layer), layer.weight.detach().clone()
    assert structure is not None
    locked, searched = structure.get_buffer("_locked"), structure.get_buffer("_searched")
    with torch.no_grad():
        layer.stored[locked] = 3.0  # as far as a score can go that moves nothing
        assert torch.equal(layer.weight, before)
        layer.stored[searched] *= 1.5
        torch.testing.assert_close(layer.weight, 1.5 * before)


def test_scores_of_links_that_are_all_locked_move_nothing() -> None:
    layer = next(iter(network(MasksPlan(learn="C", coats=1, links=0.5, pruned=0.3, locked=0.5), (20, 30))))
    structure, before = structure_of(layer), layer.weight.detach().clone()
    assert structure is not None
    with torch.no_grad():
        layer.stored[structure.get_buffer("_locked")] = 3.0
        assert torch.equal(layer.weight, before)


def test_what_no_score_decides_has_the_gradient_of_the_unit() -> None:
    """Against finite differences of the weights that are locked; to the other scores the gradient goes straight through."""
    layer = next(iter(network(NAMED["partially_frozen"])))
    structure, draw = structure_of(layer), torch.Generator().manual_seed(5)
    assert structure is not None
    locked, stored = structure.get_buffer("_locked"), layer.stored.detach().double()
    upstream = torch.randn(stored.shape, generator=draw, dtype=torch.float64)
    scores = stored.clone().requires_grad_()
    structure(scores).backward(upstream)
    assert scores.grad is not None
    wanted = upstream * ~locked
    for at in (~locked).nonzero():
        step = torch.zeros_like(stored)
        step[tuple(at)] = 1e-6
        moved = (structure.held(stored + step) - structure.held(stored - step)) / 2e-6
        wanted[tuple(at)] += (moved * upstream)[locked].sum()
    torch.testing.assert_close(scores.grad, wanted, rtol=1e-5, atol=1e-7)
    assert (wanted - upstream * ~locked).abs().max() > 0.1


def test_a_locked_link_whose_sign_is_learnt_is_one_of_those_that_the_unit_follows() -> None:
    layer = next(iter(network(MasksPlan(learn="CS", coats=1, links=0.5, pruned=0.3, locked=0.4), (20, 30))))
    structure, before = structure_of(layer), layer.weight.detach().clone()
    assert structure is not None
    with torch.no_grad():
        layer.stored[structure.get_buffer("_locked")] *= -1.5
    assert layer.weight.detach().abs().max() > 1.2 * before.abs().max()


def test_a_supermask_of_seven_coats_has_fifteen_words() -> None:
    made = network(SupermaskPlan(), (40, 50))
    layer = next(iter(made))
    layer.set_weight(0.2 * torch.randn(50, 40, generator=torch.Generator().manual_seed(0)))
    weight = layer.weight.detach()
    unit = float(weight[weight != 0].abs().min())
    assert set((weight / unit).round().int().flatten().tolist()) == set(range(-7, 8))


# Toeplitz blocks


def test_a_diagonal_of_a_block_shares_its_kernel_and_its_gradient() -> None:
    made, plain = network(ToeplitzPlan(block=4), (8, 12)), network(None, (8, 12))
    layer, other = next(iter(made)), next(iter(plain))
    weight = layer.weight.detach()
    for o, i in ((0, 0), (4, 1), (9, 4)):
        assert weight[o, i] == weight[o + 1, i + 1] == weight[o + 2, i + 2]
        assert weight[o, i] != weight[o + 1, i]
    blocks = layer.stored.detach().view(3, 4, 2, 4).transpose(1, 2)
    for offset in range(-3, 4):
        means = blocks.diagonal(offset, -2, -1).mean(-1)
        found = weight.view(3, 4, 2, 4).transpose(1, 2).diagonal(offset, -2, -1)
        assert torch.allclose(found, means[..., None].expand_as(found))
    other.set_weight(weight)
    t = torch.rand(6, 8, generator=torch.Generator().manual_seed(2))
    for one in (made, plain):
        one(t)[-1].membrane.square().sum().backward()
    assert layer.stored.grad is not None and other.weight.grad is not None
    shared = other.weight.grad.view(3, 4, 2, 4).transpose(1, 2).diagonal(1, -2, -1).mean(-1)
    got = layer.stored.grad.view(3, 4, 2, 4).transpose(1, 2).diagonal(1, -2, -1)
    assert torch.allclose(got, shared[..., None].expand_as(got), atol=1e-6)


def test_first_weights_of_toeplitz_blocks_spread_as_others_do() -> None:
    made, plain = network(ToeplitzPlan(), (64, 64)), network(None, (64, 64))
    own, other = (weights(one)[0] for one in (made, plain))
    assert float(own.std()) == pytest.approx(float(other.std()), rel=0.05)
    assert float(own.mean()) == pytest.approx(float(other.mean()), abs=0.01)


def test_blocks_of_eight_take_more_than_four_times_fewer_parameters() -> None:
    code = encode(network(ToeplitzPlan(), (64, 32)))[0]
    assert code.parts == {"kernel": 32 * (64 // 8) * (32 // 8) * 15}
    assert Compression.of([code]).ratio == pytest.approx(64 / 15)


# Commuting pairs


def test_a_neuron_has_one_strength_for_the_rows_of_a_type() -> None:
    """Against every set of links: of each group the best strength of a sign with the best links."""
    made = network(CommutingPlan(tile=8), (12, 3))
    layer = next(iter(made))
    weight, group = layer.weight.detach().numpy(), groups((3, 12), 8)
    assert group.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7]
    stored = layer.stored.detach().numpy()
    for k, number in ((k, number) for k in range(3) for number in range(8)):
        own, wanted = weight[k, group == number], stored[k, group == number]
        assert len(np.unique(own[own != 0])) <= 1
        subsets = [list(one) for n in range(1, len(own) + 1) for one in combinations(range(len(own)), n)]
        best = min(float(np.square(wanted).sum()) - float(wanted[one].sum()) ** 2 / len(one) for one in subsets)
        assert float(np.square(wanted - own).sum()) == pytest.approx(best, abs=2e-4)
    code = encode(made)[0]
    assert code.parts == {"link": 36, "strength": 10 * 3 * 8, "unit": 32}


def test_types_commute_with_the_shifts_of_a_convolution() -> None:
    """Unrolled, every crossing of a convolution is its neuron's strength for the type that the pixel has for all neurons."""
    from training.models import convolutional

    made = convolutional((1, 8, 8), 3, model(), channels=[[2]], hidden=[])
    put_structure(made, CommutingPlan())
    made.reset_parameters(torch.Generator().manual_seed(0), 0.7)
    kernel = next(iter(made)).weight.detach().numpy()[:, 0]
    pixel_type, orders = types_of_rows(8, 8), set()
    for y, x in product(range(1, 6), range(1, 6)):
        seen = pixel_type[y : y + 3, x : x + 3]
        for out in range(2):
            strengths = [np.unique(kernel[out][(seen == one) & (kernel[out] != 0)]) for one in range(4)]
            assert all(len(own) <= 1 for own in strengths)
        orders.add(tuple(seen[:2, :2].reshape(-1).tolist()))
    assert len(orders) == 4, "the four strengths stand in four orders"
    with pytest.raises(StructureError, match="tile: 4 rows are fewer than the 9 of a window"):
        put_structure(convolutional((1, 8, 8), 3, model(), channels=[[2]], hidden=[]), CommutingPlan(tile=4))


# Wirings


@settings(deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.floats(0.05, 1.0), st.integers(0, 9))
def test_a_regular_wiring_loads_membranes_and_lines_alike(outputs: int, inputs: int, share: float, seed: int) -> None:
    links = wiring.regular(outputs, inputs, share, wiring.draws(seed, 0, 0))
    assert set(links.sum(1)) == {max(round(share * inputs), 1)}
    assert np.ptp(links.sum(0)) <= 1
    assert np.array_equal(links, wiring.regular(outputs, inputs, share, wiring.draws(seed, 0, 0)))


def test_regular_wirings_differ_by_their_seed_and_neurons_differ() -> None:
    one, other = (wiring.regular(32, 64, 0.5, wiring.draws(seed, 0, 0)) for seed in (0, 1))
    assert 0.4 < (one != other).mean() < 0.6 and len(np.unique(one, axis=0)) == 32
    overlap = one.astype(int) @ one.T
    assert np.abs(overlap - overlap.diagonal()[0] / 2)[~np.eye(32, dtype=bool)].mean() < 4


def test_n_of_m_links_in_every_group() -> None:
    links = wiring.n_of_m(6, 16, 0.25, 8, wiring.draws(0, 0, 0))
    assert (links.reshape(6, 2, 8).sum(2) == 2).all()
    with pytest.raises(wiring.WiringError, match="group: 3 does not divide the 16 inputs"):
        wiring.n_of_m(6, 16, 0.25, 3, wiring.draws(0, 0, 0))


def test_a_searched_wiring_goes_through_a_file(tmp_path: Path) -> None:
    dense = network(None)
    links = [wiring.searched(weight.numpy(), 0.5) for weight in weights(dense)]
    assert all((np.abs(w.numpy())[on].min() >= 0) and (on.sum(1) == on.shape[1] // 2).all()
               for w, on in zip(weights(dense), links, strict=True))  # fmt: skip
    wiring.save_wiring(tmp_path / "links.safetensors", links)
    made = network(MasksPlan(wiring="file", file=str(tmp_path / "links.safetensors")))
    assert all(np.array_equal(weight != 0, on) for weight, on in zip(weights(made), links, strict=True))
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(decode(encode(made)), weights(made), strict=True))


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (np.ones((12, 7), np.uint8), r"layers\.0\.links: has shape \[12, 7\], the layer needs \[12, 8\]"),
        (np.full((12, 8), 2, np.uint8), r"holds 2; a link is there, 1, or not, 0"),
        (np.zeros((12, 8), np.uint8), r"a neuron has no link"),
    ],
)
def test_a_wiring_that_does_not_fit_is_one_line(links: np.ndarray, said: str, tmp_path: Path) -> None:
    path = tmp_path / "links.safetensors"
    write_tensors(path, {"layers.0.links": torch.from_numpy(links)})
    with pytest.raises(wiring.WiringError, match=said):
        network(MasksPlan(wiring="file", file=str(path)))


def test_a_device_that_is_not_there_does_nothing_whatever_an_idle_one_does() -> None:
    links = torch.tensor([[True, False, True]])
    synapses = Synapses(*[torch.ones(1, 3) for _ in Synapses._fields]).wired(links)
    left = {name for name, values in synapses._asdict().items() if not torch.equal(values, links.float())}
    assert left == {"beta", "gamma"}, "which bend a current, and there is none"


def test_a_link_that_is_not_there_is_no_device() -> None:
    """A neuron with half of its links is one with half of the inputs: no kick, no leakage, and noise brings no weight back."""
    wired_layer = RCSpikeLayer(6, 1, model())
    on = torch.tensor([[True, False, True, True, False, False]])
    wired_layer.set_weight(torch.tensor([[0.5, 0.0, -0.2, 0.4, 0.0, 0.0]]))
    small = RCSpikeLayer(3, 1, model())
    small.set_weight(wired_layer.weight[on][None].detach())
    t = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    unwired = wired_layer(t).spike_times
    wired_layer.wire(on)
    assert torch.allclose(wired_layer(t).spike_times, small(t[:, on[0]]).spike_times, atol=1e-6)
    assert (unwired - wired_layer(t).spike_times).abs().max() > 1e-5
    made = RCSpikeNetwork.of((6, 1), [wired_layer])
    with varied(made, WeightNoise(0.5), torch.Generator().manual_seed(0)):
        noisy = wired_layer.synapses().weight
    assert bool((noisy[~on] == 0).all()) and bool((noisy[on] != wired_layer.weight[on]).all())


def test_links_go_with_the_weights_into_a_file(tmp_path: Path) -> None:
    from training.storage import load_weights, save_networks

    made, path = network(NAMED["reusable_topology"]), tmp_path / "network.safetensors"
    settle(made)
    save_networks(path, {"ode": made}, {})
    read = network(None)
    load_weights(path, "ode", read)
    for layer, other in zip(made, read, strict=True):
        assert layer.links is not None and other.links is not None and torch.equal(layer.links, other.links)
        assert torch.equal(layer.weight, other.weight)


# What is asked for


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "ternary", "block": 4, "nonzeros": 5}, "nonzeros: 5 of a block of 4; at least 1 and at most 4"),
        ({"kind": "ternary", "block": 32, "nonzeros": 16}, "words of 32 with 16 non-zeros"),
        ({"kind": "masks", "learn": "SC"}, "learn"),
        ({"kind": "masks", "pruned": 0.5}, "are of the search for links"),
        ({"kind": "masks", "learn": "C", "links": 0.5, "pruned": 0.7}, "must lie between"),
        ({"kind": "masks", "wiring": "file"}, "go together"),
    ],
)
def test_what_cannot_be_is_refused(asked: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(AnyStructure).validate_python(asked)


def test_a_network_or_a_cell_that_cannot_hold_a_structure_is_one_line() -> None:
    with pytest.raises(StructureError, match=r'layers: "inner" leaves none of the 2 layers'):
        put_structure(RCSpikeNetwork((5, 5, 3), model()), TernaryPlan(layers="inner"))
    narrow = RCSpikeNetwork((5, 3), NormalisedModel.constant(3.0, -3.0, largest=1.0))
    put_structure(narrow, SupermaskPlan())
    with pytest.raises(StructureError, match=r"coats: 64 times the smallest weight of the cell"):
        put_structure(RCSpikeNetwork((5, 3), model()), SupermaskPlan(coats=64))


def test_a_convolution_takes_every_structure() -> None:
    from training.models import convolutional

    for name, plan in NAMED.items():
        made = convolutional((1, 4, 4), 3, model(), channels=[[2]], hidden=[4])
        put_structure(made, plan)
        made.reset_parameters(torch.Generator().manual_seed(0), 0.7)
        assert len(list(structures_of(made))) == 3, name
        assert all(np.array_equal(a, b.numpy()) for a, b in zip(decode(encode(made)), weights(made), strict=True)), name
        assert torch.isfinite(made(torch.rand(2, 1, 4, 4))[-1].spike_times).all()
