// Makes the mistake that its setting names; the test keeps what the host says about each.

import { quoted } from "ingest-detector";

export class Detector {
  mistake = "";

  describe() {
    return {
      name: "mistaken",
      version: "0.1.0",
      description: "Makes mistakes.",
      ordering: "file",
      settings: [{ name: "mistake", kind: "text", default: "none", doc: "Which." }],
    };
  }

  configure({ mistake }) {
    this.mistake = mistake;
    if (mistake === "column-kind") return [{ name: "country" }];
  }

  classify(batch) {
    return mistakes[this.mistake](batch);
  }
}

const right = { row: 0, score: 1, reason: "for no reason" };

const mistakes = {
  none: () => [right],
  exception: () => {
    throw new RangeError("the window is empty");
  },
  "thrown-text": () => {
    throw "the window is empty";
  },
  "undefined-name": (batch) => amounts.length,
  "wrong-field": (batch) => batch.amount.map(() => right),
  "nothing-returned": () => {},
  "field-missing": () => [{ row: 0, reason: "for no reason" }],
  "score-is-text": () => [{ ...right, score: "high" }],
  "score-is-nan": () => [{ ...right, score: Math.sqrt(-1) }],
  "row-not-integer": () => [{ ...right, row: 0.5 }],
  "row-out-of-range": (batch) => [{ ...right, row: batch.amounts.length }],
  "unsorted": () => [{ ...right, row: 1 }, right],
  "reason-is-number": () => [{ ...right, reason: 12 }],
  // Neither of these two is one: the wrapper makes the reason printable and cuts it.
  "reason-unprintable": () => [{ ...right, reason: `from ${quoted("a\n\u001b[31mb\u202e")}\n` }],
  "reason-too-long": () => [{ ...right, reason: "é".repeat(600) }],
  printing: (batch) => {
    console.log("rows:", batch.amounts.length);
    console.warn("odd", { row: 1 });
    console.error(new Error("looked at"));
    return [];
  },
  clock: () => [{ ...right, score: Date.now() }],
  date: () => [{ ...right, score: new Date().getHours() }],
  random: () => [{ ...right, score: Math.random() }],
  network: () => fetch("https://example.org/limits.json"),
  timer: () => setTimeout(() => {}, 100),
  "is-async": async () => [right],
  "endless-loop": () => {
    for (;;);
  },
  "endless-recursion": function again(batch) {
    return [...again(batch), right];
  },
  "too-much-memory": () => {
    for (const kept = []; ; ) kept.push(new Array(100_000).fill(1.5));
  },
};
