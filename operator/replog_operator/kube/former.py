"""Settings files that were wanted before, and that a pod may yet be made from.

Decides: which of those in the ConfigMap stay: what the StatefulSet's template, the last good one or
a pod names. All others go, so there are never more than templates in use.
Must not know: what is in them. Pure.
Read next: children/config_map.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from replog_operator.kube.children.config_map import config_key
from replog_operator.kube.children.names import CONFIG_HASH, GOOD_TEMPLATE
from replog_operator.kube.children.pod import template_of
from replog_operator.kube.children.wanted import Object


def former_settings(
    config_map: Object | None,
    stateful_set: Object | None,
    pods: Sequence[Object],
    history: Sequence[Object],
) -> Mapping[str, str]:
    """The files that are still named, by key; history: the StatefulSet's revisions."""
    if config_map is None or stateful_set is None:
        return {}
    good = (stateful_set["metadata"].get("annotations") or {}).get(GOOD_TEMPLATE, "")
    templates = [revision["data"]["spec"]["template"] for revision in history]
    named = [
        stateful_set["spec"]["template"],
        *(template for template in templates if good and template_of(template) == good),
        *pods,
    ]
    wanted = {config_key(settings) for settings in _hashes(named)}
    data: Mapping[str, str] = config_map.get("data") or {}
    return {key: text for key, text in sorted(data.items()) if key in wanted}


def _hashes(named: Iterable[Mapping[str, Any]]) -> set[str]:
    notes = ((each.get("metadata") or {}).get("annotations") or {} for each in named)
    return {str(found[CONFIG_HASH]) for found in notes if CONFIG_HASH in found}
