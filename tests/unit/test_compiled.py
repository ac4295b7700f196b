"""That what can be compiled is: without this test a build that fails would only be slow."""

import shutil
import sysconfig
from pathlib import Path

from streams import clock
from streams.state.compiled import Usual
from streams.state.per_event import to_ms


def test_all_is_compiled_wherever_there_is_a_compiler() -> None:
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0])
    header = Path(sysconfig.get_path("include"), "Python.h")
    built = Usual is not None and to_ms is not clock.to_ms
    assert built or not (compiler and header.exists())
