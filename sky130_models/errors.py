"""What can be wrong with a PDK, a device or its geometry. Each message is one line that says what would be right."""

from __future__ import annotations


class DeviceModelError(ValueError):
    """Base of the errors of this room."""


class PdkNotFound(DeviceModelError):
    """No SKY130 models, or not where the environment says they are."""


class LibraryError(DeviceModelError):
    """A model library that cannot be read, or a device that it does not hold."""


class GeometryError(DeviceModelError):
    """A size that the device or its models do not cover."""
