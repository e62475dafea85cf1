"""The official files from their official places, held to their checksums."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

from training.data.files import CIFAR_ARCHIVE, CIFAR_TEST, CIFAR_TRAIN, IDX_FILES, DataFileError
from training.files import write_whole

IDX_NAMES = tuple(f"{name}.gz" for names in IDX_FILES.values() for name in names)


@dataclass(frozen=True)
class Source:
    """Where the files of a set come from: address, and the md5 sum of each file there."""

    url: str
    md5: dict[str, str]


SOURCES = {
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        dict(
            zip(
                IDX_NAMES,
                (
                    "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
                    "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
                ),
                strict=True,
            )
        ),
    ),
    "fashion-mnist": Source(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        dict(
            zip(
                IDX_NAMES,
                (
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
                    "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
                ),
                strict=True,
            )
        ),
    ),
    "cifar-10": Source(
        "https://www.cs.toronto.edu/~kriz/", {CIFAR_ARCHIVE: "c32a1d4ab5d03f1284b67883e8d87530"}
    ),
}  # fmt: skip


def fetch(name: str, cache: Path | None = None) -> Path:
    """Folder with the official files of a set, downloaded where they are not there yet. Raises `DataFileError`.

    `cache`: folder for downloads; the user's cache folder where None.
    """
    import pooch

    source, folder = SOURCES[name], Path(cache or pooch.os_cache("cosim")) / name
    pooch.get_logger().setLevel("WARNING")
    for file, md5 in source.md5.items():
        try:
            pooch.retrieve(source.url + file, f"md5:{md5}", fname=file, path=folder)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise DataFileError(
                f"{name}: {file} cannot be downloaded: {reason}; get it from {source.url} and give its folder"
            ) from error
    if name == "cifar-10":
        _unpack(folder / CIFAR_ARCHIVE, folder)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    """The batches alone, each whole or not there."""
    with tarfile.open(archive) as members:
        for name in (*CIFAR_TRAIN, *CIFAR_TEST):
            member = members.extractfile(f"cifar-10-batches-bin/{name}")
            if member is not None and not (folder / name).exists():
                write_whole(folder / name, member.read())
