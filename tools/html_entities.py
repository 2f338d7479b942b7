"""Write HTML's named character references as C++: `python tools/html_entities.py > csrc/runtime/html_entities.cpp`.

The table is Python's `html.entities.html5`, which is that of the HTML standard, section 13.5.
"""

from __future__ import annotations

from html.entities import html5

WIDTH = 116
"""Characters of a literal; with the quotes and the indent a line stays under 120."""

HEAD = """\
// Written by tools/html_entities.py; do not edit.
#include "runtime/html_entities.h"

#include <cstddef>

namespace vidrt {
namespace {

// Records of a name, ';' where it needs one or ',' where it also stands without, its text, and a NUL.
// clang-format off
constexpr char kRecords[] ="""

TAIL = """\
// clang-format on

HtmlEntities read_records() {
  HtmlEntities entities;
  for (std::string_view rest(kRecords, sizeof(kRecords) - 1); !rest.empty();) {
    const std::size_t mark = rest.find_first_of(";,");
    const std::size_t end = rest.find('\\0');
    HtmlEntity& entity = entities[rest.substr(0, mark)];
    entity.text = rest.substr(mark + 1, end - mark - 1);
    entity.needs_semicolon = rest[mark] == ';';
    rest.remove_prefix(end + 1);
  }
  return entities;
}

}  // namespace

const HtmlEntities& html_entities() {
  static const HtmlEntities entities = read_records();
  return entities;
}

}  // namespace vidrt"""


def escaped(text: str) -> str:
    """Its UTF-8 inside a C++ literal. Octal escapes end after three digits, whatever follows."""
    plain = {ord("\\"): "\\\\", ord('"'): '\\"', ord("?"): "\\?"}
    return "".join(plain.get(byte, chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}") for byte in text.encode())


def records() -> list[str]:
    """One a name, as a literal spells it."""
    return [
        f"{name[:-1]}{',' if name[:-1] in html5 else ';'}{escaped(text)}\\0"
        for name, text in sorted(html5.items())
        if name.endswith(";")
    ]


def source() -> str:
    """The whole file."""
    lines = [""]
    for record in records():
        if len(lines[-1]) + len(record) > WIDTH:
            lines.append("")
        lines[-1] += record
    literals = "\n".join(f'"{line}"' for line in lines)
    return f"{HEAD}\n{literals};\n{TAIL}\n"


if __name__ == "__main__":
    print(source(), end="")
