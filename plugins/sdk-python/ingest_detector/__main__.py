"""`python -m ingest_detector PLUGIN.wasm` builds a plugin: the class `Detector` of the `app.py` in this folder.

The plugin may import what is in this folder and what is installed beside this package, if it is plain Python.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

# What a detector may do beyond judging rows: a method of `Detector`, and the contract's world for it.
ABILITIES = {"score": "scoring", "snapshot": "stateful", "feedback": "learning"}


def worlds(app: Path) -> list[str]:
    """Those of the class `Detector`, which is only looked at: it runs where the compiler runs it, without a clock."""
    try:
        tree = ast.parse(app.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ["detector"]  # the compiler says what is wrong
    detectors = [one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "Detector"]
    methods = {one.name for detector in detectors for one in detector.body if isinstance(one, ast.FunctionDef)}
    return ["detector", *(world for method, world in ABILITIES.items() if method in methods)]


def write_contract(package: Path, folder: Path) -> None:
    """The contract, and in it a world for this detector."""
    for file in (package / "wit").iterdir():
        shutil.copy(file, folder)
    included = "".join(f"    include {world};\n" for world in worlds(Path("app.py")))
    world = f"package ingest:detector@0.1.0;\n\nworld this-detector {{\n{included}}}\n"
    (folder / "this-detector.wit").write_text(world)


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
    with tempfile.TemporaryDirectory() as contract:
        write_contract(package, Path(contract))
        build = [compiler, "-d", contract, "-w", "this-detector", "componentize"]
        # The plugin imports nothing but the contract.
        build += ["--stub-wasi", "ingest_detector.component", "-o", parser.parse_args().plugin]
        for folder in dict.fromkeys([Path.cwd(), package.parent, Path(sysconfig.get_path("purelib"))]):
            build += ["-p", folder]
        # The compiler's own backtrace would bury that of an exception in `app.py`.
        return subprocess.run(build, env={**os.environ, "RUST_BACKTRACE": "0"}).returncode


sys.exit(main())
