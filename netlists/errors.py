"""What can be wrong with something a user gave to this room. Each message is one line that says what would be right."""

from __future__ import annotations


class NetlistError(ValueError):
    """A circuit that cannot be built or drawn; base of the errors of this room."""


class DeviceModelError(NetlistError):
    """Something is wrong with the models of devices, or with what is asked of them."""


class PdkNotFound(DeviceModelError):
    """No models of a process, or not where the environment says they are."""


class LibraryError(DeviceModelError):
    """A model library that cannot be read, or a device that it does not hold."""


class GeometryError(DeviceModelError):
    """A size that the device or its models do not cover: `size_um`, width and length, where it is one of those."""

    def __init__(self, problem: str, size_um: tuple[float, float] | None = None) -> None:
        super().__init__(problem)
        self.size_um = size_um
