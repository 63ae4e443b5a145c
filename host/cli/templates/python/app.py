"""Flags round amounts: people who make up transactions tend to make up round ones."""

import re
from dataclasses import dataclass

from componentize_py_types import Err
from wit_world import WitWorld as Detector
from wit_world.imports import types

MINIMUM = types.SettingDescription(
    name="minimum",
    kind=types.SettingKind.DECIMAL,
    default="10",
    doc="Round amounts from this one up are anomalous.",
)


@dataclass
class Run:
    """What a run was configured with and has learned, from `configure` to `finish`."""

    minimum_cents: int = 0


# Not in the class below, since every call gets a new instance of it.
run = Run()


class WitWorld(Detector):
    """The detector; the toolchain finds it by this name."""

    def describe(self) -> types.Metadata:
        return types.Metadata(
            name="my-detector",
            version="0.1.0",
            description="Flags round amounts from `minimum` up. The score is the amount.",
            settings=[MINIMUM],
            attributes=[],
            # Each row is judged by itself. See the WIT for the other two orderings.
            ordering=types.Ordering.ANY,
        )

    def configure(self, settings: list[types.Setting]) -> None:
        values = {MINIMUM.name: MINIMUM.default}
        for setting in settings:
            if setting.name not in values:
                raise refuse(setting.name, "unknown setting; this detector has `minimum`")
            values[setting.name] = setting.value
        run.minimum_cents = parse_cents("minimum", values["minimum"])

    def classify(self, batch: types.Batch) -> list[types.Anomaly]:
        minimum = run.minimum_cents
        return [
            types.Anomaly(row, score=cents / 100, reason=f"{cents // 100}.00 is a round amount")
            for row, cents in enumerate(batch.amounts)
            if cents >= minimum and cents % 100 == 0
        ]

    def finish(self) -> None:
        pass


def parse_cents(name: str, value: str) -> int:
    """An amount as hundredths, exactly: money never passes through a float."""
    parts = re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?", value)
    if parts is None:
        raise refuse(name, f"`{value}` is not an amount such as `12.50`")
    return int(parts[1]) * 100 + int((parts[2] or "0").ljust(2, "0"))


def refuse(name: str, message: str) -> Err:
    return Err(types.Error_InvalidSetting(types.InvalidSetting(name, message)))
