"""JSON bodies of one struct, and JSON answers.

Decides: content types of such calls, and what is told of JSON that is wrong.
Must not know: the structs.
Read next: admin_routes.py.
"""

from typing import Final, Generic, TypeVar

import msgspec
from aiohttp import web

from replog.wire.problems import ApiError

JSON_TYPE: Final = "application/json"
NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoder raises for what is not JSON, or is nested so deeply that nobody means it."""
_ENCODER: Final = msgspec.json.Encoder()

Body = TypeVar("Body")


class JsonBody(Generic[Body]):
    """Decodes bodies of one type. default: what an absent body means; None: it is required."""

    __slots__ = ("_decoder", "_default")

    def __init__(self, kind: type[Body], default: Body | None = None) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self._default = default

    def decode(self, request: web.BaseRequest, raw: bytes) -> Body:
        """Return the body; raises ApiError content_type_unsupported, json_invalid, body_invalid."""
        if not raw and self._default is not None:
            return self._default
        check_content_type(request, (JSON_TYPE,))
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise ApiError("body_invalid", str(error)) from None
        except NOT_JSON as error:
            raise ApiError("json_invalid", f"the body is not JSON: {error}") from None


def check_content_type(request: web.BaseRequest, known: tuple[str, ...]) -> str:
    """Return the body's type, one of `known`, without parameters; raises ApiError."""
    given = request.headers.get("Content-Type", "")
    bare = given if given in known else given.partition(";")[0].strip().lower()
    if bare not in known:
        raise ApiError(
            "content_type_unsupported",
            f"the body must be one of {', '.join(known)}",
            supported=list(known),
        )
    return bare


def json_response(body: object) -> web.Response:
    """200 with the body as JSON."""
    return web.Response(body=_ENCODER.encode(body), content_type=JSON_TYPE)
