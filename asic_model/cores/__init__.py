"""Cores: the order of the engines in a core, and the macroblock pipeline."""
