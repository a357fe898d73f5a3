"""Who may do what: tokens, permissions, and whether a listener asks for them at all.

Decides: the form of the token file, how a presented token is compared, and that a permission never
includes another.
Must not know: routes (each names its permission: app.py).
Read next: gate.py.
"""

import hashlib
import hmac
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from replog.wire.problems import ApiError
from replog_node.settings_sources import SettingsFaults

TOKENS_MAX: Final = 256
"""Every token is compared at every request, so their number is bounded; more are a fault."""

TOKEN_CHARS_MAX: Final = 512
TOKEN_CHARS_MIN: Final = 16
"""A shorter token can be guessed; a fault in the file."""

FILE_BYTES_MAX: Final = 256 * 1024

_KEYS: Final = ("token", "token_sha256", "permissions")
_SCHEME: Final = "bearer "


class Permission(StrEnum):
    """What a token may hold; a route needs exactly one, or none."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    PEER = "peer"


class Holder(msgspec.Struct, frozen=True):
    """One item of the token file: the token's SHA-256 and what it allows."""

    digest: bytes
    permissions: frozenset[Permission]


class Tokens(msgspec.Struct, frozen=True):
    """The token file. peer_token: what this member presents to the others."""

    holders: tuple[Holder, ...]
    peer_token: str

    def permissions_of(self, token: str) -> frozenset[Permission] | None:
        """What the token allows; None for an unknown one.

        All items are compared, each in constant time, so that the time tells nothing.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = None
        for holder in self.holders:
            if hmac.compare_digest(holder.digest, digest):
                found = holder.permissions
        return found


class Access:
    """The door of one listener: open without tokens, else each request is asked for one."""

    __slots__ = ("_tokens",)

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    @property
    def open(self) -> bool:
        """Whether nobody is asked for a token."""
        return self._tokens is None

    def check(self, authorization: str | None, permission: Permission | None) -> None:
        """Raise ApiError unauthorized or forbidden unless the header grants the permission."""
        if self._tokens is None or permission is None:
            return
        if authorization is None or not authorization.lower().startswith(_SCHEME):
            raise ApiError("unauthorized", "this route needs Authorization: Bearer <token>")
        token = authorization[len(_SCHEME) :].strip()
        granted = self._tokens.permissions_of(token) if len(token) <= TOKEN_CHARS_MAX else None
        if granted is None:
            raise ApiError("unauthorized", "the token is unknown")
        if permission not in granted:
            raise ApiError(
                "forbidden",
                f"the token lacks the permission {permission.value}",
                permission=permission.value,
            )


def load_tokens(path: str) -> Tokens:
    """Read the token file; raises SettingsFaults with all its faults, and never tells a token."""
    try:
        tree = _read(path)
    except (OSError, ValueError) as error:
        raise SettingsFaults([f"{path}: {error}"]) from None
    except (yaml.YAMLError, RecursionError):
        raise SettingsFaults([f"{path}: not YAML"]) from None
    faults = [f"{path}: {fault}" for fault in _faults(tree)]
    if faults:
        raise SettingsFaults(faults)
    return Tokens(
        tuple(_holder(item) for item in tree),
        next(item["token"] for item in tree if _names_a_peer(item)),
    )


def _read(path: str) -> list[Any]:
    """The list in the file; raises OSError, ValueError, YAMLError."""
    with Path(path).open("rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"longer than {FILE_BYTES_MAX} bytes")
    tree = yaml.safe_load(raw)
    if not isinstance(tree, list) or not 1 <= len(tree) <= TOKENS_MAX:
        raise ValueError(f"not a list of 1…{TOKENS_MAX} tokens")
    return tree


def _faults(tree: list[Any]) -> Iterator[str]:
    """Every fault of the file: by item, then of the whole."""
    for number, item in enumerate(tree, start=1):
        if isinstance(item, dict):
            yield from (f"item {number}: {fault}" for fault in _item_faults(item))
        else:
            yield f"item {number}: not a mapping"
    if not any(isinstance(item, dict) and _names_a_peer(item) for item in tree):
        yield "no item has a plain token with the permission peer, which members need to meet"


def _item_faults(item: dict[Any, Any]) -> Iterator[str]:
    unknown = sorted(str(key) for key in item if key not in _KEYS)
    if unknown:
        yield f"unknown: {', '.join(unknown)}"
    if ("token" in item) == ("token_sha256" in item):
        yield "give either token or token_sha256"
    elif "token" in item and not _is_token(item["token"]):
        yield f"token: not {TOKEN_CHARS_MIN}…{TOKEN_CHARS_MAX} printable characters without blanks"
    elif "token_sha256" in item and _digest(item["token_sha256"]) is None:
        yield "token_sha256: not 64 hex digits"
    names = item.get("permissions")
    known = [permission.value for permission in Permission]
    if not isinstance(names, list) or not names or any(name not in known for name in names):
        yield f"permissions: not a list of {', '.join(known)}"


def _is_token(token: object) -> bool:
    return (
        isinstance(token, str)
        and TOKEN_CHARS_MIN <= len(token) <= TOKEN_CHARS_MAX
        and token.isascii()
        and token.isprintable()
        and " " not in token
    )


def _digest(text: object) -> bytes | None:
    """The SHA-256 that 64 hex digits write; None if they don't."""
    try:
        digest = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return None
    return digest if len(digest) == hashlib.sha256().digest_size else None


def _names_a_peer(item: dict[Any, Any]) -> bool:
    names = item.get("permissions")
    return "token" in item and isinstance(names, list) and Permission.PEER.value in names


def _holder(item: dict[str, Any]) -> Holder:
    """A sound item, digested."""
    if "token" in item:
        digest = hashlib.sha256(item["token"].encode()).digest()
    else:
        digest = bytes.fromhex(item["token_sha256"])
    return Holder(digest, frozenset(Permission(name) for name in item["permissions"]))
