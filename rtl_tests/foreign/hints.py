"""What a wrong answer looks like: transposed, reversed, without its sign, a bit too many in front.

A hint names the field of the adapter that would make the answer right; it says nothing of whether the block means it.
"""

import numpy as np

from rtl_tests.foreign.layout import order_of


def array_hint(expected: np.ndarray, found: np.ndarray, before: np.ndarray | None, within: int = 0) -> str | None:
    """A way to turn `found` into `expected`. `before`: the answer to the vector before; `within`: what may differ."""

    def same(one: np.ndarray, other: np.ndarray) -> bool:
        return bool(np.all(np.abs(one - other) <= within))

    if not np.any(expected) or expected.shape != found.shape:
        return None
    if expected.ndim == 2:
        rows, columns = expected.shape
        if rows == columns and same(found, expected.T):
            return "that is the answer transposed: `order: transposed` here, or at the input"
        for order in ("zigzag", "inverse_zigzag"):
            if same(found.ravel(), expected.ravel()[order_of(order, expected.shape)]):
                return f"those are the right values in another order: `order: {order}`"
        if same(found, expected[:, ::-1]):
            return "each row is reversed: `first: high` or `first: low`, or the ports in another order"
        if same(found, expected[::-1]):
            return "the rows come last first: the ports, or `lanes`, in another order"
    if same(found.ravel(), expected.ravel()[::-1]):
        return "the elements are reversed: `first: high` or `first: low`, or the ports in another order"
    if same(found, -expected):
        return "every value has the other sign"
    if before is not None and before.shape == found.shape and same(found, before):
        return "that is the answer to the vector before: `latency`, `hold_cycles` or `valid` is too early"
    gap = np.abs(found - expected).max()
    if gap and gap & (gap - 1) == 0 and gap > np.abs(expected).max() and not np.any((found - expected) % gap):
        return f"values differ by multiples of {gap}: `signed`, or `width`"
    for bits in range(1, 9):
        if same(found, expected << bits) or same(found << bits, expected):
            return f"values differ by a factor of {1 << bits}"
    return None


def bits_hint(expected: str, found: str) -> str | None:
    """The same for strings of bits."""
    if len(expected) < 8:
        return None
    if found[1:].startswith(expected):
        return "one bit stands in front of the right ones: the coder's first bit, see option `first_bit`"
    if expected.startswith(found) and found:
        return (
            f"the right bits, but {len(expected) - len(found)} are missing at the end: option `flush`, or a flush pulse"
        )
    if found.translate(str.maketrans("01", "10")).startswith(expected):
        return "every bit is inverted"
    octets = [found[n : n + 8] for n in range(0, len(found), 8)]
    if "".join(each[::-1] for each in octets).startswith(expected):
        return "the bits of each byte are reversed"
    for count in (2, 4, 8):
        words = [octets[n : n + count] for n in range(0, len(octets), count)]
        if "".join("".join(word[::-1]) for word in words).startswith(expected):
            return f"the bytes of each word of {count} are reversed"
    return None
