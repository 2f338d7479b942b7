"""Write what CLIP's tokenizer knows of Unicode as C++: `python tools/clip_unicode_tables.py` writes the file.

Hugging Face's CLIPTokenizer is built of parts of the tokenizers library, and those know different versions of Unicode:
its regular expressions and its lower case a new one, its normal forms one of years ago. So the tables are not made from
Unicode's files but asked of that library, code point by code point (half a minute).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import Regex, normalizers, pre_tokenizers

OUTPUT = Path(__file__).resolve().parents[1] / "csrc" / "runtime" / "clip_unicode_tables.cpp"
WIDTH = 118

# A separator must be no character that anything below changes or that changes what stands beside it.
CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and chr(code) != "\n"]
HANGUL = range(0xAC00, 0xAC00 + 11172)

HEAD = """\
// Written by tools/clip_unicode_tables.py; do not edit.
#include "runtime/clip_unicode_tables.h"

namespace vidrt {
namespace {

// clang-format off"""

TAIL = """\
// clang-format on

}  // namespace

UnicodeTable<CodePointRange> clip_letters() { return {std::begin(kLetters), std::end(kLetters)}; }
UnicodeTable<CodePointRange> clip_numbers() { return {std::begin(kNumbers), std::end(kNumbers)}; }
UnicodeTable<LowerCase> clip_lower_case() { return {std::begin(kLowerCase), std::end(kLowerCase)}; }
UnicodeTable<Decomposition> clip_decompositions() { return {std::begin(kDecompositions), std::end(kDecompositions)}; }
UnicodeTable<CombiningClass> clip_combining_classes() {
  return {std::begin(kCombiningClasses), std::end(kCombiningClasses)};
}

}  // namespace vidrt"""


def each(normalizer: normalizers.Normalizer, texts: list[str]) -> list[str]:
    """Every text by itself, many in one call."""
    normal: list[str] = []
    for begin in range(0, len(texts), 4096):
        part = texts[begin : begin + 4096]
        result = normalizer.normalize_str("\n".join(part)).split("\n")
        assert len(result) == len(part)
        normal += result
    return normal


def matching(pattern: str) -> list[int]:
    """Code points that a pattern of one or more characters matches."""
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found: list[int] = []
    for begin in range(0, len(CHARACTERS), 8192):
        for piece, _ in split.pre_tokenize_str("".join(CHARACTERS[begin : begin + 8192])):
            found += map(ord, piece)
    return found


def ranges(values: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Rising code points with a value each, as first, last and value."""
    run: list[int] = []
    for code, value in values:
        if run and code == run[1] + 1 and value == run[2]:
            run[1] = code
            continue
        if run:
            yield run[0], run[1], run[2]
        run = [code, code, value]
    if run:
        yield run[0], run[1], run[2]


def lower_case() -> list[tuple[int, str]]:
    """Characters that have a lower case, and it."""
    lowered = each(normalizers.Lowercase(), CHARACTERS)
    return [(ord(one), lower) for one, lower in zip(CHARACTERS, lowered, strict=True) if one != lower]


def decompositions() -> list[tuple[int, int, int, bool]]:
    """What a character is made of, one or two others that may be taken apart further, and whether these become it."""
    whole = dict(zip(CHARACTERS, each(normalizers.NFD(), CHARACTERS), strict=True))
    composed = set(each(normalizers.NFC(), CHARACTERS))
    # Of characters with the same parts the one that they become, which is the last to be put in.
    by_parts = {parts: one for one, parts in sorted(whole.items(), key=lambda item: item[0] in composed)}
    rows = []
    for one, parts in whole.items():
        if parts == one or ord(one) in HANGUL:
            continue
        first = parts[:-1] if len(parts) < 3 else by_parts[parts[:-1]]
        if not first:
            rows.append((ord(one), ord(parts), 0, False))
            continue
        rows.append((ord(one), ord(first), ord(parts[-1]), one in composed))
    return rows


def combining_classes() -> list[tuple[int, int]]:
    """Found by what changes places with what: a mark goes before another of a higher class that is not 0."""
    nfd = normalizers.NFD()
    overlay, iota = "\u0334", "\u0345"  # of the lowest class, 1, and the highest, 240
    after = each(nfd, [f"a{mark}{overlay}" for mark in CHARACTERS])
    before = each(nfd, [f"a{iota}{mark}" for mark in CHARACTERS])
    marks = [
        mark
        for mark, low, high in zip(CHARACTERS, after, before, strict=True)
        if low == f"a{overlay}{mark}" or high == f"a{mark}{iota}"
    ]
    known: dict[int, str] = {}
    for mark in marks:
        known.setdefault(unicodedata.combining(mark), mark)
    classes: dict[str, int] = {}
    for number, other in known.items():
        first = each(nfd, [f"a{mark}{other}" for mark in marks])
        second = each(nfd, [f"a{other}{mark}" for mark in marks])
        for mark, low, high in zip(marks, first, second, strict=True):
            if low == f"a{mark}{other}" and high == f"a{other}{mark}":
                classes[mark] = number
    assert len(classes) == len(marks)
    return [(ord(mark), classes[mark]) for mark in marks]


def array(declaration: str, rows: Iterable[str]) -> str:
    """A C++ array, as many rows a line as fit."""
    lines = [""]
    for row in rows:
        if len(lines[-1]) + len(row) + 1 > WIDTH:
            lines.append("")
        lines[-1] += row + ","
    body = "\n".join(lines)
    return f"constexpr {declaration}[] = {{\n{body}\n}};"


def source() -> str:
    """The whole file."""
    spans = {
        name: [f"{{{first:#x},{last:#x}}}" for first, last, _ in ranges((code, 0) for code in matching(pattern))]
        for name, pattern in (("kLetters", r"\p{L}+"), ("kNumbers", r"\p{N}+"))
    }
    arrays = [array(f"CodePointRange {name}", rows) for name, rows in spans.items()]
    lower = [(code, [*map(ord, text), 0]) for code, text in lower_case()]
    assert all(len(to) < 4 for _, to in lower)
    arrays.append(array("LowerCase kLowerCase", (f"{{{code:#x},{to[0]:#x},{to[1]:#x}}}" for code, to in lower)))
    parts = (f"{{{one:#x},{first:#x},{second:#x},{int(joins)}}}" for one, first, second, joins in decompositions())
    arrays.append(array("Decomposition kDecompositions", parts))
    classes = (f"{{{first:#x},{last:#x},{number}}}" for first, last, number in ranges(combining_classes()))
    arrays.append(array("CombiningClass kCombiningClasses", classes))
    return "\n".join([HEAD, *arrays, TAIL, ""])


if __name__ == "__main__":
    OUTPUT.write_text(source())
