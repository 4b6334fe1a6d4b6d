#!/usr/bin/env python3
"""The operator tests of the package `onnx` (onnx.backend.test, node cases) through the command and the library, in float.

    operator_cases.py [OPERATOR ...] [--update]

prints which cases pass, fail, are refused (with the reason) and are of operators that are not claimed, with a summary by
operator, and exits with status 1 if one failed, or if other cases pass than `operator_cases.json` says, which is what is claimed.
`--update` rewrites that file. MULTIPOINT_COMMAND is the command, MULTIPOINT_LIBRARY the library.

Of a case's inputs the first stays an input of the network and the others become initializers. Operators whose operands may all be
computed are tried with each operand as the only input, and with all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Cases are small: threads that wait for each other would take most of the time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

import multipoint

CLAIMS = Path(__file__).with_name("operator_cases.json")

# Operators any of whose inputs may be computed.
OPERANDS = {
    "Add", "And", "Concat", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "MatMul", "Max", "Mean", "Min",
    "Mod", "Mul", "Or", "Pow", "PRelu", "Sub", "Sum", "Where", "Xor",
}  # fmt: skip

# Largest difference, relative to the largest number expected, of results that are stored with fewer bits than those of float32.
TOLERANCES = {"float16": 1e-3, "bfloat16": 1e-2}
# Cases whose expected numbers are written with few digits.
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-3}

# Cases that are compared with ONNX Runtime instead, which like PyTorch disagrees with them: with aligned corners they map places by
# the length that the scale gives before it is rounded (2.4), where the operator's text has the length of the result (2).
DISPUTED = {"test_resize_downsample_scales_linear_align_corners", "test_resize_downsample_scales_cubic_align_corners"}


@dataclass(frozen=True)
class Case:
    #: The test's name and, where it is not the first input, which inputs stay such.
    name: str
    operator: str
    model: onnx.ModelProto
    #: Every input of the model.
    inputs: list
    outputs: list
    #: Which of them stay inputs.
    computed: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    #: "passed", "failed" or "refused".
    verdict: str
    reason: str = ""


@cache
def cases() -> dict[str, list[Case]]:
    """By operator, those of a kind of node that the package makes without files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own NumPy expressions
        tests = [test for test in load_model_tests(kind="node") if test.model is not None]
    operators = {test.name: operator_of(test.model) for test in tests}
    found = defaultdict(list)
    for test in tests:
        base, expanded, _ = test.name.partition("_expanded")
        operator = operators[test.name]
        if expanded:
            # A function written out in the operators of its definition.
            operator = f"{operators.get(base, base.removeprefix('test_'))}, expanded"
        inputs, outputs = test.data_sets[0]
        for suffix, computed in variants(operator, len(inputs)):
            found[operator].append(Case(test.name + suffix, operator, test.model, inputs, outputs, computed))
    return dict(sorted(found.items()))


def operator_of(model: onnx.ModelProto) -> str:
    names = sorted({f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in model.graph.node})
    return "+".join(names)


def variants(operator: str, count: int) -> list[tuple[str, tuple[int, ...]]]:
    if operator not in OPERANDS or count < 2:
        return [("", (0,) if count else ())]
    alone = [(f"/{index}" if index else "", (index,)) for index in range(count)]
    return [*alone, ("/all", tuple(range(count)))]


def converted(case: Case) -> onnx.ModelProto:
    """The case's model with all but the computed inputs as initializers."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs = list(model.graph.input)
    del model.graph.input[:]
    for index, (info, value) in enumerate(zip(inputs, case.inputs)):
        if index in case.computed:
            model.graph.input.append(info)
        elif isinstance(value, onnx.TensorProto):
            tensor = model.graph.initializer.add()
            tensor.CopyFrom(value)
            tensor.name = info.name
        else:
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), info.name))
    return model


def run(case: Case, folder: str) -> Outcome:
    """Converts the case's model, runs it, and compares."""
    source, packed = (os.path.join(folder, f"{case.name.replace('/', '.')}.{suffix}") for suffix in ("onnx", "multipoint"))
    try:
        onnx.save(converted(case), source)
        inputs = [numbers(case.inputs[index]) for index in case.computed]
        expected = by_onnx_runtime(case) if case.name in DISPUTED else [np.asarray(output) for output in case.outputs]
        for output in expected:
            numbers(output)
    except (TypeError, ValueError, AttributeError) as error:
        return Outcome("refused", f"not of tensors of numbers: {str(error).splitlines()[0]}")
    command = [os.environ.get("MULTIPOINT_COMMAND", "multipoint"), "quantize", source, "--method", "float", "--output", packed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        reason = done.stderr.strip().removeprefix("Error: ").replace(source, os.path.basename(source))
        return Outcome("refused" if done.returncode == 1 and reason else "failed", reason or f"status {done.returncode}")
    try:
        with multipoint.Model(packed) as model, model.session(threads=1) as session:
            found = session.run(*inputs)
    except multipoint.UnsupportedError as error:
        return Outcome("refused", str(error))
    except (multipoint.MultipointError, ValueError) as error:
        return Outcome("failed", f"{type(error).__name__}: {error}")
    finally:
        os.remove(source), os.remove(packed)
    found = found if isinstance(found, tuple) else (found,)
    if len(found) != len(expected):
        return Outcome("failed", f"{len(found)} outputs; {len(expected)} expected")
    for index, (mine, reference) in enumerate(zip(found, expected)):
        reason = difference(mine, reference, ROUNDED.get(case.name) or TOLERANCES.get(reference.dtype.name, 1e-4))
        if reason:
            return Outcome("failed", f"output {index}: {reason}")
    return Outcome("passed")


def by_onnx_runtime(case: Case) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {info.name: value for info, value in zip(case.model.graph.input, case.inputs)})


def numbers(value) -> np.ndarray:
    """As the library takes it: every kind of number as float32."""
    array = np.asarray(value)
    if array.dtype.kind in "OSUTc":
        raise TypeError(f"array of {array.dtype}")
    return np.array(array.astype(np.float32), order="C", ndmin=0)


def difference(found: np.ndarray, expected: np.ndarray, relative: float) -> str:
    """What is wrong, or nothing."""
    if found.shape != expected.shape:
        return f"shape {found.shape}; {expected.shape} expected"
    reference = expected.astype(np.float64)
    exact = expected.dtype.kind in "biu"
    # Numbers that float32 has no room for are compared as float32.
    special = ~np.isfinite(reference) | ~np.isfinite(found)
    agree = (found == reference) | (np.isnan(found) & np.isnan(reference))
    if exact:
        wrong = found != reference.astype(np.float32)
    else:
        largest = np.abs(reference[np.isfinite(reference)]).max(initial=0)
        with np.errstate(invalid="ignore"):
            wrong = np.where(special, ~agree, np.abs(found - reference) > relative * largest)
    if not wrong.any():
        return ""
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    return f"{int(wrong.sum())} of {wrong.size} numbers differ; at {place} {found[place]}, {expected[place]} expected"


def run_all(selected: list[Case]) -> dict[str, Outcome]:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        outcomes = {}
        for case, outcome in zip(selected, pool.map(lambda case: run(case, folder), selected)):
            outcomes[case.name] = outcome
            if sys.stderr.isatty():
                print(f"\r\x1b[K{len(outcomes)} of {len(selected)}", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)
        return outcomes


def claims() -> dict[str, dict]:
    """Of every operator that is claimed how many cases pass, and which are refused."""
    return json.loads(CLAIMS.read_text())


def summary(outcomes: dict[str, Outcome]) -> dict:
    refused = sorted(name for name, outcome in outcomes.items() if outcome.verdict == "refused")
    return {"passed": sum(outcome.verdict == "passed" for outcome in outcomes.values()), "refused": refused}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operators", nargs="*", metavar="OPERATOR", help="only these")
    parser.add_argument("--update", action="store_true", help="write what passes into operator_cases.json")
    options = parser.parse_args()
    chosen = {name: found for name, found in cases().items() if not options.operators or name in options.operators}
    outcomes = run_all([case for found in chosen.values() for case in found])
    counts, changed, pinned = Counter(), [], claims() if CLAIMS.exists() else {}
    print(f"onnx {onnx.__version__}\n\n{'operator':44} passed  failed  refused")
    for operator, found in chosen.items():
        results = {case.name: outcomes[case.name] for case in found}
        verdicts = Counter(outcome.verdict for outcome in results.values())
        is_claimed = verdicts["passed"] > 0 or operator in pinned
        counts.update(verdicts if is_claimed or verdicts["failed"] else {"unclaimed": len(found)})
        columns = [f"{verdicts['passed']:6}", f"{verdicts['failed']:6}", f"{verdicts['refused']:7}", "" if is_claimed else "unclaimed"]
        print(f"{operator:44} {'  '.join(columns)}".rstrip())
        if verdicts["passed"]:
            claimed = summary(results)
            changed += [operator] if pinned.get(operator) != claimed else []
            pinned[operator] = claimed
        elif pinned.pop(operator, None) is not None:
            changed.append(operator)
    for verdict in ("passed", "refused", "failed"):
        print(f"\n{verdict}:")
        for name, outcome in outcomes.items():
            if outcome.verdict == verdict:
                print(f"  {name}" + (f": {outcome.reason}" if outcome.reason else ""))
    print(f"\ncompared with ONNX Runtime, which disagrees with the package: {', '.join(sorted(DISPUTED & set(outcomes))) or 'none'}")
    print("\n" + ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("passed", "failed", "refused", "unclaimed")))
    if options.update:
        CLAIMS.write_text(json.dumps(dict(sorted(pinned.items())), indent=1) + "\n")
    elif changed:
        print(f"not as in {CLAIMS.name}: {', '.join(changed)}")
    return 1 if counts["failed"] or (changed and not options.update) else 0


if __name__ == "__main__":
    sys.exit(main())
