// Unit tests: plain JavaScript, no WebAssembly. `npm test` runs them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { classify, configure } from "../detector.js";

const judge = (settings, amounts) => {
  configure(settings);
  return classify({ amounts });
};

test("the minimum itself is flagged", () => {
  assert.deepEqual(judge([], [1_000, 900, 1_050, -2_000]), [
    { row: 0, score: 10, reason: "10.00 is a round amount" },
  ]);
});

test("what is no amount is refused", () => {
  for (const value of ["-1", "1e3", "1.005", "", "much"]) {
    assert.throws(() => configure([{ name: "minimum", value }]), { tag: "invalid-setting" }, value);
  }
});

test("an unknown setting is refused", () => {
  assert.throws(() => configure([{ name: "minimun", value: "1" }]), { tag: "invalid-setting" });
});
