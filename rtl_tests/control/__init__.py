"""Bench of the control path: register block, host bridge, firmware on PicoRV32, mover, core ports."""
