"""The ctypes declarations against the C header: every function, every struct, every offset, as a C compiler sees them."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess

import pytest

import multipoint
from conftest import REPOSITORY
from multipoint import _library, errors

HEADER = REPOSITORY / "include" / "multipoint.h"
STRUCTS = {
    kind: "multipoint_" + re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    for kind in vars(_library).values()
    if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and kind is not ctypes.Structure
}


@pytest.fixture(scope="module")
def declarations() -> str:
    """The header without its comments."""
    return re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compiles a C program that prints these expressions, and returns its numbers."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    assert compiler, "a C compiler is needed"
    folder = tmp_path_factory.mktemp("c")

    def numbers(expressions: list[str]) -> list[int]:
        lines = "\n".join(f'    printf("%lld\\n", (long long)({expression}));' for expression in expressions)
        source = folder / "numbers.c"
        source.write_text(f'#include <stdio.h>\n#include "multipoint.h"\nint main(void) {{\n{lines}\n    return 0;\n}}\n')
        program = folder / "numbers"
        subprocess.run([compiler, "-I", HEADER.parent, source, "-o", program], check=True)
        output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        return [int(number) for number in output.split()]

    return numbers


def test_every_function_is_declared(declarations):
    in_header = set(re.findall(r"MULTIPOINT_API[^;]*?(multipoint_\w+)\s*\(", declarations))
    declared = set(_library.STATUS_FUNCTIONS) | set(_library.PLAIN_FUNCTIONS)
    assert len(in_header) > 30
    assert declared == in_header


def test_status_functions_are_those_that_return_a_status(declarations):
    returning = set(re.findall(r"MULTIPOINT_API multipoint_status (multipoint_\w+)\s*\(", declarations))
    assert set(_library.STATUS_FUNCTIONS) == returning


def test_argument_counts(declarations):
    for name, arguments in re.findall(r"MULTIPOINT_API[^;]*?(multipoint_\w+)\s*\((.*?)\);", declarations, re.DOTALL):
        count = 0 if arguments.strip() == "void" else arguments.count(",") + 1
        found = _library.STATUS_FUNCTIONS.get(name)
        if found is None:
            found = _library.PLAIN_FUNCTIONS[name][1]
        assert len(found) == count, name


def test_every_struct_is_declared(declarations):
    assert set(STRUCTS.values()) == set(re.findall(r"typedef struct (multipoint_\w+)\s*\{", declarations))


def test_struct_layouts(compiled):
    expressions, expected = [], []
    for kind, name in STRUCTS.items():
        expressions.append(f"sizeof({name})")
        expected.append(ctypes.sizeof(kind))
        for field, *_ in kind._fields_:
            expressions.append(f"offsetof({name}, {field})")
            expected.append(getattr(kind, field).offset)
    assert dict(zip(expressions, expected)) == dict(zip(expressions, compiled(expressions)))


def test_struct_fields_are_all_there(declarations):
    for kind, name in STRUCTS.items():
        (body,) = re.findall(rf"typedef struct {name}\s*\{{(.*?)\}} {name};", declarations, re.DOTALL)
        in_header = re.findall(r"\(\*(\w+)\)|(\w+)(?:\[\w+\])?;", body)
        names = [pointer or plain for pointer, plain in in_header]
        found = [field for field, *_ in kind._fields_]
        assert sorted(set(names) - {""}) == sorted(found), name


def test_constants(compiled):
    expected = {
        "MULTIPOINT_F32": _library.F32,
        "MULTIPOINT_U8": _library.U8,
        "MULTIPOINT_S8": _library.S8,
        "MULTIPOINT_S32": _library.S32,
        "MULTIPOINT_CONV": _library.CONV,
        "MULTIPOINT_GEMM": _library.GEMM,
        "MULTIPOINT_MAX_RANK": _library.MAX_RANK,
    }
    assert compiled(list(expected)) == list(expected.values())


def test_one_exception_per_status(declarations, compiled):
    (body,) = re.findall(r"typedef enum multipoint_status \{(.*?)\}", declarations, re.DOTALL)
    names = [name for name in re.findall(r"(MULTIPOINT_\w+)\s*=", body) if name != "MULTIPOINT_OK"]
    for name, number in zip(names, compiled(names)):
        kind = type(errors.error_for(number, "words"))
        assert issubclass(kind, multipoint.MultipointError) and kind is not multipoint.MultipointError, name
        assert kind.status == number
    assert type(errors.error_for(12345, "words")) is multipoint.MultipointError


def test_versions(compiled):
    number = compiled(["MULTIPOINT_VERSION_NUMBER"])[0]
    major, minor, patch = _library.HEADER_VERSION
    assert number == major * 10000 + minor * 100 + patch
    assert multipoint.__version__ == f"{major}.{minor}.{patch}"
    assert multipoint.library_version() == multipoint.__version__
    assert multipoint.library_version() in multipoint.build_info()
