"""Backend `null`: the same chip, firmware and clock, but no picture is coded: what remains is the control path.

Streams come out empty. It shows what driver and firmware cost, and tests sessions without waiting for pixels.
"""

from driver.backends.model import ModelBackend


class NullBackend(ModelBackend):
    """The model with its pixels switched off."""

    functional = False
