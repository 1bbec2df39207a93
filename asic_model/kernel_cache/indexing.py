"""Kernels index arrays as C does."""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.np import arrayobj

from asic_model.kernel_cache.sources import PACKAGE_NAME

_fix_integer_index = arrayobj.fix_integer_index


def _plain_index(context: Any, builder: Any, index_type: Any, index: Any, size: Any) -> Any:
    """A negative variable index does not count from the end.

    numba compares every index with 0 and adds the size to it, three instructions an access. Constants (`a[-1]`)
    still count from the end, and code outside of this package is compiled as ever.
    """
    if f"{len(PACKAGE_NAME)}{PACKAGE_NAME}" not in builder.function.name or isinstance(index, ir.Constant):
        return _fix_integer_index(context, builder, index_type, index, size)
    return context.cast(builder, index, index_type, types.intp if index_type.signed else types.uintp)


def install() -> None:
    """Let numba ask this module from now on."""
    arrayobj.fix_integer_index = _plain_index
