"""Prompts as a bundle of Wan cleans and tokenises them against diffusers' WanPipeline, from the text to the ids."""

from __future__ import annotations

import html
import importlib.util
import random
from collections.abc import Callable
from html.entities import html5
from pathlib import Path
from types import ModuleType

import pytest
from diffusers.pipelines.wan.pipeline_wan import prompt_clean, whitespace_clean
from ftfy import fix_text
from transformers import T5Tokenizer

from vidrt import _core
from vidrt.export.tokenizer_files import core_tokenizer
from vidrt.export.wan.tokenizer_folder import tokenizer_spec

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = [
    "一只猫，在“草地”上。　全角空格　！？（电影感）",
    "family 👩\u200d👩\u200d👧 and ❤\ufe0f 1\ufe0f\u20e3 🏳\ufe0f\u200d🌈",
    "قطّة تجري بسرعة، مرحبا بالعالم",
    "แมวน้ำกำลังว่ายน้ำ",
    "cafe\u0301 A\u030a n\u0303 Vie\u0323\u0302t",
    "a &lt;b&gt; cat &amp;lt;3 &amp;amp;amp; dog &nbsp; &copy 2024 &notit; &#x1F600; &#0; &#150;",
    "tab\tnew\nline\r\nform\x0cvertical\x0bfs\x1cgs\x1drs\x1eus\x1fnel\x85end",
    "bell\x07 zero\u200bwidth \ufeffbom soft\u00adhyphen",
    "schÃ¶n â€œquotedâ€\x9d l’humanitÃ©",
    "  \t\u3000\u2003 ",
    "",
    "a red circle " * 3000,
    "red </s> circle <pad>moves<unk> left",
    "&lt;/s&gt; and &lt;extra_id_0&gt;",
    "red <extra_id_7> blue<extra_id_0>green <extra_id_99>",
    "R&D AT&T &amp &ampersand &AMP; &lt &notin; &notin &&amp;& &#; &#x; &#xZ; &;",
]
REFERENCES = "& &amp; &amp &lt; &lt &# &#x ; # x 41 0 D800; 110000; 128; 99999999999 not in; &nbsp; &NewLine; &notit;"
PIECES = [
    *REFERENCES.split(),
    *(" ", "\u3000", "\x1c", "\x85", "\n", "\u200d", "<", "猫", "é", "a", "zwj;", "</s>", "<extra_id_3>"),
    *("&CounterClockwiseContourIntegral;", "longer-than-thirty-two-characters-name"),
]


def mixtures(count: int) -> list[str]:
    rng = random.Random(11)
    return ["".join(rng.choices(PIECES, k=rng.randint(1, 12))) for _ in range(count)]


def python_clean(text: str) -> str:
    """What diffusers does where ftfy is not installed."""
    return whitespace_clean(html.unescape(html.unescape(text)).strip())


def test_html_cleaning_is_what_diffusers_does_without_ftfy() -> None:
    for text in PROMPTS + mixtures(20000):
        assert _core.clean_prompt(text, "html") == python_clean(text), repr(text)


def test_every_named_reference_is_pythons() -> None:
    for name in html5:
        for text in (f"a&{name}b", f"a&{name} b", f"a&x{name}", f"&amp;{name}"):
            assert _core.clean_prompt(text, "html") == python_clean(text), text


def test_every_number_is_what_python_makes_of_it() -> None:
    numbers = [*range(0x300), *range(0xD7F0, 0xE010), *range(0xFDC0, 0x10010)]
    numbers += [n + d for n in range(0x1FFFF, 0x120000, 0x10000) for d in (-2, -1, 0, 1)] + [2**32 + 65, 10**30]
    for number in numbers:
        for text in (f"a&#{number};b", f"a&#x{number:x};b", f"a&#X{number:X} b"):
            assert _core.clean_prompt(text, "html") == python_clean(text), text


def test_white_space_is_what_diffusers_takes_for_it() -> None:
    for code in [*range(0xD800), *range(0xE000, 0x11000)]:
        text = f"{chr(code)} a{chr(code)}{chr(code)}b {chr(code)}"
        assert _core.clean_prompt(text, "whitespace") == whitespace_clean(text), hex(code)
    assert _core.clean_prompt(" a \n b ", "none") == " a \n b "


def test_the_committed_table_is_what_the_tool_writes() -> None:
    assert (ROOT / "csrc" / "runtime" / "html_entities.cpp").read_text() == _tool("html_entities").source()


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Encode = Callable[[str], list[int]]


@pytest.fixture(scope="module", params=["spiece.model", "tokenizer.json"])
def encoders(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    train_t5: Callable[[Path, bool], None],
) -> tuple[Encode, Encode]:
    """The core's ids of a prompt and the original tokenizer's, of a folder that holds this file."""
    folder = tmp_path_factory.mktemp("tokenizer")
    train_t5(folder, True)
    T5Tokenizer.from_pretrained(folder).save_pretrained(folder)
    if request.param == "tokenizer.json":
        (folder / "spiece.model").unlink()
    original = T5Tokenizer.from_pretrained(folder)
    spec = tokenizer_spec(folder, 512)
    core = core_tokenizer(spec, tmp_path_factory.mktemp("bundle"))
    return lambda text: list(core.encode(_core.clean_prompt(text, "html")).ids), lambda text: original(text).input_ids


def test_ids_are_those_of_wan_with_ftfy(encoders: tuple[Encode, Encode]) -> None:
    encode, original = encoders
    for text in PROMPTS + mixtures(3000):
        assert encode(fix_text(text)) == original(prompt_clean(text)), repr(text)


def test_ids_are_those_of_wan_without_ftfy(encoders: tuple[Encode, Encode]) -> None:
    encode, original = encoders
    for text in PROMPTS + mixtures(3000):
        assert encode(text) == original(python_clean(text)), repr(text)
