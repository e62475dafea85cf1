"""Calibration of dies: what a chip's spikes say of its devices, and the codes that bring the network back.

A die is measured by its spike times alone (`chip`), each neuron by itself because its inputs are observed (`identify`), on the
patterns that say most about what the network will see (`plan`); then it is programmed so that every neuron does what the nominal
one does (`reprogram`), or all layers together where it cannot (`joint`). It may be fine-tuned then with its own spikes
(`in_the_loop`). `calibrate` is all of it. docs/calibration.md has the equations.
"""
