"""Build the firmware image.

    python -m firmware.build            compile; write tasic.bin and tasic.bin.sha256
    python -m firmware.build --check    compile and compare with what is checked in

The compiler is the `ziglang` wheel (`pip install .[firmware]`); its version is pinned, and builds are reproducible bit
for bit. The image is checked in, so nobody needs the compiler to use the chip.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FIRMWARE_DIR = Path(__file__).resolve().parent
IMAGE = FIRMWARE_DIR / "tasic.bin"
DIGEST = FIRMWARE_DIR / "tasic.bin.sha256"
SOURCES = ("start.S", "main.c", "mmio.c", "ring.c", "validate.c", "session.c", "schedule.c", "rate_control.c",
           "plan.c", "log.c", "string.c")  # fmt: skip
FLAGS = (
    "-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m", "-std=c11", "-O2", "-g0", "-ffreestanding",
    "-nostdlib", "-fno-pic", "-mno-relax", "-fno-sanitize=undefined", "-ffunction-sections", "-fno-builtin",
    "-fno-strict-aliasing", "-Wall", "-Wextra", "-Werror", "-Iinclude", "-Wl,--gc-sections", "-Wl,-T,link.ld",
    "-Wl,-e,start",
)  # fmt: skip


def zig(*arguments: str) -> None:
    """Run the compiler in the firmware's folder, so that no path of this machine gets into the image."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": "0"}
    subprocess.run([sys.executable, "-m", "ziglang", *arguments], cwd=FIRMWARE_DIR, check=True, env=environment)


def build(folder: Path) -> bytes:
    """Compile and link in `folder`; return the image."""
    elf, image = folder / "tasic.elf", folder / "tasic.bin"
    zig("cc", *FLAGS, *SOURCES, "-o", str(elf))
    zig("objcopy", "-O", "binary", str(elf), str(image))
    return image.read_bytes()


def main(arguments: list[str]) -> int:
    """Build, then write or compare; returns the exit status."""
    check = arguments == ["--check"]
    if arguments and not check:
        print("usage: python -m firmware.build [--check]", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        image = build(Path(folder))
    digest = hashlib.sha256(image).hexdigest()
    if not check:
        IMAGE.write_bytes(image)
        DIGEST.write_text(f"{digest}  {IMAGE.name}\n")
        print(f"{IMAGE.name}: {len(image)} bytes, SHA-256 {digest}")
        return 0
    if image != IMAGE.read_bytes() or DIGEST.read_text().split()[0] != digest:
        print(f"{IMAGE.name} is not what the sources give (built: {len(image)} bytes, {digest})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
