"""Reads an adapter's file: every problem with its line, the field, the value and what is allowed."""

import difflib
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ValidationError

from asic_model.chips.reader import MAX_BYTES, MAX_SCALAR_CHARS, ConfigError, Problem, compose, plain_scalar
from rtl_tests.foreign.description import ALIASES, Adapter


def load_adapter(path: Path) -> Adapter:
    """Return the adapter that the file holds. Raises ConfigError with every problem, by line and field."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Problem(str(path), 0, "", f"cannot be read: {reason}")]) from None
    return parse_adapter(text, path.name)


def parse_adapter(text: bytes, file: str = "adapter.yaml") -> Adapter:
    """Return the adapter that `text` describes. Raises ConfigError (and nothing else, for any bytes)."""
    root = compose(text, file)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError([Problem(file, 1, "", "an adapter is a mapping (`adapter: 1`, `block: ...`)")])
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    values = _values(root, "", file, lines, problems)
    if problems:
        raise ConfigError(problems)
    try:
        return Adapter.model_validate(values)
    except ValidationError as error:
        raise ConfigError([_explain(detail, file, lines) for detail in error.errors()]) from None
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise ConfigError([Problem(file, 0, "", " ".join(str(error).split())[:300])]) from None


def _values(node: yaml.Node, path: str, file: str, lines: dict[str, int], problems: list[Problem]) -> Any:
    """Plain values of a node; `lines` learns where each stands."""
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if isinstance(node, yaml.ScalarNode):
        if len(node.value) > MAX_SCALAR_CHARS:
            problems.append(Problem(file, line, path, f"is longer than {MAX_SCALAR_CHARS} characters"))
            return None
        return plain_scalar(node.value, node.style)
    if isinstance(node, yaml.SequenceNode):
        return [_values(each, f"{path}.{n}", file, lines, problems) for n, each in enumerate(node.value)]
    found: dict[Any, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(file, line, path, "a field's name is one word"))
            continue
        name = plain_scalar(key.value, key.style)
        name = name if isinstance(name, int) and not isinstance(name, bool) else key.value
        here = f"{path}.{name}" if path else str(name)
        if name in found:
            problems.append(Problem(file, key.start_mark.line + 1, here, "is given twice"))
            continue
        lines[here] = key.start_mark.line + 1
        found[name] = _values(value, here, file, lines, problems)
    return found


def _explain(detail: Any, file: str, lines: Mapping[str, int]) -> Problem:
    location = [str(part) for part in detail["loc"]]
    # Alternatives of a union appear in the location under their types' names, which are no fields of the file.
    shown = [part for part in location if re.fullmatch(r"[\w.-]+", part) and part not in _UNION_PARTS]
    path = ".".join(shown)
    kind, value = detail["type"], detail.get("input")
    field, section = _declaration(shown)
    note = f"; needed: {_allowed(field)}" if field is not None else ""
    if kind == "extra_forbidden":
        known = sorted(section.model_fields) if section is not None else []
        near = difflib.get_close_matches(location[-1], known, 1)
        message = f"unknown field; did you mean {near[0]!r}?" if near else f"unknown field; known: {', '.join(known)}"
    elif kind == "missing":
        message = f"is missing{note}"
    elif kind == "value_error":
        message = str(detail["ctx"]["error"])
    else:
        message = f"{_short(value)} is not allowed ({detail['msg'].lower()}){note}"
        choices = [str(choice) for choice in _choices(field.annotation)] if field is not None else []
        near = difflib.get_close_matches(str(value), [*choices, *(ALIASES if "transaction" in shown else ())], 1, 0.4)
        message += f"; did you mean {near[0]!r}?" if near else ""
    at = shown
    while at and ".".join(at) not in lines:
        at = at[:-1]
    return Problem(file, lines.get(".".join(at), 0), path, message)


_UNION_PARTS = frozenset(("int", "str", "bool", "Packed", "function-after", "literal"))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _declaration(location: list[str]) -> tuple[Any, Any]:
    """Field and section at a place in the adapter, None where there is none."""
    section: Any = Adapter
    field = None
    for part in location:
        if section is None:
            return None, None
        names = {(info.alias or name): info for name, info in section.model_fields.items()}
        if part in names:
            field = names[part]
            inner = [each for each in _flat(field.annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
            holder, section = section, inner[0] if inner else None
            if part == location[-1]:
                return field, holder
        elif part != location[-1] or field is None:
            continue  # a key of a mapping, or a place in a list
        else:
            return None, section
    return field, section


def _flat(annotation: Any) -> list[Any]:
    found = [annotation]
    for each in typing.get_args(annotation):
        found += _flat(each) if not isinstance(each, (int, str)) else []
    return found


def _choices(annotation: Any) -> list[Any]:
    found: list[Any] = []
    for each in _flat(annotation):
        if typing.get_origin(each) is Literal:
            found += typing.get_args(each)
    return found


def _allowed(field: Any) -> str:
    parts = []
    choices = _choices(field.annotation)
    if choices:
        parts.append("one of " + ", ".join(map(str, choices)))
    bounds = {name: getattr(entry, name) for entry in field.metadata for name in ("ge", "gt", "le", "lt")
              if getattr(entry, name, None) is not None}  # fmt: skip
    if bounds:
        parts.append(f"{bounds.get('ge', bounds.get('gt', ''))}..{bounds.get('le', bounds.get('lt', ''))}")
    if field.description:
        parts.append(field.description)
    inner = [each for each in _flat(field.annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
    if not parts and inner:
        parts.append("a mapping of " + ", ".join(info.alias or name for name, info in inner[0].model_fields.items()))
    return ", ".join(parts) or "see docs/rtl_check.md"
