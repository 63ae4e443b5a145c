"""Unit tests: plain Python, no WebAssembly. `make test` runs them."""

import unittest

from app import WitWorld
from componentize_py_types import Err
from wit_world.imports import types


def classify(minimum: str | None, amounts: list[int]) -> list[types.Anomaly]:
    detector = WitWorld()
    detector.configure([] if minimum is None else [types.Setting("minimum", minimum)])
    rows = [0] * len(amounts)
    found = detector.classify(types.Batch(0, rows, rows, amounts, rows, []))
    detector.finish()
    return found


class Minimum(unittest.TestCase):
    def test_the_minimum_itself_is_flagged(self):
        found = classify(None, [1_000, 900, 1_050, -2_000])
        self.assertEqual(found, [types.Anomaly(0, 10.0, "10.00 is a round amount")])

    def test_what_is_no_amount_is_refused(self):
        for value in ["-1", "1e3", "1.005", "", "much"]:
            with self.assertRaises(Err, msg=value):
                classify(value, [0])

    def test_an_unknown_setting_is_refused(self):
        with self.assertRaises(Err):
            WitWorld().configure([types.Setting("minimun", "1")])


if __name__ == "__main__":
    unittest.main()
