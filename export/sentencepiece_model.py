"""A SentencePiece model file made of a unigram vocabulary that comes without one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

_VARINT, _LENGTH, _FIXED32 = 0, 2, 5


class PieceType(IntEnum):
    """The kinds of pieces of sentencepiece_model.proto that are written here."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3


@dataclass(frozen=True)
class Piece:
    """One entry of a vocabulary; its place is its id."""

    text: str
    score: float
    type: PieceType = PieceType.NORMAL


def sentencepiece_model(pieces: Sequence[Piece], charsmap: bytes) -> bytes:
    """Serialise a unigram model that puts a space before the text and takes runs of spaces for one.

    Args:
        pieces: In the order of their ids, exactly one of them UNKNOWN.
        charsmap: The compiled normalisation table; empty for no normalisation.
    """
    model = [_field(1, _piece(piece)) for piece in pieces]
    trainer = [_number(3, 1), _number(40, [piece.type for piece in pieces].index(PieceType.UNKNOWN))]
    trainer += [_number(field, -1) for field in (41, 42, 43)]  # bos, eos and pad are vidrt's to add
    normalizer = [_number(3, 1), _number(4, 1), _number(5, 1)]  # dummy prefix, no extra white space, U+2581 for a space
    if charsmap:
        normalizer.append(_field(2, charsmap))
    return b"".join([*model, _field(2, b"".join(trainer)), _field(3, b"".join(normalizer))])


def _piece(piece: Piece) -> bytes:
    score = _varint(2 << 3 | _FIXED32) + struct.pack("<f", piece.score)
    return _field(1, piece.text.encode()) + score + _number(3, piece.type)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value % 2**64)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
