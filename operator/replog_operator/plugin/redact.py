"""What of an object may leave the cluster: everything but what may be a secret.

Left out by where it stands: values of environment variables, annotations of others (kubectl keeps
whole manifests there), commands of containers that are not ours, whatever a field's name calls a
secret, who edited which field. And then every one of these values wherever else it stands, since a
log line or an event may repeat it.

Decides: that. Must not know: what is in a bundle.
Read next: bundle.py.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from replog_operator.kube.children.names import CONTAINER, GROUP

LEFT_OUT: Final = "(left out)"
SHORTEST: Final = 6
"""A shorter value is sought nowhere else: `1` and `info` stand everywhere and are no secrets."""
_KEPT: Final = (
    f"{GROUP}/", "deployment.kubernetes.io/", "prometheus.io/", "pv.kubernetes.io/",
    "volume.beta.kubernetes.io/", "volume.kubernetes.io/",
)  # fmt: skip
"""Annotations whose values are kept: the operator's, and what Kubernetes writes of volumes."""
_NAMES: Final = re.compile(
    r"token|password|passwd|secret|credential|authorization|api_?key|private_?key|bearer", re.I
)
_NO_SECRETS: Final = frozenset({"automountServiceAccountToken", "imagePullSecrets", "secretName"})
_CREDENTIAL: Final = re.compile(
    r"(?i)(bearer\s+|(?:token|password|passwd|secret|api_?key)[\"']?\s*[=:]\s*[\"']?)"
    r"(?!\(left out\))[^\s\"',;]+"
)
"""What looks like one in text that nobody has cut into fields."""


class Redactor:
    """Remembers what it left out, so that `cleaned` finds it wherever it is repeated."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def object(self, found: Any) -> Any:
        """A copy of JSON without what may be a secret."""
        if isinstance(found, Mapping):
            return {
                name: self._field(name, value, found)
                for name, value in found.items()
                if name != "managedFields"
            }
        if isinstance(found, list):
            return [self.object(item) for item in found]
        return without_credentials(found) if isinstance(found, str) else found

    def cleaned(self, text: str) -> str:
        """A file's text without any of the values that were left out of objects."""
        for value in sorted(self._values, key=len, reverse=True):
            for form in {value, json.dumps(value)[1:-1]}:
                text = text.replace(form, LEFT_OUT)
        return text

    def _field(self, name: str, value: Any, within: Mapping[str, Any]) -> Any:
        if name == "annotations" and isinstance(value, Mapping):
            return {
                key: text if key.startswith(_KEPT) else self._left_out(text)
                for key, text in value.items()
            }
        if name == "env" and isinstance(value, list):
            return [self._variable(item) for item in value]
        if name in ("args", "command") and within.get("name") != CONTAINER:
            return self._left_out(value)
        if _NAMES.search(name) and name not in _NO_SECRETS and isinstance(value, str | list):
            return self._left_out(value)
        return self.object(value)

    def _variable(self, item: Any) -> Any:
        if not isinstance(item, Mapping):
            return self._left_out(item)
        return {
            key: self._left_out(text) if key == "value" else self.object(text)
            for key, text in item.items()
        }

    def _left_out(self, value: Any) -> str:
        for text in _texts(value):
            if len(text) >= SHORTEST:
                self._values.add(text)
        return LEFT_OUT


def without_credentials(text: str) -> str:
    """Text without what looks like a credential."""
    return _CREDENTIAL.sub(lambda match: f"{match[1]}{LEFT_OUT}", text)


def _texts(value: Any) -> Sequence[str]:
    """Every text within."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []
