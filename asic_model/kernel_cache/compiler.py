"""How a kernel is compiled.

numba compiles a function completely before its caller: machine code and a Python entry for each, and all that a
function calls is optimised and emitted anew in each of its callers. The model has some hundred kernels in trees ten
calls deep, of which Python calls a few. So:

- A kernel called by a kernel (`_Callee`) is typed and lowered to LLVM bitcode, and no more.
- A kernel called from Python (the dispatcher that `kernel` returns) links the bitcode of all that it reaches, is
  optimised once as a whole, and alone becomes machine code with a Python entry.

Both kinds are kept by `store.py` under a hash of all that went in. A kept callee names the callees that it reaches,
so a caller that is compiled later finds them; they are never loaded otherwise.
"""

import atexit
import hashlib
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
from numba.core import bytecode, codegen, compiler, dispatcher, errors, event, sigutils, types, typing
from numba.core.compiler_lock import global_compiler_lock
from numba.core.serialize import dumps

from asic_model.kernel_cache import indexing, store
from asic_model.kernel_cache.sources import PACKAGE_DIR, source_stamp
from asic_model.latch import Latch

# What makes numba count references in a kernel. All others only borrow the arrays they are given and are compiled
# without counting, which costs two atomic additions an array and call.
_NEEDS_COUNTS = frozenset(
    {
        *("arange", "array", "astype", "copy", "empty", "empty_like", "full", "ones", "ravel", "reshape", "sort"),
        *("view", "zeros", "zeros_like"),
    }
)


# ------------------------------------------------------------------------------------------------------- libraries


class _Bitcode(codegen.JITCodeLibrary):
    """Code of one kernel as its callers link it; it never becomes machine code by itself."""

    key: str | None = None  # its name in the store, when it is there

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            if not isinstance(library, _Bitcode):  # parts of numba itself
                self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._linking_libraries = [each for each in self._linking_libraries if isinstance(each, _Bitcode)]
        self._finalize_dynamic_globals()
        self._finalized = True

    def callees(self) -> "list[_Bitcode]":
        """All kernels that this one reaches, itself included, each once."""
        found: dict[_Bitcode, None] = {}
        waiting = [self]
        while waiting:
            library = waiting.pop()
            if library not in found:
                library._ensure_finalized()
                found[library] = None
                waiting.extend(library._linking_libraries)
        return list(found)

    def own_module(self) -> Any:
        """The kernel alone, its functions marked so that several modules may hold them."""
        return super()._get_module_for_linking()

    def _get_module_for_linking(self) -> Any:
        """For callers that are no kernels: everything in one."""
        module = self.own_module().clone()
        for library in self.callees():
            if library is not self:
                module.link_in(library.own_module(), preserve=True)
        return module

    def as_bitcode(self) -> bytes:
        return bytes(self.own_module().as_bitcode())


class _Machine(codegen.JITCodeLibrary):
    """Machine code of one kernel and of all that it reaches."""

    def add_linking_library(self, library: Any) -> None:
        if isinstance(library, _Bitcode):
            for each in library.callees():
                if each not in self._linking_libraries:
                    self._linking_libraries.append(each)
        else:
            super().add_linking_library(library)

    def finalize(self) -> None:
        kernels = [each for each in self._linking_libraries if isinstance(each, _Bitcode)]
        self._linking_libraries = [each for each in self._linking_libraries if not isinstance(each, _Bitcode)]
        for library in kernels:
            self._final_module.link_in(library.own_module(), preserve=True)
        super().finalize()

    def defined_symbols(self) -> list[str]:
        module = self._final_module
        return [
            value.name for values in (module.functions, module.global_variables) for value in values
            if not value.is_declaration
        ]  # fmt: skip

    @classmethod
    def load(cls, target_codegen: Any, name: str, code: bytes, symbols: Iterable[str]) -> "_Machine":
        library = cls(target_codegen, name)
        library.enable_object_caching()
        library._set_compiled_object(code)
        library._finalize_final_module()
        target_codegen._engine._defined_symbols.update(symbols)
        return library


# ---------------------------------------------------------------------------------------------------------- naming


def _hash(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@lru_cache(maxsize=None)
def _stamp(file: str) -> str:
    path = Path(file).resolve()
    return source_stamp(path) if path.suffix == ".py" and path.is_file() else ""


def _key(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any], kind: str) -> str:
    """Name in the store: the kernel's own name and a hash of all that its code depends on."""
    code = function.__code__
    file = Path(code.co_filename).resolve()
    # checkouts and installations share what was compiled from the same text at the same place in the package
    place = str(file.relative_to(PACKAGE_DIR)) if file.is_relative_to(PACKAGE_DIR) else str(file)
    text = (place, function.__qualname__, code.co_firstlineno, _stamp(code.co_filename), code.co_code.hex())
    cells = hashlib.sha256(dumps([cell.cell_contents for cell in function.__closure__ or ()])).hexdigest()
    # whether references are counted follows from the text
    chosen = sorted((name, value) for name, value in options.items() if name not in ("_nrt", "nrt"))
    digest = _hash(kind, text, cells, [str(each) for each in args], chosen, _environment())
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}-{kind}-{digest}"


@lru_cache(maxsize=None)
def _environment() -> tuple[Any, ...]:
    """What code depends on beside its text: processor, compilers, their settings."""
    processor = tuple(numba.core.registry.cpu_target.target_context.codegen().magic_tuple())
    settings = numba.config.BOUNDSCHECK, str(numba.config.OPT)
    return processor, settings, numba.__version__, llvmlite.__version__, sys.version_info[:2]


class _Pipeline(compiler.CompilerBase):
    """numba's compiler into one of the libraries above, with names that do not depend on the process."""

    library_class: type[codegen.JITCodeLibrary]

    def define_pipelines(self) -> list[Any]:
        return [compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)]

    def _compile_bytecode(self) -> Any:
        identity: bytecode.FunctionIdentity = self.state.func_id
        options = {name: str(value) for name, value in self.state.flags.values().items()}
        key = _key(identity.func, self.state.args, options, self.library_class.__name__)
        identity.unique_id = int(key.rpartition("-")[2][:12], 16)
        identity.unique_name = f"{identity.func_qualname}${identity.unique_id}"
        self.state.library = self.library_class(self.state.targetctx.codegen(), identity.func_qualname)
        self.state.library.enable_object_caching()
        return super()._compile_bytecode()


class _CalleePipeline(_Pipeline):
    library_class = _Bitcode


class _EntryPipeline(_Pipeline):
    library_class = _Machine


def _content(key: str) -> Any:
    """What the store has under `key`; None when there is nothing, or nothing whole."""
    data = store.read(key)
    try:
        return None if data is None else pickle.loads(data)
    except Exception:  # a damaged pickle can raise anything
        return None


# ------------------------------------------------------------------------------------- kernels called by kernels


class _CalleeCompiler(dispatcher._FunctionCompiler):
    def _customize_flags(self, flags: Any) -> Any:
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        return flags


_loaded: dict[str, Any] = {}  # (descriptor, signature, library) by key: what this process compiled or loaded


class _Callee:
    """A kernel as other kernels see it."""

    def __init__(self, entry: Any) -> None:
        self.entry = entry  # the dispatcher that Python sees
        self.versions: dict[tuple[Any, ...], tuple[str, Any]] = {}  # argument types -> (key, signature)
        self._compiler = _CalleeCompiler(entry.py_func, entry.targetdescr, entry.targetoptions, {}, _CalleePipeline)

    def get_call_template(self, args: tuple[Any, ...], kws: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
        """Numba's question: which signature has a call with these types?

        A constant argument is typed as `Literal[int](3)`, and the callee would be compiled once more for each
        constant. Calls share the version for integers; LLVM still propagates constants into callees that it inlines.
        """
        args = tuple(types.unliteral(each) for each in args)
        kws = {name: types.unliteral(each) for name, each in kws.items()}
        pysig, args = self._compiler.fold_argument_types(args, kws)
        args = tuple(args)
        self.compile(args)
        name = self.entry.py_func.__name__
        template = typing.make_concrete_template(
            f"CallTemplate({name})", key=name, signatures=[sig for _, sig in self.versions.values()]
        )
        return template, pysig, args, {}

    def get_overload(self, sig: Any) -> str:
        """Numba's question: under which key is the code for `sig` known to the target?"""
        args, _ = sigutils.normalize_signature(sig)
        return self.compile(tuple(args))

    def compile(self, args: tuple[Any, ...]) -> str:
        """Make the version for `args` known to the target and return its key."""
        with global_compiler_lock:
            known = self.versions.get(args)
            if known is None:
                key = _key(self.entry.py_func, args, self.entry.targetoptions, "callee")
                context = self.entry.targetctx
                context.refresh()
                made = _load_callee(key, context)
                if made is None:
                    with store.claim(key, _progress.tell):
                        made = _load_callee(key, context) or self._compile(args, key)
                descriptor, signature, library = made
                context.insert_user_function(key, descriptor, [library])
                known = self.versions[args] = (key, signature)
            return known[0]

    def _compile(self, args: tuple[Any, ...], key: str) -> tuple[Any, Any, _Bitcode]:
        with event.trigger_event("numba:compile", data={"dispatcher": self.entry, "args": args, "return_type": None}):
            result = _borrowing(self._compiler, lambda: self._compiler.compile(args, None))
        library = result.library
        library._ensure_finalized()
        result.fndesc.typemap = result.fndesc.calltypes = None  # large, and only for compiling
        callees = [each.key for each in library._linking_libraries]
        if None not in callees and not library.has_dynamic_globals:
            content = (library.name, library.as_bitcode(), callees, result.fndesc, result.signature)
            if store.write(key, dumps(content)):
                library.key = key
        _loaded[key] = result.fndesc, result.signature, library
        return result.fndesc, result.signature, library


def _load_callee(key: str, context: Any) -> tuple[Any, Any, _Bitcode] | None:
    """Take a callee, and all that it reaches, out of the store; None when anything of it is missing."""
    if key not in _loaded:
        content = _content(key)
        if content is None:
            return None
        name, bitcode, callees, descriptor, signature = content
        library = _Bitcode(context.codegen(), name)
        library.key = key
        for callee in callees:
            below = _load_callee(callee, context)
            if below is None:
                return None
            library._linking_libraries.append(below[2])
        library._final_module = llvm.parse_bitcode(bitcode)
        library._finalized = True
        _loaded[key] = descriptor, signature, library
    found: tuple[Any, Any, _Bitcode] = _loaded[key]
    return found


# ------------------------------------------------------------------------------------- kernels called from Python


class _EntryCache(numba.core.caching._Cache):
    """What numba's dispatcher asks of a cache, answered by the store."""

    def __init__(self, entry: Any) -> None:
        self._entry = entry

    @property
    def cache_path(self) -> str:
        return str(store.cache_dir())

    def enable(self) -> None: ...

    def disable(self) -> None: ...

    def flush(self) -> None: ...

    def key(self, sig: Any) -> str:
        args, _ = sigutils.normalize_signature(sig)
        return _key(self._entry.py_func, tuple(args), self._entry.targetoptions, "entry")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        content = _content(self.key(sig))
        if content is None:
            return None
        name, code, symbols, descriptor, environment, signature, environments = content
        library = _Machine.load(target_context.codegen(), name, code, symbols)
        entry_point = target_context.get_executable(library, descriptor, environment)
        for each in environments:
            library.codegen.set_env(each.env_name, each)
        return compiler.compile_result(
            target_context=target_context, typing_context=target_context.typing_context, library=library,
            environment=environment, entry_point=entry_point, fndesc=descriptor, type_annotation="",
            signature=signature, objectmode=False, lifted=(), typing_error=None, call_helper=None, metadata=None,
            reload_init=[], referenced_envs=environments,
        )  # fmt: skip

    def save_overload(self, sig: Any, data: Any) -> None:
        library = data.library
        if data.lifted or library.has_dynamic_globals or data.reload_init:
            return
        data.fndesc.typemap = data.fndesc.calltypes = None
        content = (
            library.name, library._get_compiled_object(), library.defined_symbols(), data.fndesc, data.environment,
            data.signature, data._find_referenced_environments(),
        )  # fmt: skip
        store.write(self.key(sig), dumps(content))


def _borrowing(function_compiler: Any, compile_version: Callable[[], Any]) -> Any:
    """Compile without reference counts, and with them after all where numba finds that it cannot."""
    try:
        return compile_version()
    except errors.NumbaError:
        if function_compiler.targetoptions["_nrt"]:
            raise
    function_compiler.targetoptions["_nrt"] = True
    function_compiler._failed_cache.clear()
    return compile_version()


class _Progress(event.Listener):
    """Says on stderr that kernels are being compiled, and every few seconds how many were: slow, not stuck."""

    EVERY_SECONDS = 5.0

    def __init__(self) -> None:
        self._began = self._told = 0.0
        self._kernels = 0

    def on_start(self, _event: event.Event) -> None:
        if not self._kernels:
            atexit.register(store.sweep)
        self._kernels += 1
        self.tell()

    def on_end(self, _event: event.Event) -> None:
        pass

    def tell(self) -> None:
        """Compiling, or waiting for a process that does."""
        if os.environ.get("TASIC_QUIET_COMPILE"):
            return
        now = time.monotonic()
        if not self._began:
            self._began = self._told = now
            print(f"tasic: compiling kernels, once (cached in {store.cache_dir()}) ...", file=sys.stderr, flush=True)
        elif now - self._told >= self.EVERY_SECONDS:
            self._told = now
            text = f"{self._kernels} by this process, {now - self._began:.0f} s"
            print(f"tasic: compiling kernels: {text}", file=sys.stderr, flush=True)


_progress = _Progress()
event.register("numba:compile", _progress)


def _in_another_thread(make: Callable[[], Any]) -> Any:
    """Call `make`, which loads or compiles a kernel, where no signal's handler runs: not in the main thread.

    Optimising a large kernel is one call into LLVM, which may take a minute and hears of no signal; a thread that waits
    does. And what a handler raises (Ctrl-C does so) while numba or llvmlite take a lock of theirs would leave it taken.
    """
    if threading.current_thread() is not threading.main_thread():
        return make()
    made: list[Any] = []
    failed: list[BaseException] = []
    ended = Latch()

    def work() -> None:
        try:
            made.append(make())
        except BaseException as error:
            failed.append(error)
        ended.set()

    threading.Thread(target=work, name="tasic-compile").start()
    ended.wait()
    if failed:
        raise failed[0]
    return made[0]


class _UnderWay:
    """Counts the compilations of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def run(self, make: Callable[[], Any]) -> Any:
        with self._lock:
            self.count += 1
        try:
            return make()
        finally:
            with self._lock:
                self.count -= 1


_under_way = _UnderWay()


def compiling() -> bool:
    """Whether a thread of this process compiles a kernel: it cannot be stopped, and the process's ordinary end would
    wait for it."""
    return _under_way.count > 0


def _claiming(entry: Any, plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """numba's compile of an entry: what is not in the store is made by one process only."""

    def compile_version(signature: Any) -> Any:
        args, _ = sigutils.normalize_signature(signature)
        if tuple(args) in entry.overloads:
            return plain(signature)
        if store.has(entry._cache.key(signature)):
            return _in_another_thread(lambda: plain(signature))

        def make() -> Any:
            with store.claim(entry._cache.key(signature), _progress.tell):
                return _borrowing(entry._compiler, lambda: plain(signature))

        return _in_another_thread(lambda: _under_way.run(make))

    return compile_version


def compile_callee(entry: Any, *values: Any) -> None:
    """Compile the kernel `entry` as kernels call it, for arguments like `values`, unless that was done."""
    entry.callee.compile(tuple(numba.typeof(value) for value in values))


def environment_hash(text: str) -> str:
    """Hash of `text` and of what code depends on beside its text."""
    return _hash(text, _environment())


def _make(function: Callable[..., Any], inline: bool) -> Callable[..., Any]:
    if numba.config.DISABLE_JIT:
        return function
    # Now, while the text on disk is what was imported: an edit while the program runs must not name old code anew.
    _stamp(function.__code__.co_filename)
    counts = bool(_NEEDS_COUNTS.intersection(function.__code__.co_names))
    options = {"nogil": True, "error_model": "numpy", "_nrt": counts, "forceinline": inline}
    entry = numba.njit(**options, pipeline_class=_EntryPipeline)(function)
    entry._cache = _EntryCache(entry)
    callee = _Callee(entry)
    entry.compile = _claiming(entry, entry.compile)
    entry.callee = callee
    entry.get_call_template = callee.get_call_template
    entry.get_overload = callee.get_overload
    return entry


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` with numba: cached, without the GIL, division as in C (no ZeroDivisionError).

    With `NUMBA_DISABLE_JIT=1` the function is returned as it is.
    """
    return _make(function, False)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that becomes part of every kernel that calls it, whatever its size; for few callers of hot code."""
    return _make(function, True)


indexing.install()
