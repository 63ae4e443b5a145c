"""What a detector does not have, since its answers depend on its settings and rows only: clock, random numbers,
files, network. Python's functions for these say so, and print() writes into the host's log. What gets past it
(input(), asyncio.run(), extensions in C) ends the run with a backtrace that names the function of C.
"""

import datetime
import io
import linecache
import os
import random
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

from wit_world.imports import host

# While the plugin is built, modules are loaded with files at hand, and there is no host to log to.
is_built = False


class NotHere(OSError):
    """A detector asked for it. An OSError, so that libraries which can do without it do."""

    def __init__(self, thing: str) -> None:
        super().__init__(f"a detector has no {thing}: its answers may depend on its settings and rows only")


NotHere.__module__ = "builtins"  # so that tracebacks say `NotHere`


def lacks(thing: str, original: Callable, without_argument: int | None = None) -> Callable:
    """The function refused, or, if so many arguments are too few, only without the next one."""

    def refused(*values, **named):
        if without_argument is not None and len(values) > without_argument:
            return original(*values)
        # Libraries look at the clock while they are loaded: `app.py` must not.
        if is_built or sys._getframe(1).f_globals.get("__name__") == "app":
            raise NotHere(thing)
        return original(*values, **named)

    return refused


for clock in "time monotonic perf_counter process_time".split():
    for name in (clock, f"{clock}_ns"):
        setattr(time, name, lacks("clock", getattr(time, name)))
time.sleep = lacks("clock", time.sleep)
for name, present in {"gmtime": 0, "localtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}.items():
    setattr(time, name, lacks("clock", getattr(time, name), without_argument=present))


class date(datetime.date):
    today = lacks("clock", datetime.date.today)


class datetime_(datetime.datetime, date):
    now = lacks("clock", datetime.datetime.now)
    today = utcnow = now


datetime_.__name__ = "datetime"
datetime.date, datetime.datetime = date, datetime_

CHANCE = "random numbers (but `random.Random(1)`, always the same)"
for name in random.__all__:
    if name.islower():
        setattr(random, name, lacks(CHANCE, getattr(random, name)))


class Random(random.Random):
    __new__ = lacks(CHANCE, random.Random.__new__, without_argument=1)
    seed = lacks(CHANCE, random.Random.seed, without_argument=1)


random.Random = Random
random._urandom = os.urandom = lacks(CHANCE, os.urandom)
for name in ("stat", "lstat", "access", "readlink", "getcwd"):
    setattr(os, name, lacks("files", getattr(os, name)))


def refuse_the_rest(event: str, values: tuple) -> None:
    """What Python itself announces before it does it."""
    if not is_built:
        return
    if event == "import" and values[0] not in sys.builtin_module_names:
        raise ImportError(
            f"import `{values[0]}` at the top of `app.py`: modules are loaded when the plugin is built"
        )
    area = event.partition(".")[0]
    if area == "open" or (area in ("os", "shutil", "glob", "pathlib", "tempfile") and event != "os.putenv"):
        raise NotHere("files")
    if area in ("socket", "urllib", "http", "ftplib", "smtplib"):
        raise NotHere("network")
    if area == "subprocess":
        raise NotHere("other programs")


sys.addaudithook(refuse_the_rest)


class Log(io.TextIOBase):
    """Where print() goes: line by line into the host's log, or to the terminal while the plugin is built."""

    def __init__(self, level: host.Level, terminal: io.TextIOBase) -> None:
        self.level, self.terminal, self.line = level, terminal, ""

    def write(self, text: str) -> int:
        if not is_built:
            return self.terminal.write(text)
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            host.log(self.level, line)
        return len(text)

    def end_line(self) -> None:
        if self.line:
            self.write("\n")


sys.stdout = Log(host.Level.INFO, sys.stdout)
sys.stderr = Log(host.Level.WARN, sys.stderr)


def load_no_more(folder: str) -> None:
    """To be called when all is loaded, while there still are files; `folder` is that of `app.py`."""
    # Tracebacks show the lines as they are now.
    for module in list(sys.modules.values()):
        if (file := getattr(module, "__file__", None)) and file.startswith(folder):
            linecache.getlines(file)
    linecache.checkcache = lambda filename=None: None
    if "logging" in sys.modules:  # It stamps every message with the time.
        sys.modules["logging"].time = SimpleNamespace(
            time=lambda: 0.0, time_ns=lambda: 0, localtime=time.localtime
        )


def run() -> None:
    """To be called when the plugin runs."""
    global is_built
    is_built = True
