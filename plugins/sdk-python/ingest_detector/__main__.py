"""`python -m ingest_detector PLUGIN.wasm` builds a plugin: the class `Detector` of the `app.py` in this folder.

The plugin may import what is in this folder and what is installed beside this package, if it is plain Python.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ingest_detector",
        description="Builds the plugin of this folder: the class `Detector` of its `app.py`.",
    )
    parser.add_argument("plugin", help="the file to write, such as night-owls.wasm")
    package = Path(__file__).resolve().parent
    compiler = Path(sysconfig.get_path("scripts"), "componentize-py")
    if not compiler.is_file():
        parser.error(f"there is no `{compiler}`: install it with `{sys.executable} -m pip install componentize-py`")
    build = [compiler, "-d", package / "wit", "-w", "detector", "componentize"]
    # The plugin imports nothing but the contract.
    build += ["--stub-wasi", "ingest_detector.component", "-o", parser.parse_args().plugin]
    for folder in dict.fromkeys([Path.cwd(), package.parent, Path(sysconfig.get_path("purelib"))]):
        build += ["-p", folder]
    # The compiler's own backtrace would bury that of an exception in `app.py`.
    return subprocess.run(build, env={**os.environ, "RUST_BACKTRACE": "0"}).returncode


sys.exit(main())
