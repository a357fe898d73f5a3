"""What a member's process is made of, and the hash that tells two of them apart.

Its ports and the addresses of the others are no part of it: they follow from its ordinal.

Decides: that. Must not know: processes. Read next: state.py, settings.py.
"""

import hashlib
import shlex
import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from replog_operator.local.notes import Template
from replog_operator.local.settings import NODE_COMMAND
from replog_operator.local.spec import LocalSpec

HASH_BYTES: Final = 8


def wanted_template(spec: LocalSpec, environment: Mapping[str, str]) -> Template:
    """The template that the resource asks for; the environment may name another program."""
    program = spec.node_command or environment.get(NODE_COMMAND, "")
    # -P: a file of the current directory, such as queue.py, is no module of the node
    words = shlex.split(program) if program else [sys.executable, "-P", "-m", "replog_node"]
    return Template(tuple(words), dict(spec.settings))


def hash_of(template: Template) -> str:
    """The name of a template."""
    text = msgspec.json.encode(template, order="sorted")
    return hashlib.blake2b(text, digest_size=HASH_BYTES).hexdigest()
