"""The page that `report` makes: read by Python's parser of HTML, its numbers compared with the file's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import os
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from packed_file import content, float_tensors, layer_entry, packed_tensors, read_file
from reference import odd_codebook

HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>",
    "' onmouseover='alert(3)",
    "</title></svg></style><b>",
    "&lt;i&gt;&amp;",
    "a\x1b[31m\x07b",
    "]]><!--",
]
VOID = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Collects elements with their attributes and the text in them; checks that tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.texts.setdefault(tag, [])
        if tag not in VOID:
            self.open.append(tag)
            self.texts[tag].append("")

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def file_with_names(path: Path, names: list[str], *, record: str | None = None, title: str = "net") -> None:
    """A weights-only file whose layers have these names; every other one is in float."""
    rng = np.random.default_rng(11)
    tensors, layers = {}, []
    for index, name in enumerate(names):
        if index % 2:
            tensors |= float_tensors(name, rng.normal(0, 1, (3, 4)).astype(np.float32))
        else:
            points, books = np.array([1, 2, 0], np.uint8), [odd_codebook(3), odd_codebook(2)]
            codes = [rng.integers(0, len(book), (n, 4)) for book, n in zip(books, (2, 1))]
            tensors |= packed_tensors(name, points, codes, books, [0.5, 0.25, 0.125], rng.normal(size=3))
        layers.append(layer_entry(name, "Gemm", (3, 4)))
    extra = {} if record is None else {"quantization": record}
    path.write_bytes(content(tensors, layers, None, name=title, producer=title, **extra))


def test_names_of_the_file_stay_text(command, tmp_path: Path) -> None:
    plain, hostile = tmp_path / "plain.html", tmp_path / "hostile.html"
    pages = {}
    for path, names, title in ((plain, [f"layer{i}" for i in range(len(HOSTILE))], "net"), (hostile, HOSTILE, HOSTILE[0])):
        file = tmp_path / "x.multipoint"
        record = {
            "method": title, "nearest_bits": [2, 3], "rounded_bits": [2, 3],
            "layers": {name: {"nearest": [0.5, 0.2], "rounded": [0.2, 0.1]} for name in names},
        }  # fmt: skip
        file_with_names(file, names, record=json.dumps(record), title=title)
        command("report", file, "-o", path)
        pages[path] = Page(path.read_text("utf-8"))
    # The same elements with the same attributes' names, whatever the layers are called.
    assert [(tag, sorted(attributes)) for tag, attributes in pages[plain].elements] == [
        (tag, sorted(attributes)) for tag, attributes in pages[hostile].elements
    ]
    assert pages[hostile].count("script") == 1
    # And the names are there to be read, but for control characters.
    readable = [re.sub(r"[\x00-\x1f\x7f]", "\ufffd", name) for name in HOSTILE]
    assert pages[hostile].texts["option"] == readable
    assert "\x1b" not in hostile.read_text("utf-8")


def test_only_its_own_script_may_run_and_nothing_is_fetched(command, tmp_path: Path) -> None:
    file_with_names(tmp_path / "x.multipoint", ["a", "b"])
    command("report", tmp_path / "x.multipoint", "-o", tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text("utf-8")
    page = Page(text)
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and a.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(page.texts["script"][0].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    for _, attributes in page.elements:
        assert not {"src", "href", "style", "onload", "onclick"} & set(attributes)
    assert "url(" not in text and "@import" not in text
    assert not re.search(r"https?://", text)


@pytest.fixture(scope="module")
def digits_report(command, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Page, Path]:
    """`inspect`'s summary, the page and the file."""
    folder = tmp_path_factory.mktemp("report")
    file, page = folder / "digits.multipoint", folder / "digits.html"
    command(
        "quantize", digits / "digits.onnx", "--calibration", digits / "calibration_images.npy", "--scale", 0.0625,
        "--limit", 64, "--budget", 4.25, "--record", "-o", file,
    )  # fmt: skip
    command("report", file, "--original", digits / "digits.onnx", "-o", page)
    return json.loads(command("inspect", file, "--json")), Page(page.read_text("utf-8")), file


def test_numbers_are_those_of_the_file(digits_report) -> None:
    summary, page, file = digits_report
    totals = summary["totals"]
    tiles = page.texts["dd"]
    assert f"{totals['packed_bits_per_weight']:.2f}" in tiles
    assert f"{totals['file_bytes']:,}" in tiles and f"{totals['weights']:,}" in tiles
    # The parts of the file add up to its size.
    _, tensors = read_file(file)
    sizes = {key: 0 for key in ("codes", "codebook", "scales", "points", "bias")}
    for name, tensor in tensors.items():
        kind = next((part for part in name.split(".")[::-1] if part in sizes), None)
        if kind:
            sizes[kind] += tensor.nbytes
    cells = page.texts["td"]
    for size in sizes.values():
        assert f"{size:,}" in cells, sizes
    assert f"{file.stat().st_size:,}" in cells
    # Layers, in order.
    names = [layer["name"] for layer in summary["layers"]]
    assert page.texts["option"] == names
    values = page.texts["span"]
    for layer in summary["layers"]:
        # The page rounds halves up, Python to even.
        assert any(abs(float(value) - layer["bits_per_weight"]) < 0.00501 for value in values if re.fullmatch(r"\d+\.\d\d", value))
        histogram = ", ".join(f"{points}: {n}" for points, n in enumerate(layer["channels_by_points"]) if n)
        assert histogram in values


def test_every_chart_has_a_text_alternative(digits_report) -> None:
    _, page, _ = digits_report
    identifiers = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    charts = 0
    for tag, attributes in page.elements:
        if tag != "svg":
            continue
        if attributes.get("aria-hidden") == "true":
            continue  # its numbers stand beside it
        charts += 1
        assert attributes["role"] == "img"
        if "aria-label" not in attributes:
            for name in attributes["aria-labelledby"].split():
                assert name in identifiers
    # Size, two trade-offs, and per layer a histogram and a curve.
    assert charts == 3 + 2 * 8
    assert all(title.strip() for title in page.texts["title"])
    assert next(attributes for tag, attributes in page.elements if tag == "html")["lang"] == "en"


def test_record_agrees_with_other_ways_to_know(command, digits: Path, digits_report, tmp_path: Path) -> None:
    """What the record says about nearest rounding at 4 bits is what quantizing with nearest rounding at 4 bits says."""
    _, _, file = digits_report
    record = json.loads(read_file(file)[0]["quantization"])
    output = tmp_path / "nearest.multipoint"
    command(
        "quantize", digits / "digits.onnx", "--calibration", digits / "calibration_images.npy", "--scale", 0.0625,
        "--limit", 64, "--method", "nearest", "--bits", 4, "-o", output,
    )  # fmt: skip
    layers = json.loads(read_file(output)[0]["layers"])
    assert set(record["layers"]) == {layer["name"] for layer in layers}
    place = record["nearest_bits"].index(4)
    for layer in layers:
        curve = record["layers"][layer["name"]]
        assert curve["nearest"][place] == pytest.approx(layer["relative_output_error"], rel=1e-3)
        assert len(curve["rounded"]) == len(record["rounded_bits"])
        # Output-aware rounding is there to beat it.
        assert curve["rounded"][record["rounded_bits"].index(4)] < curve["nearest"][place]


@pytest.mark.parametrize(
    "record",
    ["", "[]", "{", '{"method": 1}', '{"method": "m", "nearest_bits": [2], "rounded_bits": [], "layers": {"a": {"nearest": [], "rounded": []}}}',
     '{"method": "m", "nearest_bits": [2], "rounded_bits": [], "layers": {"a": {"nearest": [-1], "rounded": []}}}',
     '{"method": "m", "nearest_bits": [2], "rounded_bits": [], "layers": {"a": {"nearest": [1e999], "rounded": []}}}',
     "[" * 100_000],
)  # fmt: skip
def test_a_record_that_makes_no_sense_is_ignored(command, tmp_path: Path, record: str) -> None:
    file_with_names(tmp_path / "x.multipoint", ["a", "b"], record=record)
    command("report", tmp_path / "x.multipoint", "-o", tmp_path / "x.html")
    assert "has no record" in (tmp_path / "x.html").read_text("utf-8")


def test_refusals(digits: Path, tmp_path: Path) -> None:
    def attempt(*arguments: object) -> tuple[int, str]:
        result = subprocess.run(
            [os.environ["MULTIPOINT_COMMAND"], "report", *map(str, arguments)], capture_output=True, text=True, timeout=60
        )
        return result.returncode, result.stderr

    file, output = tmp_path / "x.multipoint", tmp_path / "x.html"
    file_with_names(file, ["a", "b"])
    for arguments, words in [
        ((tmp_path / "none", "-o", output), "No such file"),
        ((digits / "digits.onnx", "-o", output), "not a safetensors file"),
        ((file, "-o", tmp_path / "no" / "folder.html"), "cannot be written"),
        ((file, "--original", digits / "digits.onnx", "-o", output), "none of its layers"),
    ]:
        status, errors = attempt(*arguments)
        assert status == 1 and words in errors, errors
    assert not output.exists()
