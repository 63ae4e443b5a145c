// What the compiler does not let pass.

import { cents } from "ingest-detector";
import type * as contract from "ingest-detector";

export class Nothing implements contract.Detector {
  describe(): contract.Metadata {
    return { name: "wrong", version: "0.1.0", description: "Wrong.", ordering: "per user" };
  }

  configure(settings: contract.Settings) {
    cents(settings, 12);
  }

  classify(batch: contract.Batch) {
    batch.amount.length;
  }
}

export class Promised implements contract.Detector {
  describe(): contract.Metadata {
    return { name: "wrong", version: "0.1.0", ordering: "any" };
  }

  configure() {
    return [{ name: "country", kind: "texts" }];
  }

  async classify({ amounts }: contract.Batch) {
    const anomalies: contract.Anomaly[] = [];
    anomalies.push({ row: 0, score: "high", reason: amount });
    anomalies.push({ row: 0, reason: "for no reason" });
    return anomalies;
  }
}
