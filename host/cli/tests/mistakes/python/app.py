"""Makes the mistake that its setting names; the test keeps what the host says about each."""

import datetime
import os
import random
import sys
import time
from typing import Any

from ingest_detector import Anomaly, Batch, Column, Metadata, Setting, quoted


class Detector:
    def describe(self) -> Metadata:
        return Metadata(
            name="mistaken",
            version="0.1.0",
            description="Makes mistakes.",
            ordering="file",
            settings=[Setting("mistake", "text", default="none", doc="Which.")],
        )

    def configure(self, settings: dict) -> list[Column] | None:
        self.mistake = settings["mistake"].replace("-", "_")
        if self.mistake == "column_kind":
            return [Column("country", "texts")]

    def classify(self, batch: Batch) -> Any:
        return getattr(Mistakes, self.mistake)(batch)


right = Anomaly(0, 1.0, "for no reason")


class Mistakes:
    def none(batch):
        return [right]

    def exception(batch):
        raise ValueError("the window is empty")

    def caused(batch):
        try:
            return [right, {}[7]]
        except KeyError as error:
            raise ValueError("user unknown") from error

    def undefined_name(batch):
        return len(amounts)

    def wrong_field(batch):
        return [right for _ in batch.amount]

    def nothing_returned(batch):
        pass

    def field_missing(batch):
        return [Anomaly(0, reason="for no reason")]

    def score_is_text(batch):
        return [Anomaly(0, "high", "for no reason")]

    def score_is_nan(batch):
        return [Anomaly(0, float("nan"), "for no reason")]

    def row_not_integer(batch):
        return [Anomaly(0.5, 1.0, "for no reason")]

    def row_out_of_range(batch):
        return [Anomaly(len(batch.amounts), 1.0, "for no reason")]

    def unsorted(batch):
        return [Anomaly(1, 1.0, "for no reason"), right]

    def reason_is_number(batch):
        return [Anomaly(0, 1.0, 12)]

    def anomaly_is_tuple(batch):
        return [(0, 1.0, "for no reason")]

    # Neither of these two is one: the wrapper makes the reason printable and cuts it.
    def reason_unprintable(batch):
        return [Anomaly(0, 1.0, "from " + quoted("a\n\x1b[31mb\u202e") + "\n")]

    def reason_too_long(batch):
        return [Anomaly(0, 1.0, "é" * 600)]

    def printing(batch):
        print("rows:", len(batch.amounts))
        print("odd", {"row": 1}, file=sys.stderr)
        print("half a line", end="")
        return []

    def clock(batch):
        return [Anomaly(0, time.time(), "for no reason")]

    def date(batch):
        return [Anomaly(0, datetime.datetime.now().hour, "for no reason")]

    def random(batch):
        return [Anomaly(0, random.random(), "for no reason")]

    def file(batch):
        with open("limits.csv") as file:
            return [Anomaly(0, float(file.read()), "for no reason")]

    def environment(batch):
        return [Anomaly(0, float(os.environ["LIMIT"]), "for no reason")]

    def late_import(batch):
        import csv

        return list(csv.reader([]))

    def network(batch):
        import urllib.request

        return urllib.request.urlopen("https://example.org/limits.json")

    async def is_async(batch):
        return [right]

    def endless_loop(batch):
        while True:
            pass

    def endless_recursion(batch):
        return [*Mistakes.endless_recursion(batch), right]

    def too_much_memory(batch):
        kept = []
        while True:
            kept.append("x" * 1_000_000)
