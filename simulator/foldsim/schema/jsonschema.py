"""JSON Schema of a model, for editors and other tools."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(model: type[BaseModel], title: str, schema_id: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what a document for `model` may hold.

    Properties keep the order in which the model declares them and carry their descriptions; everything else is
    sorted, so that the same model always gives the same text.
    """
    schema = model.model_json_schema(by_alias=True, mode="validation")
    definitions = schema.pop("$defs", None)
    head: dict[str, Any] = {"$schema": DIALECT, "$id": schema_id, "title": title}
    if "description" in schema:
        head["description"] = schema.pop("description")
    schema.pop("title", None)
    result = head | schema
    if definitions:
        result["$defs"] = {name: definitions[name] for name in sorted(definitions)}
    _drop_openapi(result)
    return result


def _drop_openapi(schema: dict[str, Any]) -> None:
    """Remove `discriminator` beside `oneOf`: a word of OpenAPI, not of JSON Schema; strict tools reject it."""
    todo: list[Any] = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if (
                "oneOf" in node
                and isinstance(node.get("discriminator"), dict)
                and "propertyName" in node["discriminator"]
            ):
                del node["discriminator"]
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
