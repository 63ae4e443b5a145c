"""Write anomaly detectors for `host` in Python: what a detector gets and returns, and helpers.

Values have names here, where the contract has lists. This module is plain Python, so unit tests can use it;
`python -m ingest_detector` builds the plugin.
"""

import re
from dataclasses import dataclass, field

from ingest_detector.users import State, Users  # noqa: F401


@dataclass
class Setting:
    """A setting. `kind` is "text", "integer", "decimal" or "boolean"; without `default` it is optional."""

    name: str
    kind: str
    doc: str
    default: str | None = None


@dataclass
class Metadata:
    """What a detector says about itself. `ordering` is "any", "per-user" or "file": see the WIT."""

    name: str
    version: str
    description: str
    ordering: str
    settings: list[Setting] = field(default_factory=list)


@dataclass
class Column:
    """A further column of the file that a detector asks for. `kind` is "text" or "number"."""

    name: str
    kind: str = "text"
    required: bool = True


@dataclass
class Texts:
    """A column of text, each different one once: the text of a row is `values[codes[row]]`."""

    codes: list[int]
    values: list[str]


@dataclass
class Batch:
    """Rows, column by column: element i of every list belongs to row i.

    Amounts are hundredths, timestamps are microseconds since 1970. Columns are those asked for, by name:
    `Texts`, or a list of floats (NaN for an empty cell), or None if the file has no such column.
    """

    user_ids: list[int] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    columns: dict[str, Texts | list[float] | None] = field(default_factory=dict)


@dataclass
class Anomaly:
    """An anomalous row: its index in the batch, how anomalous it is, and why."""

    row: int
    score: float
    reason: str


class InvalidSetting(Exception):
    """A setting has a value that the detector cannot take."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


class InvalidInput(Exception):
    """The rows cannot be judged."""


def refuse(name: str, message: str) -> InvalidSetting:
    """The error for a setting's value: `raise refuse("minimum", "it must …")`."""
    return InvalidSetting(name, message)


def cents(settings: dict, name: str) -> int:
    """A decimal setting in hundredths, exactly: "12.50" is 1250."""
    value = settings[name]
    if value is None:
        raise ValueError(f"the setting `{name}` is not given")
    parts = re.fullmatch(r"(-?)([0-9]+)(?:\.([0-9]{1,2})0*)?", value)
    if parts is None:
        raise refuse(name, f"`{value}` is not an amount: it may have two decimal places, such as `12.50`")
    sign, units, decimals = parts.groups(default="")
    return int(sign + units + decimals.ljust(2, "0"))


def quoted(text: str) -> str:
    """Text from the file as part of a reason: in quotes, printable, and not too long."""
    return f'"{printable(text[:100])}{"…" if len(text) > 100 else ""}"'


# Control characters, and those that reorder or hide text: the host refuses reasons with them.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str) -> str:
    """The text with control characters and their like as escapes."""
    return _UNPRINTABLE.sub(lambda one: _SHORT.get(one[0], f"\\u{{{ord(one[0]):x}}}"), text)
