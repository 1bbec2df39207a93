"""Copies of the repository's foreign blocks with a change."""

from pathlib import Path

from rtl_tests.foreign import check as checking

BLOCKS = Path(checking.__file__).parent / "blocks"


def variant(tmp_path, block, *changes, file="adapter.yaml"):
    """A copy of a block with text of its adapter or sources replaced: (file, old, new)."""
    for path in (BLOCKS / block).iterdir():
        text = path.read_text().replace("../../../rtl/", f"{BLOCKS.parents[1]}/rtl/")
        (tmp_path / path.name).write_text(text)
    for name, old, new in changes:
        text = (tmp_path / name).read_text()
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new, 1))
    return tmp_path / file
