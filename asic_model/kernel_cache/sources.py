"""Which text a kernel was compiled from: its own module and every module of the package that this one reaches."""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parent.parent
PACKAGE_NAME = PACKAGE_DIR.name


@lru_cache(maxsize=None)
def _module_file(name: str) -> Path | None:
    """Source file of the `asic_model` module called `name`, None for names from elsewhere."""
    parts = name.split(".")
    if parts[0] != PACKAGE_NAME:
        return None
    base = PACKAGE_DIR.joinpath(*parts[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


# An absolute import wherever a line begins with one: `from a.b import c, d as e`, in parentheses too, or `import a.b`.
# A line of prose that looks like one does no harm: it has to name a module of the package.
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]+)|import[ \t]+([^\n]+))", re.MULTILINE
)
_NAME = re.compile(r"[\w.]+")


@lru_cache(maxsize=None)
def _imports(path: Path) -> tuple[Path, ...]:
    """Files of this package that the module at `path` imports directly. By pattern: to parse all takes a second."""
    found: set[Path] = set()
    for module, members, modules in _IMPORT.findall(path.read_text("utf-8")):
        names = _NAME.findall(modules)
        if module:
            names = [module, *(f"{module}.{name}" for name in _NAME.findall(members))]
        found.update(file for file in map(_module_file, names) if file)
    return tuple(sorted(found))


@lru_cache(maxsize=None)
def source_stamp(path: Path) -> str:
    """SHA-256 over the module at `path` and all package modules it reaches by absolute imports."""
    reached: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            waiting.extend(_imports(file))
    digest = hashlib.sha256()
    for file in sorted(reached):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
