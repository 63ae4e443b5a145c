// Flags round amounts: people who make up transactions tend to make up round ones.

import { cents, refuse } from "ingest-detector";
import type * as contract from "ingest-detector";

/** One run: what it was configured with and what it learns, from `configure` to `finish`. */
export class Detector implements contract.Detector {
  minimumCents = 0;

  describe(): contract.Metadata {
    return {
      name: "my-detector",
      version: "0.1.0",
      description: "Flags round amounts from `minimum` up. The score is the amount.",
      // Each row is judged by itself. See the WIT for the other two orderings.
      ordering: "any",
      settings: [
        { name: "minimum", kind: "decimal", default: "10", doc: "Round amounts from this one up are anomalous." },
      ],
    };
  }

  configure(settings: contract.Settings) {
    this.minimumCents = cents(settings, "minimum");
    if (this.minimumCents < 0) throw refuse("minimum", "it must not be negative");
  }

  classify({ amounts }: contract.Batch) {
    const anomalies: contract.Anomaly[] = [];
    for (const [row, amount] of amounts.entries()) {
      // Amounts are in hundredths.
      if (amount >= this.minimumCents && amount % 100 === 0) {
        anomalies.push({ row, score: amount / 100, reason: `${amount / 100}.00 is a round amount` });
      }
    }
    return anomalies;
  }
}
