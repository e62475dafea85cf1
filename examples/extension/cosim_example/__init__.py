"""An extension of cosim: one file a synapse cell, a neuron, a measurement, a process."""
