"""docs/design.md says what the schema says."""

from __future__ import annotations

from cosim.design import Design
from cosim.design.reference import PAGE, page
from netlists.synapse import SYNAPSES


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m cosim.design.reference"


def test_every_section_and_key_is_on_the_page() -> None:
    text = page()
    for name, field in Design.model_fields.items():
        section = field.annotation
        for key in getattr(section, "model_fields", {}):
            assert f"`{key}`" in text or f"[{name}.{key}]" in text, f"{name}.{key}"
    assert text.count("## [synapse] with kind = ") == len(SYNAPSES)


def test_units_bounds_and_defaults_are_told() -> None:
    assert "| `phase_s` | number, >= 1e-09, <= 0.01 | s | `1e-06` |" in page()
    assert "| `name` | text |  | required |" in page()
    assert "| `mismatch` | `true` or `false` |  | `false` |" in page()
