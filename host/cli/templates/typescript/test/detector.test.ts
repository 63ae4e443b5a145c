// Unit tests: plain TypeScript, no WebAssembly. `npm test` runs them.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Settings } from "ingest-detector";
import { Detector } from "../detector.js";

const judge = (settings: Settings, amounts: number[]) => {
  const detector = new Detector();
  detector.configure(settings);
  return detector.classify({ userIds: [], amounts, timestamps: [], columns: {} });
};

test("the minimum itself is flagged", () => {
  assert.deepEqual(judge({ minimum: "10" }, [1_000, 900, 1_050, -2_000]), [
    { row: 0, score: 10, reason: "10.00 is a round amount" },
  ]);
});

test("what is no amount is refused", () => {
  for (const minimum of ["-1", "1.005", "9".repeat(28)]) {
    assert.throws(() => judge({ minimum }, []), { tag: "invalid-setting" }, minimum);
  }
});
