"""Other people's RTL under our vectors: a YAML description of a block becomes a wrapper, a build, a run and a verdict.

description   the adapter's language, checked; streams, memories and words are parts of it
sources       file lists, overlays, stubs; the block's ports as Verilator sees them
expressions   arithmetic over a transaction's fields
layout        elements of a field on the lanes of beats
plan          the adapter's words against the block's ports
wrapper       the SystemVerilog around the block
simulate      build and run, Verilator and Icarus
transactions  what is asked of a block, and how its answer is judged
encoding      vectors in the form that the wrapper reads
judging       answers and times in a run's log
check         one adapter from file to verdict
"""
