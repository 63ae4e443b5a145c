// Flags round amounts: people who make up transactions tend to make up round ones.

import { Anomaly, Batch, ColumnRequest, Metadata, SettingDescription, Settings, cents, refuse } from "./contract";

// What a run was configured with and has learned, from `configure` to `finish`.
let minimumCents: i64 = 0;

export function describe(): Metadata {
  return {
    name: "my-detector",
    version: "0.1.0",
    description: "Flags round amounts from `minimum` up. The score is the amount.",
    // Each row is judged by itself. See the WIT for the other two orderings.
    ordering: "any",
    settings: [
      new SettingDescription("minimum", "decimal", "10", "Round amounts from this one up are anomalous."),
    ],
  };
}

export function configure(settings: Settings): ColumnRequest[] {
  minimumCents = cents(settings, "minimum");
  if (minimumCents < 0) refuse("minimum", "it must not be negative");
  return [];
}

export function classify(batch: Batch): Anomaly[] {
  const anomalies: Anomaly[] = [];
  for (let row = 0; row < batch.rows; row++) {
    const amount = batch.amounts[row]; // in hundredths
    if (amount >= minimumCents && amount % 100 == 0) {
      anomalies.push(new Anomaly(row, <f64>amount / 100, `${amount / 100}.00 is a round amount`));
    }
  }
  return anomalies;
}

export function finish(): void {}
