"""What a network may know of the circuit it will run on.

`HardwareModel` holds physical values extracted from a circuit at one corner and one temperature; `normalise()` is the one place
where SI becomes the numbers of the neuron equation, `NormalisedModel`. No torch and no simulator is imported, so an extracted
model can be read anywhere.

The membrane is described in the charge domain: the *displacement* ``u`` of a membrane is the charge that has flowed onto it
since it was at rest, divided by the loaded capacitance ``C`` (volts, positive towards the threshold), and ``v = u / V_th``.
A membrane capacitor whose value depends on its voltage therefore stays linear in ``v``; `NeuronHardware.membrane` converts to
the voltage that a probe would show.
"""

from training.hardware.columns import columns_of_layers
from training.hardware.curve import Curve, FloatArray, HardwareModelError, OutOfRange, Quantity
from training.hardware.model import (
    REFERENCE_FILE,
    SCHEMA_VERSION,
    ColumnHardware,
    HardwareModel,
    NeuronHardware,
    Sign,
    SynapseHardware,
)
from training.hardware.normalised import NormalisedModel, NormalisedPlaces, NormalisedSynapse, firing_law, normalise
from training.hardware.places import LayerPlaces
from training.hardware.synapse_table import SynapseTable, WeightRange, constant_beta
from training.hardware.terms import TERMS
from training.hardware.variation import Matrix, Variation, VariedParameter

__all__ = [
    "REFERENCE_FILE",
    "SCHEMA_VERSION",
    "TERMS",
    "ColumnHardware",
    "Curve",
    "FloatArray",
    "HardwareModel",
    "HardwareModelError",
    "LayerPlaces",
    "Matrix",
    "NeuronHardware",
    "NormalisedModel",
    "NormalisedPlaces",
    "NormalisedSynapse",
    "OutOfRange",
    "Quantity",
    "Sign",
    "SynapseHardware",
    "SynapseTable",
    "Variation",
    "VariedParameter",
    "WeightRange",
    "columns_of_layers",
    "constant_beta",
    "firing_law",
    "normalise",
]
