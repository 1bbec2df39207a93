"""The one way to make a kernel: numba, cached on disk, and never stale.

numba keys its cache on the file that a function stands in, so an edited callee leaves callers in other files
compiled with its former self. The locator below stamps a kernel with the text of its module *and* of every
`asic_model` module that it imports, directly or not. Kernels live in `~/.cache/tasic/kernels` (or in
`NUMBA_CACHE_DIR` where that is set); `tasic doctor --clear-kernels` empties it.
"""

import ast
import hashlib
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba.core import caching, errors, event, types
from numba.np import arrayobj

PACKAGE_DIR = Path(__file__).resolve().parent
PACKAGE_NAME = PACKAGE_DIR.name


def cache_dir() -> Path:
    """Folder that holds the compiled kernels."""
    if numba.config.CACHE_DIR:
        return Path(numba.config.CACHE_DIR)
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tasic" / "kernels"


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


@lru_cache(maxsize=None)
def _imports(path: Path) -> tuple[Path, ...]:
    """Files of this package that the module at `path` imports directly."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
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


class KernelCacheLocator(caching._CacheLocator):
    """Says to numba where a kernel is cached and what text it was compiled from."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        self._file = Path(py_file).resolve()
        self._line = py_func.__code__.co_firstlineno
        if self._file.is_relative_to(PACKAGE_DIR):
            # Checkouts and installations share what was compiled from the same text.
            place = "-".join(self._file.parent.relative_to(PACKAGE_DIR.parent).parts)
        else:
            place = self.get_suitable_cache_subpath(str(self._file))
        self._path = cache_dir() / place

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return source_stamp(self._file)

    def get_disambiguator(self) -> str:
        # The text is part of the index's name too: an old index may name types that are no more, and would not load.
        return f"{self._line}-{source_stamp(self._file)[:12]}"

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "KernelCacheLocator":
        locator = cls(py_func, py_file)
        locator.ensure_cache_path()
        return locator


class _Announcement(event.Listener):
    """Says once, on stderr, that kernels are being compiled: the first run is slow, not stuck."""

    def on_start(self, _event: event.Event) -> None:
        event.unregister("numba:compile", self)
        print(f"tasic: compiling kernels, once (cached in {cache_dir()}) ...", file=sys.stderr, flush=True)

    def on_end(self, _event: event.Event) -> None:
        pass


if not os.environ.get("TASIC_QUIET_COMPILE"):
    event.register("numba:compile", _Announcement())


def _one_version(dispatcher: Any) -> Any:
    """Let calls with integer constants use the version for integers.

    numba types a constant argument as `Literal[int](3)` and would compile the callee once more for each constant.
    LLVM still propagates constants into callees that it inlines.
    """
    plain = dispatcher.get_call_template

    def get_call_template(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return plain(
            tuple(types.unliteral(each) for each in args), {name: types.unliteral(each) for name, each in kws.items()}
        )

    dispatcher.get_call_template = get_call_template
    return dispatcher


# What makes numba count references in a kernel. All others only borrow the arrays they are given and are compiled
# without counting, which costs two atomic additions an array and call.
_NEEDS_COUNTS = frozenset(
    {
        *("arange", "array", "astype", "copy", "empty", "empty_like", "full", "ones", "ravel", "reshape", "sort"),
        *("view", "zeros", "zeros_like"),
    }
)


def _borrowing(dispatcher: Any) -> Any:
    """Compile without reference counts, and with them after all where numba finds that it cannot."""
    plain, compiler = dispatcher.compile, dispatcher._compiler

    def compile_version(signature: Any) -> Any:
        try:
            return plain(signature)
        except errors.NumbaError:
            if compiler.targetoptions["_nrt"]:
                raise
        compiler.targetoptions["_nrt"] = True
        compiler._failed_cache.clear()
        return plain(signature)

    dispatcher.compile = compile_version
    return dispatcher


_fix_integer_index = arrayobj.fix_integer_index


def _plain_index(context: Any, builder: Any, index_type: Any, index: Any, size: Any) -> Any:
    """Let kernels index arrays as C does: a negative variable index does not count from the end.

    numba compares every index with 0 and adds the size to it, three instructions an access. Constants (`a[-1]`)
    still count from the end, and code outside of this package is compiled as ever.
    """
    if f"{len(PACKAGE_NAME)}{PACKAGE_NAME}" not in builder.function.name or isinstance(index, ir.Constant):
        return _fix_integer_index(context, builder, index_type, index, size)
    return context.cast(builder, index, index_type, types.intp if index_type.signed else types.uintp)


arrayobj.fix_integer_index = _plain_index


def _compile(function: Callable[..., Any], inline: bool) -> Any:
    if numba.config.DISABLE_JIT:
        return function
    former = numba.config.CACHE_LOCATOR_CLASSES
    numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{KernelCacheLocator.__name__}"
    try:
        counts = bool(_NEEDS_COUNTS.intersection(function.__code__.co_names))
        options = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": counts, "forceinline": inline}
        return _borrowing(_one_version(numba.njit(**options)(function)))
    finally:
        numba.config.CACHE_LOCATOR_CLASSES = former


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` with numba: cached, without the GIL, division as in C (no ZeroDivisionError).

    With `NUMBA_DISABLE_JIT=1` the function is returned as it is.
    """
    return _compile(function, False)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that becomes part of every kernel that calls it, whatever its size; for few callers of hot code."""
    return _compile(function, True)
