"""Files of a foreign block: globs and file lists, overlays in a scratch copy, and the ports that Verilator sees."""

import difflib
import hashlib
import json
import math
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rtl_tests.foreign.description import RULES, Adapter
from rtl_tests.simulator import BenchFault, tool_environment

SUFFIXES = (".v", ".sv", ".svh", ".vh", ".h", ".inc", ".vp")


class AdapterFault(BenchFault):
    """The adapter does not fit its block; the message names the field, what was found and what is allowed."""


@dataclass
class SourceSet:
    """What goes to a simulator."""

    files: list[Path] = field(default_factory=list)
    incdirs: list[Path] = field(default_factory=list)
    defines: dict[str, str] = field(default_factory=dict)  # "" defines without a value

    def digest(self) -> str:
        """Changes with the content of every file, and of every file of the include folders."""
        found = hashlib.sha256(repr((self.defines, [str(path) for path in self.incdirs])).encode())
        for path in self.files:
            found.update(path.name.encode() + b"\0" + path.read_bytes())
        for folder in self.incdirs:
            for path in sorted(folder.iterdir() if folder.is_dir() else []):
                if path.is_file() and path.suffix in SUFFIXES:
                    found.update(path.name.encode() + b"\0" + path.read_bytes())
        return found.hexdigest()

    def arguments(self) -> list[str]:
        """Command line that Verilator and Icarus share (Icarus takes -I and -D alike)."""
        found = [f"-I{folder}" for folder in self.incdirs]
        return [*found, *(f"-D{name}={value}" if value else f"-D{name}" for name, value in self.defines.items())]


def gather(adapter: Adapter, folder: Path, scratch: Path) -> SourceSet:
    """Return the block's files; overlaid ones are written to `scratch`. `folder` is the adapter's own."""
    sources = adapter.sources
    found = SourceSet()
    for name, value in sources.defines.items():
        found.defines[name] = "" if value is True else str(int(value) if isinstance(value, bool) else value)
    for text in sources.incdirs:
        found.incdirs.append(_folder(folder, text))
    for text in sources.files:
        if text.startswith("@"):
            _file_list(_file(folder, text[1:], "sources.files"), found, 0)
        else:
            found.files += _glob(folder, text, "sources.files")
    excluded = {path for text in sources.exclude for path in _glob(folder, text, "sources.exclude")}
    found.files = [path for path in dict.fromkeys(found.files) if path not in excluded]
    found.files += [path for text in sources.stubs for path in _glob(folder, text, "sources.stubs")]
    # Files that lie beside the one that includes them are found without being asked for, after all other folders.
    found.incdirs = list(dict.fromkeys([*found.incdirs, *(path.parent for path in found.files)]))
    _overlay(adapter, folder, scratch, found)
    return found


def _folder(base: Path, text: str) -> Path:
    path = (base / os.path.expandvars(text)).resolve()
    if not path.is_dir():
        raise AdapterFault(f"sources.incdirs: {text}: no such folder")
    return path


def _file(base: Path, text: str, where: str) -> Path:
    path = (base / os.path.expandvars(text)).resolve()
    if not path.is_file():
        raise AdapterFault(f"{where}: {text}: no such file")
    return path


def _glob(base: Path, text: str, where: str) -> list[Path]:
    text = os.path.expandvars(text)
    if not any(mark in text for mark in "*?["):
        return [_file(base, text, where)]
    root = Path(text).anchor
    pattern = text[len(root) :]
    found = sorted(path.resolve() for path in (Path(root) if root else base).glob(pattern) if path.is_file())
    if not found:
        raise AdapterFault(f"{where}: {text}: no file matches")
    return found


def _file_list(path: Path, found: SourceSet, depth: int) -> None:
    """A simulator's file list (.f): names, +incdir+, +define+, -f, -F, -v, -y; // and # begin comments."""
    if depth > 16:
        raise AdapterFault(f"sources.files: @{path.name}: file lists nested deeper than 16")
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="utf-8", errors="replace"), flags=re.DOTALL)
    words: list[str] = []
    for line in text.splitlines():
        line = re.sub(r"(^|\s)(//|#).*", "", line)
        words += shlex.split(line, posix=True)
    where, base = f"sources.files: @{path.name}", path.parent
    at = 0
    while at < len(words):
        word = words[at]
        if word.startswith("+incdir+"):
            found.incdirs += [(base / os.path.expandvars(each)).resolve() for each in word[8:].split("+") if each]
        elif word.startswith("+define+"):
            for each in filter(None, word[8:].split("+")):
                name, _, value = each.partition("=")
                found.defines[name] = value
        elif word in ("-f", "-F", "-v", "-y"):
            at += 1
            if at == len(words):
                raise AdapterFault(f"{where}: {word} at the end names nothing")
            if word == "-y":
                directory = (base / os.path.expandvars(words[at])).resolve()
                found.files += sorted(each for each in directory.glob("*") if each.suffix in (".v", ".sv"))
            elif word == "-v":
                found.files.append(_file(base, words[at], where))
            else:
                _file_list(_file(base, words[at], where), found, depth + 1)
        elif word.startswith(("-", "+")):
            raise AdapterFault(f"{where}: {word} is not understood (names, +incdir+, +define+, -f, -F, -v, -y are)")
        else:
            found.files += _glob(base, word, where)
        at += 1


def _overlay(adapter: Adapter, folder: Path, scratch: Path, found: SourceSet) -> None:
    """Write patched copies and put them in place of their originals; include files go to a folder searched first."""
    patched: dict[Path, str] = {}
    for number, each in enumerate(adapter.sources.overlay):
        original = _file(folder, each.file, f"sources.overlay.{number}.file")
        text = patched.get(original) or original.read_text(encoding="utf-8", errors="surrogateescape")
        text, matches = re.subn(each.replace[0], each.replace[1], text, flags=re.MULTILINE)
        if matches != each.count:
            raise AdapterFault(
                f"sources.overlay.{number}: {each.replace[0]!r} matches {matches} times in {each.file}, "
                f"`count` is {each.count}"
            )
        patched[original] = text
    if not patched:
        return
    scratch.mkdir(parents=True, exist_ok=True)
    for original, text in patched.items():
        copy = scratch / original.name
        copy.write_text(text, encoding="utf-8", errors="surrogateescape")
        if original in found.files:
            found.files[found.files.index(original)] = copy
    found.incdirs.insert(0, scratch)


# ------------------------------------------------------------------------------------------------------ ports


@dataclass(frozen=True)
class Port:
    """A port of the block as it is elaborated."""

    name: str
    direction: str  # INPUT, OUTPUT, INOUT
    width: int  # bits, all of an unpacked array's entries together
    ascending: bool = False  # the outermost packed range runs upwards: [0:15]
    dimensions: tuple[tuple[int, int], ...] = ()  # ranges of an unpacked array, as they are written
    signed: bool = False

    @property
    def entries(self) -> int:
        """Elements of an unpacked array, 0 for a plain port."""
        return math.prod(abs(left - right) + 1 for left, right in self.dimensions) if self.dimensions else 0


def read_ports(adapter: Adapter, sources: SourceSet, folder: Path) -> dict[str, Port]:
    """Elaborate the block with Verilator and return its ports. Raises AdapterFault with Verilator's own words."""
    tree = elaborate(adapter, sources, folder, adapter.top)
    types = {node["addr"]: node for node in tree["miscsp"][0]["typesp"] if "addr" in node}
    modules = [each for each in tree["modulesp"] if adapter.top in (each.get("origName"), each["name"])]
    if not modules:
        raise AdapterFault(f"top: {adapter.top}: the sources have no such module")
    return ports_of(modules[0], types)


def elaborate(adapter: Adapter, sources: SourceSet, folder: Path, top: str) -> dict[str, Any]:
    """Verilator's tree of the sources under `top`: the block itself, or a module of ours around it."""
    tree = folder / "ports.json"
    ours = top != adapter.top
    command = [
        *verilator_command(adapter), "--json-only", "--json-only-output", str(tree),
        "--json-only-meta-output", os.devnull,
        "--Mdir", str(folder / "ports"), "--top-module", top,
        # A module of ours around the block sets its parameters, and leaves its plain ports open.
        *(["-Wno-PINMISSING", "-Wno-UNDRIVEN"] if ours else
          [f"-G{name}={value}" for name, value in adapter.sources.parameters.items()]),
        *sources.arguments(), *map(str, sources.files),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env=tool_environment(), timeout=600, cwd=folder)
    refuse_findings(adapter, done.stderr)
    if done.returncode or not tree.exists():
        modules = _modules(sources)
        if adapter.top not in modules and f"'{adapter.top}'" in done.stderr:
            near = difflib.get_close_matches(adapter.top, modules, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(modules[:20]) or 'none'}"
            raise AdapterFault(f"top: the sources have no module {adapter.top!r}; {hint}")
        strange = re.search(r"Parameters? (?:from the command line were )?not found[^:\n]*: '?(\w+)", done.stderr)
        if strange and strange[1] in adapter.sources.parameters:
            raise AdapterFault(_no_parameter(adapter, sources, strange[1]))
        text = f"{adapter.block.name}: Verilator does not accept the sources:\n{first_errors(done.stderr)}"
        raise AdapterFault(f"{text}{_missing_hint(done.stderr, sources)}")
    found: dict[str, Any] = json.loads(tree.read_text(encoding="utf-8"))
    return found


def _no_parameter(adapter: Adapter, sources: SourceSet, name: str) -> str:
    """What is wrong with a parameter that the top does not have."""
    known: list[str] = []
    for path in sources.files:
        text = path.read_text(encoding="utf-8", errors="replace")
        body = re.search(rf"\bmodule\s+{re.escape(adapter.top)}\b(.*?)\bendmodule\b", text, re.DOTALL)
        if body:
            known = re.findall(r"\bparameter\b[^=;)]*?([A-Za-z_]\w*)\s*=", body[1])
            known += re.findall(r",\s*([A-Za-z_]\w*)\s*=", body[1].split(")")[0])
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(dict.fromkeys(known)) or 'none'}"
    return f"sources.parameters.{name}: {adapter.top} has no such parameter; {hint}"


def _modules(sources: SourceSet) -> list[str]:
    """Names of the modules that the files declare."""
    found: list[str] = []
    for path in sources.files:
        text = path.read_text(encoding="utf-8", errors="replace")
        found += re.findall(r"^\s*module\s+(?:automatic\s+|static\s+)?([A-Za-z_][A-Za-z0-9_$]*)", text, re.MULTILINE)
    return list(dict.fromkeys(found))


def _missing_hint(text: str, sources: SourceSet) -> str:
    """Where a file lies that was not found, or what stands in for a module that is not there."""
    include = re.search(r"Cannot find include file: '?([^'\n]+)'?", text)
    if include:
        name = Path(include[1].strip()).name
        roots = dict.fromkeys(path.parent.parent for path in sources.files)
        places = sorted(path.parent for root in roots for path in [*root.glob(f"*/{name}"), *root.glob(f"*/*/{name}")])
        where = f"; one lies in {places[0]}" if places else ""
        return f"\nsources.incdirs: name the folder of {name}{where}"
    if "is a SystemVerilog keyword misused" in text:
        return "\ntool.language: 1364-2001 reads the sources as Verilog, where that word is a name"
    if "Interfaced port on top level module" in text:
        return "\ninterfaces: ports that are interfaces are named here: `interfaces: {PORT: {type: INTERFACE}}`"
    strange = re.search(r"Instance attempts to connect to '(\w+)', but|[Pp]in not found: '(\w+)'", text)
    if strange:
        return f"\ninterfaces: the block has no port {strange[1] or strange[2]!r} that is an interface"
    open_port = re.search(r"Interface port '(\w+)' is not connected", text)
    if open_port:
        return f"\ninterfaces: port {open_port[1]} is an interface too; name it: `{open_port[1]}: {{type: INTERFACE}}`"
    option = re.search(r"%Error-(BLKANDNBLK|BLKLOOPINIT|ASSIGNIN|PROCASSWIRE)", text)
    if option:
        return f"\ntool.verilator.args: [-Wno-{option[1]}] goes on in spite of it"
    module = re.search(r"Cannot find file containing module: '?([\w$]+)'?", text)
    if module:
        return (
            f"\nsources.files: module {module[1]} is missing; give its file, or a stand-in under sources.stubs "
            "(vendors' memories and clock gates)"
        )
    return ""


def verilator_command(adapter: Adapter) -> list[str]:
    """Verilator with this adapter's language; warnings that are errors for foreign RTL, all others off."""
    root = Path(tool_environment()["VERILATOR_ROOT"])
    waived = {each.rule for each in adapter.tool.waive}
    return [
        str(root / "bin" / "verilator"), "-Wno-fatal", "-Wno-lint", "-Wno-style",
        *(f"-Wwarn-{rule}" for rule in RULES if rule not in waived),
        *(f"-Wno-{rule}" for rule in RULES if rule in waived),
        "--language" if adapter.tool.language == "1800-2017" else "--default-language", adapter.tool.language,
        "--timing" if adapter.tool.timing else "--no-timing", *adapter.tool.verilator.args,
    ]  # fmt: skip


def first_errors(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("%Error")]
    return "\n".join(lines[:5]) or text[-1500:]


def refuse_findings(adapter: Adapter, text: str) -> None:
    """Findings that simulate fine here and fail elsewhere are errors, unless the adapter waives them."""
    pattern = rf"%Warning-({'|'.join(RULES)}): (.*)"
    for match in re.finditer(pattern, text):
        raise AdapterFault(
            f"{adapter.block.name}: {match[1]}: {match[2].strip()}; foreign RTL with this is not trusted "
            "(waive it under tool.waive, with the reason)"
        )


def ports_of(module: dict[str, Any], types: dict[str, Any]) -> dict[str, Port]:
    """Plain ports of an elaborated module."""
    found: dict[str, Port] = {}
    for node in module["stmtsp"]:
        if node.get("type") == "VAR" and node.get("direction") in ("INPUT", "OUTPUT", "INOUT"):
            found[node["name"]] = port_of(node["name"], node["direction"], node["dtypep"], types)
    return found


def _constant(node: dict[str, Any]) -> int:
    """Value of a CONST node: 32'shf."""
    text = node["name"].replace("_", "")
    match = re.fullmatch(r"(?:\d+)?'?s?([hdb])?([0-9a-fA-F]+)", text)
    if match is None:
        raise AdapterFault(f"a range bound {text!r} is not a number")
    return int(match[2], {"h": 16, "b": 2}.get(match[1] or "d", 10))


def _bounds(node: dict[str, Any]) -> tuple[int, int]:
    if node.get("declRange"):
        left, right = node["declRange"].strip("[]").split(":")
        return int(left), int(right)
    span = node["rangep"][0]
    return _constant(span["leftp"][0]), _constant(span["rightp"][0])


def _width(address: str, types: dict[str, Any]) -> tuple[int, bool, bool]:
    """Bits of a packed type, whether its outermost range ascends, and its sign."""
    node = types.get(address)
    if node is None:
        raise AdapterFault("a port has a type that is not understood")
    kind = node["type"]
    if kind == "BASICDTYPE":
        signed = bool(node.get("signed"))
        if node.get("range"):
            left, right = map(int, node["range"].split(":"))
            return abs(left - right) + 1, left < right, signed
        return (
            {"integer": 32, "int": 32, "byte": 8, "shortint": 16, "longint": 64}.get(node["keyword"], 1),
            False,
            signed,
        )
    if kind == "PACKARRAYDTYPE":
        left, right = _bounds(node)
        width, _, signed = _width(node["refDTypep"], types)
        return (abs(left - right) + 1) * width, left < right, signed
    if kind in ("REFDTYPE", "ENUMDTYPE", "DEFIMPLICITDTYPE", "CONSTDTYPE"):
        return _width(node["refDTypep"], types)
    if kind in ("STRUCTDTYPE", "UNIONDTYPE") and node.get("packed"):
        members = [_width(each["refDTypep"], types)[0] for each in node["membersp"]]
        return (sum(members) if kind == "STRUCTDTYPE" else max(members)), False, False
    raise AdapterFault(f"a port has type {kind}, which the wrapper cannot connect")


def port_of(name: str, direction: str, address: str, types: dict[str, Any]) -> Port:
    """A port, or a signal of an interface, from the node of its type."""
    dimensions = []
    try:
        node = types.get(address, {})
        while node.get("type") == "UNPACKARRAYDTYPE":
            dimensions.append(_bounds(node))
            address = node["refDTypep"]
            node = types.get(address, {})
        width, ascending, signed = _width(address, types)
    except AdapterFault as error:
        raise AdapterFault(f"port {name}: {error}") from None
    port = Port(name, direction, width, ascending, tuple(dimensions), signed)
    return replace(port, width=width * (port.entries or 1))
