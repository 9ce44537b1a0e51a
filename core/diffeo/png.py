"""The caption of a picture travels inside it: the ``Description`` of a PNG, read without decoding the image."""

import struct
from pathlib import Path

__all__ = ["description"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def description(path: Path) -> str:
    """The ``Description`` text of a PNG (chunks tEXt or uncompressed iTXt); empty if it has none."""
    data = path.read_bytes()
    if not data.startswith(_SIGNATURE):
        raise ValueError(f"expected a PNG; got {path}")
    position = len(_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        keyword, _, text = data[position + 8 : position + 8 + length].partition(b"\x00")
        if keyword == b"Description" and kind == b"tEXt":
            return text.decode("latin-1")
        if keyword == b"Description" and kind == b"iTXt" and text[:1] == b"\x00":
            return text[2:].split(b"\x00", 2)[2].decode("utf-8")
        position += length + 12  # length, kind and checksum are 4 bytes each
    return ""
