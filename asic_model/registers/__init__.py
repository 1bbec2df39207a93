"""The register map: `tasic.rdl` is the one source, `map.py` the view that Python programs use."""
