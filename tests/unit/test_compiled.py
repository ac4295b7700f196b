"""That the compiled fold is there: without this test a build that fails would only be slow."""

import shutil
import sysconfig
from pathlib import Path

from streams.state.compiled import Usual


def test_the_fold_is_compiled_wherever_there_is_a_compiler() -> None:
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0])
    header = Path(sysconfig.get_path("include"), "Python.h")
    assert Usual is not None or not (compiler and header.exists())
