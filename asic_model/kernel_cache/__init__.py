"""The one way to make a kernel: numba, cached on disk, never stale, and compiled once whoever calls it.

    sources.py   which text a kernel was compiled from
    store.py     the files: one a version of a kernel, shared by processes and checkouts, the unused ones removed
    indexing.py  arrays are indexed as in C
    compiler.py  how: kernels called by kernels become LLVM bitcode, kernels called from Python machine code

Kernels live in `~/.cache/tasic/kernels` (or in `NUMBA_CACHE_DIR` where that is set); `tasic doctor --clear-kernels`
empties it. docs/kernel_cache.md says why it is built this way.
"""

from asic_model.kernel_cache.compiler import compile_callee, compiling, inlined, kernel
from asic_model.kernel_cache.sources import source_stamp
from asic_model.kernel_cache.store import cache_dir, clear, held_bytes

__all__ = ["cache_dir", "clear", "compile_callee", "compiling", "held_bytes", "inlined", "kernel", "source_stamp"]
