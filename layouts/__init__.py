"""What the silicon is: the cells drawn from the dimensions that their netlists have, checked, compared with those netlists, and
their wires extracted.

`technology` holds the numbers of the process: layers, rules, capacitances, resistances. Lengths are in um, of whole steps of its
grid. Everything here needs the package `klayout` (extra `layout`); nothing here runs a simulator.
"""
