"""Density: how many CPU servers a chip server replaces, at equal compression, and what that is worth.

`clips`: what is transcoded. `encoders`, `cpu`: software encoders and their speed on this machine. `curves`:
rate-distortion curves, and the CPU preset that compresses as the chip does. `chip`: the chip's curves and capacity.
`cost`: servers, power and money with ranges. `claims`: published claims recomputed from stated inputs. `vbench`: its
five scenarios. The command is `tasic density` (cli/density.py).
"""
