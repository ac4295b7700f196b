"""What is paged out is read again as it was."""

import ctypes
import mmap
from pathlib import Path

import numpy as np
import pytest

from index.memory import give_back, page_out


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells how much memory is resident")
@pytest.mark.parametrize("offset", [0, 1, 4_095])
def test_a_mapped_file_leaves_memory_and_comes_back(tmp_path: Path, offset: int) -> None:
    held = np.random.default_rng(0).integers(0, 256, 64 << 20, np.uint8)
    held.tofile(tmp_path / "file")
    mapped = np.memmap(tmp_path / "file", np.uint8, "r")[offset:]
    total = int(mapped.sum(dtype=np.int64))
    before = resident_bytes()
    page_out(mapped.ctypes.data, mapped.nbytes)
    assert before - resident_bytes() > 32 << 20
    assert int(mapped.sum(dtype=np.int64)) == total


def test_memory_without_a_file_is_as_it_was() -> None:
    held = np.arange(1 << 20)
    page_out(held.ctypes.data, held.nbytes)
    give_back()
    np.testing.assert_array_equal(held, np.arange(1 << 20))


def test_less_than_a_page_is_left_alone() -> None:
    page = ctypes.create_string_buffer(b"as it was", 64)
    page_out(ctypes.addressof(page), 64)
    assert page.value == b"as it was"
