"""Text files of users, whatever wrote them."""

from __future__ import annotations

import codecs
from pathlib import Path

from cosim.errors import InputError
from training.files import MOST_TEXT_BYTES, read_bounded

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def text_of(path: Path) -> str:
    """The text of a file: UTF-8 or UTF-16 with its mark, else Latin-1, as older tools write their comments.

    Raises `OSError` where it cannot be read, `InputError` where it is no text.
    """
    content = read_bounded(path, MOST_TEXT_BYTES)
    if content.startswith(_UTF_16):
        text = content.decode("utf-16", errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    if "\0" in text:
        raise InputError(f"{path}: is not text")
    return text
