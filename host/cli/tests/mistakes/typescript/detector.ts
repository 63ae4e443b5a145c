// Makes the mistake that its setting names, past the compiler; the test keeps what the host says about each.

import type * as contract from "ingest-detector";

export class Detector implements contract.Detector {
  mistake = "";

  describe(): contract.Metadata {
    return {
      name: "mistaken",
      version: "0.1.0",
      description: "Makes mistakes.",
      ordering: "file",
      settings: [{ name: "mistake", kind: "text", default: "none", doc: "Which." }],
    };
  }

  configure({ mistake }: contract.Settings) {
    this.mistake = mistake;
  }

  classify(batch: contract.Batch): contract.Anomaly[] {
    return mistakes[this.mistake]!(batch);
  }
}

interface Limits {
  highest: number;
}

const mistakes: Record<string, (batch: contract.Batch) => any> = {
  none: () => [{ row: 0, score: 1, reason: "for no reason" }],
  // The place in the message is that in this file, in spite of the types before it.
  exception: (batch) => {
    const limits: Limits = JSON.parse('{"lowest": 3}');
    return batch.amounts.map((amount: number, row): contract.Anomaly => {
      return { row, score: amount, reason: limits.highest.toFixed(2) };
    });
  },
  "nothing-returned": () => undefined,
  "score-is-text": () => [{ row: 0, score: "high" as unknown as number, reason: "for no reason" }],
  "row-not-integer": () => [{ row: 0.5, score: 1, reason: "for no reason" }],
  printing: (batch) => {
    console.log("rows:", batch.amounts.length);
    return [];
  },
  clock: () => [{ row: 0, score: Date.now(), reason: "for no reason" }],
  random: () => [{ row: 0, score: Math.random(), reason: "for no reason" }],
  network: () => fetch("https://example.org/limits.json"),
  "is-async": async () => [],
};
