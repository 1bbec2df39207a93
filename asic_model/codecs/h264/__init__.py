"""H.264 (ITU-T Rec. H.264 | ISO/IEC 14496-10): tables, syntax structures and the macroblock record."""
