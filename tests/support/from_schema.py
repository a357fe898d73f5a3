"""Values that a JSON schema of ours allows, as Hypothesis strategies.

Only what msgspec writes for our structs and what openapi_parameters.py uses: that is a page of
code, where schemathesis brings 19 packages and hypothesis-jsonschema 5.

Decides: nothing but that. Must not know: HTTP, what the values are for.
"""

from typing import Any

from hypothesis import strategies as st

_SMALL = 4
"""Items of an array; more find no other faults here and take longer."""


def values(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What the schema allows; `document` holds what it refers to."""
    if "$ref" in schema:
        return values(_at(document, schema["$ref"]), document)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return st.one_of([values(one, document) for one in schema[choice]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    return _typed(schema, document)


def _typed(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema.get("type"):
        case "integer":
            return st.integers(schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1))
        case "string":
            return st.text(
                st.characters(codec="utf-8"),
                min_size=schema.get("minLength", 0),
                max_size=min(40, schema.get("maxLength", 40)),
            )
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return _array(schema, document)
        case "object":
            return _object(schema, document)
        case unknown:
            raise ValueError(f"no values of type {unknown!r} are made here: {schema}")


def _array(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*(values(one, document) for one in schema["prefixItems"])).map(list)
    return st.lists(
        values(schema["items"], document),
        min_size=schema.get("minItems", 0),
        max_size=min(_SMALL, schema.get("maxItems", _SMALL)),
    )


def _object(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = {name: values(one, document) for name, one in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: made for name, made in fields.items() if name in required},
        optional={name: made for name, made in fields.items() if name not in required},
    )


def _at(document: dict[str, Any], reference: str) -> dict[str, Any]:
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)
