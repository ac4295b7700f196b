"""Fails when a source file is longer than 300 lines: `python -m tests.file_sizes`."""

import sys
from pathlib import Path

PACKAGES = ("streams", "encoder", "index", "workers", "tests")
SUFFIXES = (".py", ".pyx", ".pxd")
MOST_LINES = 300


def too_long(root: Path) -> list[str]:
    """Return one sentence for every Python or Cython file below `root`'s packages that is too long."""
    found = (path for package in PACKAGES for path in (root / package).rglob("*"))
    files = sorted(path for path in found if path.suffix in SUFFIXES)
    counts = ((path.relative_to(root), len(path.read_text().splitlines())) for path in files)
    return [f"{path}: {count} lines, at most {MOST_LINES}" for path, count in counts if count > MOST_LINES]


if __name__ == "__main__":
    sys.exit("\n".join(too_long(Path(__file__).parent.parent)) or 0)
