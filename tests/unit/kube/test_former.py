"""Settings files that stay in the ConfigMap for templates that are in use."""

from typing import Any

from replog_operator.kube.children.names import CONFIG_HASH, GOOD_TEMPLATE, TEMPLATE
from replog_operator.kube.former import former_settings

FILES = {f"node-{name}.yaml": f"of {name}" for name in ("now", "good", "pod", "old")}
MAP = {"data": {**FILES, "lineage": "1.x"}}


def template(name: str, settings: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {TEMPLATE: name, CONFIG_HASH: settings}}}


def stateful_set(good: str) -> dict[str, Any]:
    return {
        "metadata": {"annotations": {GOOD_TEMPLATE: good}},
        "spec": {"template": template("t-now", "now")},
    }


HISTORY = [
    {"data": {"spec": {"template": template(f"t-{name}", name)}}} for name in ("old", "good", "now")
]


def test_what_the_set_its_last_good_template_and_pods_name_stays() -> None:
    found = former_settings(MAP, stateful_set("t-good"), [template("t-pod", "pod")], HISTORY)
    assert found == {name: FILES[name] for name in sorted(FILES) if name != "node-old.yaml"}


def test_without_a_good_template_the_history_is_nothing_to_come_back_to() -> None:
    assert list(former_settings(MAP, stateful_set(""), [], HISTORY)) == ["node-now.yaml"]


def test_where_nothing_is_yet_nothing_stays() -> None:
    assert former_settings(None, stateful_set("t-good"), [], HISTORY) == {}
    assert former_settings(MAP, None, [], HISTORY) == {}
