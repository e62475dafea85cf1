"""Binned models at the top level of a library, which a sub-circuit of the same or another name calls."""

import re
from pathlib import Path

import pytest

from netlists.errors import GeometryError
from netlists.models.pdk import ModelNames, Pdk
from netlists.models.pruning import prune
from netlists.models.uses import DeviceUse

LIBRARY = """.lib tt
.param only_wide=7 mismatch=0 process=0
.model fet_n.0 nmos lmin=1e-7 lmax=1e-6 wmin=1e-7 wmax=1e-6 vth0=0.5
.model fet_n.1 nmos lmin=1e-7 lmax=1e-6 wmin=1e-6 wmax=1e-5 vth0={only_wide}
.model bare.0 nmos lmin=1e-7 lmax=1e-6 wmin=1e-7 wmax=1e-6
.model bare.1 nmos lmin=1e-7 lmax=1e-6 wmin=1e-6 wmax=1e-5
.subckt fet_n d g s b w=1u l=1u
m0 d g s b fet_n w=w l=l
.ends
.subckt other_n d g s b w=1u l=1u
x1 d g s b inner_n w=w l=l
.ends
.subckt inner_n d g s b w=1u l=1u
m0 d g s b fet_n w='2*w' l=l
.ends
.endl tt
"""


@pytest.fixture
def pdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pdk:
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "small.lib").write_text(LIBRARY)
    names = ModelNames(re.compile("fet_"), "mismatch", "process", binned=re.compile("fet_"))
    return Pdk(tmp_path / "small.lib", "", "small 1.0", tmp_path, names)


def models(pdk: Pdk, *uses: DeviceUse) -> list[str]:
    text = prune(pdk, "tt", uses).text
    assert ("only_wide" in text) == ("fet_n.1" in text)
    return re.findall(r"^\.model (\S+)", text, re.MULTILINE)


def test_the_bins_kept_are_those_that_hold_the_sizes(pdk: Pdk) -> None:
    assert models(pdk, DeviceUse("fet_n", 0.5, 0.5)) == ["fet_n.0"]
    assert models(pdk, DeviceUse("fet_n", 1.0, 0.5)) == ["fet_n.1"]
    assert models(pdk, DeviceUse("fet_n", 4.0, 0.5, fingers=8)) == ["fet_n.0"]
    assert models(pdk, DeviceUse("fet_n", 0.5, 0.5), DeviceUse("fet_n", 5.0, 0.5)) == ["fet_n.0", "fet_n.1"]
    with pytest.raises(GeometryError, match=r"fet_n: no model for W = 0\.05 um"):
        models(pdk, DeviceUse("fet_n", 0.05, 0.5))


def test_a_call_whose_sizes_are_not_known_keeps_every_bin(pdk: Pdk) -> None:
    assert models(pdk, DeviceUse("other_n", 0.3, 0.5)) == ["fet_n.0", "fet_n.1"]
    assert models(pdk, DeviceUse("fet_n", 0.5, 0.5), DeviceUse("other_n")) == ["fet_n.0", "fet_n.1"]
    assert models(pdk, DeviceUse("bare")) == ["bare.0", "bare.1"]
