"""Claims that may not grow (replog_operator/kube/refusals.py)."""

import pytest

from replog_operator.kube import refusals as refusals_module
from replog_operator.kube.refusals import ASK_AGAIN_S, Refusals


def test_a_refusal_is_known_for_a_while_and_then_asked_again() -> None:
    refusals = Refusals()
    refusals.note("u", "the class can't", 100.0)
    assert refusals.known(100.0 + ASK_AGAIN_S - 1) == {"u": "the class can't"}
    assert refusals.known(100.0 + ASK_AGAIN_S) == {}


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals_module, "REMEMBERED_MAX", 1)
    refusals = Refusals()
    refusals.note("u", "no", 0.0)
    refusals.note("v", "no", 0.0)
    assert refusals.known(0.0) == {"v": "no"}
