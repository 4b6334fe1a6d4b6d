"""The operator tests of the package `onnx`: every case of an operator that is claimed passes, or is refused as before."""

from __future__ import annotations

import operator_cases
import pytest


@pytest.mark.parametrize("operator", sorted(operator_cases.claims()))
def test_operator(operator: str) -> None:
    outcomes = operator_cases.run_all(operator_cases.cases()[operator])
    failures = [f"{name}: {outcome.reason}" for name, outcome in outcomes.items() if outcome.verdict == "failed"]
    assert not failures, "\n".join(failures)
    assert operator_cases.summary(outcomes) == operator_cases.claims()[operator]


def test_unclaimed_operators_are_refused() -> None:
    claimed = operator_cases.claims()
    selected = [case for name, found in operator_cases.cases().items() if name not in claimed for case in found]
    outcomes = operator_cases.run_all(selected)
    assert {name: outcome for name, outcome in outcomes.items() if outcome.verdict != "refused"} == {}
    assert all(outcome.reason for outcome in outcomes.values())
