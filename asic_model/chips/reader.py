"""Reads a chip description: YAML text into plain values, the source of each, and the line it stands on.

The accepted language is YAML without its surprises: mappings, lists and plain scalars; numbers are decimal (or 0x
hexadecimal) and nothing else; no anchors, aliases, tags or duplicate keys. A figure is written in one of two ways:

    cores: {value: 10, mark: published, source: "VCU-notes"}      # said by somebody, or derived from it
    assumption: "queue sizes as common controllers have them"     # covers the plain figures of this section ...
    queue_depth: 32                                               # ... and of the sections inside it

Anything that is wrong raises `ConfigError`, which lists each problem with its file, line and field.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_SCALAR_CHARS = 2000
MAX_DIGITS = 40

MARKS = ("published", "derived", "measured", "assumption")
_FIGURE_KEYS = {"value", "mark", "source"}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z|0x[0-9a-fA-F]+\Z")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]{1,3})\Z")


@dataclass(frozen=True)
class Source:
    """Where a figure comes from. `mark`: one of MARKS; `text`: the source's key and place, or the reason."""

    mark: str
    text: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a chip description; `line` counts from 1, 0 is unknown."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(ValueError):
    """A chip description cannot be used; `problems` says why, one entry a field."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@dataclass
class Description:
    """What a description says: `values` as nested dicts, `sources` and `lines` by dotted path."""

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


class _Composer(yaml.SafeLoader):
    """Composes nodes, never objects; refuses what makes a description hard to read or expensive to load."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not used here", problem_mark=event.start_mark)
        if getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(problem="tags are not used here", problem_mark=event.start_mark)
        if self.depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def read(text: bytes, file: str) -> Description:
    """Return what `text` (UTF-8 YAML) says; `file` is its name in messages. Raises ConfigError and nothing else."""
    return _Reader(text, file).description


def compose(text: bytes, file: str) -> yaml.Node | None:
    """Return the root node of `text`, None if it is empty; `file` is its name in messages. Raises ConfigError."""
    if len(text) > MAX_BYTES:
        raise ConfigError([Problem(file, 0, "", f"is {len(text)} bytes long, the limit is {MAX_BYTES}")])
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise ConfigError([Problem(file, line, "", f"is not UTF-8 text (byte {error.start})")]) from None
    loader = None
    try:
        loader = _Composer(decoded)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "cannot be read as YAML"
        raise ConfigError([Problem(file, mark.line + 1 if mark else 0, "", what)]) from None
    except (yaml.YAMLError, ValueError, RecursionError, IndexError, AttributeError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError([Problem(file, 0, "", f"cannot be read as YAML: {what}")]) from None
    finally:
        if loader is not None:
            loader.dispose()


def plain_scalar(text: str, style: str | None) -> Any:
    """A number, true or false, null or text. Quoted text stays text; there are no octal numbers and no dates."""
    if style:
        return text
    if text in ("", "null", "~"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if len(text) <= MAX_DIGITS and _INTEGER.match(text):
        return int(text.replace("_", ""), 16 if text.startswith("0x") else 10)
    if len(text) <= MAX_DIGITS and _DECIMAL.match(text):
        return float(text)
    return text


class _Reader:
    def __init__(self, text: bytes, file: str) -> None:
        self.description = Description(file)
        self.problems: list[Problem] = []
        root = compose(text, file)
        if root is not None and not isinstance(root, yaml.MappingNode):
            self._problem(root, "", "a chip description is a mapping (`name: ...`)")
        elif root is None:
            self.problems.append(Problem(file, 0, "", "is empty; a chip description is a mapping (`name: ...`)"))
        else:
            self.description.values = self._section(root, "", None)
        if self.problems:
            raise ConfigError(self.problems)

    def _problem(self, node: yaml.Node, path: str, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(self.description.file, line, path, message))

    def _items(self, node: yaml.MappingNode, path: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Keys and values of a mapping; keys are words, each at most once."""
        items: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value or len(key.value) > 80:
                self._problem(key, path, "a field's name is one word")
            elif key.value in items:
                first = items[key.value][0].start_mark.line + 1
                self._problem(key, _join(path, key.value), f"is given twice (first on line {first})")
            else:
                items[key.value] = (key, value)
        return items

    def _section(self, node: yaml.MappingNode, path: str, inherited: Source | None) -> dict[str, Any]:
        items = self._items(node, path)
        cover = inherited
        if "assumption" in items:
            reason = self._scalar(items.pop("assumption")[1], _join(path, "assumption"))
            if not isinstance(reason, str) or not reason.strip():
                self._problem(node, _join(path, "assumption"), "gives the reason as text")
            else:
                cover = Source("assumption", reason.strip())
        values: dict[str, Any] = {}
        for name, (key, child) in items.items():
            here = _join(path, name)
            self.description.lines[here] = key.start_mark.line + 1
            if isinstance(child, yaml.MappingNode):
                inner = self._items(child, here) if self._is_figure(child) else {}
                values[name] = self._figure(child, inner, here) if inner else self._section(child, here, cover)
            else:
                values[name] = self._plain(child, here)
                if path or name not in ("name", "description"):
                    self._cover(child, here, cover)
        return values

    @staticmethod
    def _is_figure(node: yaml.MappingNode) -> bool:
        return any(isinstance(key, yaml.ScalarNode) and key.value == "value" for key, _ in node.value)

    def _figure(self, node: yaml.MappingNode, items: dict[str, tuple[yaml.Node, yaml.Node]], path: str) -> Any:
        for name in sorted(items.keys() - _FIGURE_KEYS):
            self._problem(items[name][0], path, f"a figure has `value`, `mark` and `source`, not {name!r}")
        mark = self._scalar(items["mark"][1], path) if "mark" in items else None
        text = self._scalar(items["source"][1], path) if "source" in items else None
        if mark not in MARKS:
            self._problem(node, path, f"`mark` is {mark!r}; allowed: {', '.join(MARKS)}")
        elif not isinstance(text, str) or not text.strip():
            self._problem(node, path, "`source` says where the figure comes from, as text")
        else:
            self.description.sources[path] = Source(mark, text.strip())
        return self._plain(items["value"][1], path)

    def _cover(self, node: yaml.Node, path: str, cover: Source | None) -> None:
        if cover is None:
            self._problem(
                node,
                path,
                "has no source: write {value: ..., mark: ..., source: ...}, or give its section an `assumption:` line",
            )
        else:
            self.description.sources[path] = cover

    def _plain(self, node: yaml.Node, path: str) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self._scalar(entry, path) for entry in node.value]
        return self._scalar(node, path)

    def _scalar(self, node: yaml.Node, path: str) -> Any:
        """The value of a node that has to be a single one."""
        if not isinstance(node, yaml.ScalarNode):
            self._problem(node, path, "is a single value, not a list or a section")
            return None
        text = node.value
        if len(text) > MAX_SCALAR_CHARS:
            self._problem(node, path, f"is longer than {MAX_SCALAR_CHARS} characters")
            return None
        return plain_scalar(text, node.style)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
