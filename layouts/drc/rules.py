"""SKY130's design rules for the layers in use.

Sources: SkyWater's periphery rules (google/skywater-pdk at 7198cf6, docs/rules/periphery, Apache-2.0), by their names; the rules
of cap2m and the latch-up distances from open_pdks 1.0.603, sky130/magic/sky130.tech (Apache-2.0).
"""

from __future__ import annotations

from layouts.drc.antenna import Antenna
from layouts.drc.kinds import (
    Apart,
    Area,
    Around,
    AroundOneWay,
    Beyond,
    ChannelWidth,
    Empty,
    Holds,
    Hole,
    Near,
    NotBeside,
    OnGrid,
    Rectangles,
    Rule,
    Slots,
    Space,
    Square,
    WideSpace,
    Width,
)
from layouts.technology import GRID_UM

_WELLS = (
    Width("nwell.1", "nwell", 0.84),
    Space("nwell.2a", "nwell", 1.27),
    Holds("nwell.4", "nwell", "licon on n-tap"),
)
_DIFFUSIONS = (
    Width("difftap.1", "diff or tap", 0.15),
    ChannelWidth("difftap.2", 0.42),
    Beyond("poly.8", "poly", "diff", 0.13),
    Beyond("poly.7", "diff", "poly", 0.25),
    Space("difftap.3", "diff or tap", 0.27),
    Around("difftap.8", "nwell", "p-diff", 0.18),
    Apart("difftap.9", "n-diff", "nwell", 0.34),
    Around("difftap.10", "nwell", "n-tap", 0.18),
    Apart("difftap.11", "p-tap", "nwell", 0.13),
    Near("LU.2", "n-diff", "p-tap", 15.0),
    Near("LU.3", "p-diff", "n-tap", 15.0),
)
_GATES = (
    Width("poly.1a", "poly", 0.15),
    Space("poly.2", "poly", 0.21),
    NotBeside("poly.4", "poly", "diff", 0.075),
    Apart("poly.5", "poly", "tap", 0.055),
    Width("hvtp.1", "hvtp", 0.38),
    Space("hvtp.2", "hvtp", 0.38),
    Around("hvtp.3", "hvtp", "hvt pfet", 0.18),
    Apart("hvtp.4", "wide channel pfet", "hvtp", 0.18),
    Area("hvtp.5", "hvtp", 0.265),
    Width("lvtn.1a", "lvtn", 0.38),
    Space("lvtn.2", "lvtn", 0.38),
    Apart("lvtn.3a", "usual nfet", "lvtn", 0.18),
    Around("lvtn.4b", "lvtn", "lvt nfet", 0.18),
    Apart("lvtn.9", "lvtn", "hvtp", 0.38),
    Apart("lvtn.10", "lvtn", "nwell", 0.38),
    Area("lvtn.13", "lvtn", 0.265),
)
_IMPLANTS = (
    Empty("nsd.0", "diff without implant", "every diffusion and tap in nsdm or psdm"),
    Empty("psd.0", "diff with both implants", "no diffusion in both nsdm and psdm"),
    Empty("nsd.7w", "n-implant over n-well diff", "no n-diffusion in nwell"),
    Empty("psd.7w", "p-implant outside nwell", "no p-diffusion outside nwell"),
    Width("nsd.1", "nsdm", 0.38),
    Space("nsd.2", "nsdm", 0.38),
    Around("nsd.5a", "nsdm", "n-diff", 0.125),
    Around("nsd.5b", "nsdm", "n-tap", 0.125),
    Apart("nsd.7", "nsdm", "p-diff", 0.13),
    Apart("nsd.7b", "nsdm", "p-tap", 0.13),
    Area("nsd.10a", "nsdm", 0.265),
    Width("psd.1", "psdm", 0.38),
    Space("psd.2", "psdm", 0.38),
    Around("psd.5a", "psdm", "p-diff", 0.125),
    Around("psd.5b", "psdm", "p-tap", 0.125),
    Apart("psd.7", "psdm", "n-diff", 0.13),
    Apart("psd.7b", "psdm", "n-tap", 0.13),
    Area("psd.10b", "psdm", 0.255),
)
_CONTACTS = (
    Width("npc.1", "npc", 0.27),
    Space("npc.2", "npc", 0.27),
    Apart("npc.4", "npc", "gate", 0.09),
    Empty("licon.0", "licon on nothing", "every licon on diff, tap or poly"),
    Empty("licon.17", "licon on a gate", "no licon on a gate"),
    Square("licon.1", "square licon", 0.17),
    Slots("licon.1bc", "slot", 0.19, 2.0),
    Space("licon.2", "licon1", 0.17),
    Space("licon.2b", "slot", 0.35),
    Around("licon.5a", "diff", "licon on diff", 0.04),
    AroundOneWay("licon.5c", "diff", "licon on diff", 0.06),
    AroundOneWay("licon.7", "tap", "licon on tap", 0.12),
    Around("licon.8", "poly", "licon on poly", 0.05),
    AroundOneWay("licon.8a", "poly", "licon on poly", 0.08),
    Apart("licon.9", "licon on plain poly", "psdm", 0.11),
    Apart("licon.11", "licon on diff", "gate", 0.055),
    Apart("licon.13", "licon on diff", "npc", 0.09),
    Apart("licon.14", "licon on poly", "diff or tap", 0.19),
    Around("licon.15", "npc", "licon on poly", 0.10),
    Around("li.5a", "li1", "licon1", 0.0),
    AroundOneWay("li.5", "li1", "licon1", 0.08),
)
_LOCAL = (
    Width("li.1", "li1", 0.17),
    Space("li.3", "li1", 0.17),
    Area("li.6", "li1", 0.0561),
    Square("ct.1", "mcon", 0.17),
    Space("ct.2", "mcon", 0.19),
    Around("ct.4", "li1", "mcon", 0.0),
)
_METALS = (
    Width("m1.1", "met1", 0.14),
    Space("m1.2", "met1", 0.14),
    WideSpace("m1.3ab", "met1", 3.0, 0.28),
    Around("m1.4", "met1", "mcon", 0.03),
    AroundOneWay("m1.5", "met1", "mcon", 0.06),
    Area("m1.6", "met1", 0.083),
    Hole("m1.7", "met1", 0.14),
    Square("via.1a", "via", 0.15),
    Space("via.2", "via", 0.17),
    Around("via.4a", "met1", "via", 0.055),
    AroundOneWay("via.5a", "met1", "via", 0.085),
    Width("m2.1", "met2", 0.14),
    Space("m2.2", "met2", 0.14),
    WideSpace("m2.3ab", "met2", 3.0, 0.28),
    Around("m2.4", "met2", "via", 0.055),
    AroundOneWay("m2.5", "met2", "via", 0.085),
    Area("m2.6", "met2", 0.0676),
    Hole("m2.7", "met2", 0.14),
    Square("via2.1a", "via2", 0.20),
    Space("via2.2", "via2", 0.20),
    Around("via2.4", "met2", "via2", 0.04),
    AroundOneWay("via2.5", "met2", "via2", 0.085),
    Width("m3.1", "met3", 0.30),
    Space("m3.2", "met3", 0.30),
    WideSpace("m3.3", "met3", 3.0, 0.40),
    Around("m3.4", "met3", "via2", 0.065),
    Area("m3.6", "met3", 0.24),
    Square("via3.1", "via3", 0.20),
    Space("via3.2", "via3", 0.20),
    Around("via3.4", "met3", "via3", 0.06),
    AroundOneWay("via3.5", "met3", "via3", 0.09),
    Width("m4.1", "met4", 0.30),
    Space("m4.2", "met4", 0.30),
    Around("m4.3", "met4", "via3", 0.065),
    Area("m4.4a", "met4", 0.24),
    WideSpace("m4.5ab", "met4", 3.0, 0.40),
    Square("via4.1", "via4", 0.80),
    Space("via4.2", "via4", 0.80),
    Around("via4.4", "met4", "via4", 0.19),
    Width("m5.1", "met5", 1.60),
    Space("m5.2", "met5", 1.60),
    Around("m5.3", "met5", "via4", 0.31),
    Area("m5.4", "met5", 4.0),
)
_CAPACITORS = (
    Width("cap2m.1", "cap2m", 1.0),
    Space("cap2m.2a", "cap2m", 0.84),
    Around("cap2m.3", "met4", "cap2m", 0.14),
    Around("cap2m.4", "cap2m", "via4 on cap2m", 0.20),
    Apart("cap2m.5", "cap2m", "via4 beside cap2m", 0.20),
    Rectangles("cap2m.7", "cap2m", 20.0),
    Apart("cap2m.8", "cap2m", "via3", 0.14),
    NotBeside("cap2m.11", "cap2m", "met4", 1.34, shielded=False),
    Holds("cap2m.0", "cap2m", "via4 on cap2m"),
)
_RESISTORS = (
    Width("urpm.1a", "urpm", 1.27),
    Space("urpm.2", "urpm", 0.84),
    Around("urpm.3", "urpm", "resistor and heads", 0.20),
    Around("urpm.4", "psdm", "resistor and heads", 0.11),
    Around("urpm.5", "npc", "resistor and heads", 0.095),
    Apart("urpm.6", "urpm", "nsdm", 0.20),
    Apart("urpm.7", "urpm", "plain poly", 0.20),
    Apart("poly.9", "resistor and heads", "diff or tap", 0.48),
    Apart("poly.9b", "resistor and heads", "plain poly", 0.48),
)
_ANTENNAS = (
    Antenna("ar_poly", "poly", 50.0),
    Antenna("ar_li", "li1", 75.0),
    *(Antenna(f"ar_met{k}", f"met{k}", 400.0) for k in range(1, 6)),
)
_GRID = tuple(
    OnGrid("x.1a", layer, GRID_UM)
    for layer in (
        "nwell", "diff", "tap", "poly", "licon1", "li1", "mcon", "met1", "via", "met2", "via2", "met3", "via3", "met4", "via4",
        "met5", "nsdm", "psdm", "npc", "hvtp", "lvtn", "cap2m", "urpm", "poly_res",
    )
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    *_WELLS, *_DIFFUSIONS, *_GATES, *_IMPLANTS, *_CONTACTS, *_LOCAL, *_METALS, *_CAPACITORS, *_RESISTORS, *_ANTENNAS, *_GRID,
)  # fmt: skip
"""Every rule that is checked."""
