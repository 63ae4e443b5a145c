"""Unit tests: plain Python, no WebAssembly. `make test` runs them."""

import unittest

from app import Detector
from ingest_detector import Anomaly, Batch, InvalidSetting


def judge(minimum: str, amounts: list[int]) -> list[Anomaly]:
    detector = Detector()
    detector.configure({"minimum": minimum})
    return detector.classify(Batch(amounts=amounts))


class Minimum(unittest.TestCase):
    def test_the_minimum_itself_is_flagged(self):
        found = judge("10", [1_000, 900, 1_050, -2_000])
        self.assertEqual(found, [Anomaly(0, 10.0, "10.00 is a round amount")])

    def test_what_is_no_amount_is_refused(self):
        for minimum in ["-1", "1.005"]:
            with self.assertRaises(InvalidSetting, msg=minimum):
                judge(minimum, [])


if __name__ == "__main__":
    unittest.main()
