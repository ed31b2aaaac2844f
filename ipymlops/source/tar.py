"""The headers of a tar file: GNU's form, so that names are plain bytes of any length.

Written here rather than by `tarfile`, whose bytes may change from one Python to the next: same tree, same bytes.
"""

from __future__ import annotations

BLOCK = 512
REGULAR, LINK, LONG_NAME, LONG_LINK = b"0", b"2", b"L", b"K"
NAME_BYTES = 100
LARGEST_OCTAL = 8**11 - 1
END = bytes(2 * BLOCK)


def header(name: bytes, *, mode: int, size: int, kind: bytes = REGULAR, target: bytes = b"") -> bytes:
    """The blocks before a file's content: owner 0, time 0; a long name or link target gets blocks of its own."""
    long = b""
    if len(target) > NAME_BYTES:
        long += _long(target, LONG_LINK)
    if len(name) > NAME_BYTES:
        long += _long(name, LONG_NAME)
    return long + _block(name, mode, size, kind, target)


def padding(size: int) -> bytes:
    """What fills the last block of a content."""
    return bytes(-size % BLOCK)


def _long(text: bytes, kind: bytes) -> bytes:
    ended = text + b"\0"
    return _block(b"././@LongLink", 0, len(ended), kind, b"") + ended + padding(len(ended))


def _block(name: bytes, mode: int, size: int, kind: bytes, target: bytes) -> bytes:
    parts = (
        name[:NAME_BYTES].ljust(NAME_BYTES, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        _size(size),
        b"%011o\0" % 0,
        b" " * 8,  # the checksum counts itself as spaces
        kind,
        target[:NAME_BYTES].ljust(NAME_BYTES, b"\0"),
        b"ustar  \0",
    )
    block = b"".join(parts).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _size(size: int) -> bytes:
    """Octal, or base 256 from 8 GiB on."""
    return b"%011o\0" % size if size <= LARGEST_OCTAL else b"\x80" + size.to_bytes(11, "big")
