// `kit-echo` of the kit in wit/kit: says of every row what arrived.

import { Anomaly, Batch, ColumnRequest, Metadata, SettingDescription, Settings } from "./contract";

// How many code points of a text are shown.
const SHOWN = 16;

// The end of every reason.
let tail = "";

export function describe(): Metadata {
  return {
    name: "kit-echo",
    version: "0.1.0",
    description: "Flags every row, and says what it was given. The score is the column `number`.",
    ordering: "any",
    settings: [
      new SettingDescription("s", "text", "", "A text."),
      new SettingDescription("i", "integer", "0", "A whole number."),
      new SettingDescription("d", "decimal", "0", "A decimal."),
      new SettingDescription("b", "boolean", "false", "A truth value."),
      new SettingDescription("o", "text", null, "A text that may be absent."),
    ],
  };
}

export function configure(settings: Settings): ColumnRequest[] {
  const given = settings.has("o") ? points(settings.get("o")) : "none";
  tail = `s=${points(settings.get("s"))} i=${I64.parseInt(settings.get("i"))} d=${settings.get("d")} b=${settings.get("b")} o=${given}`;
  return [
    new ColumnRequest("text", "text"),
    new ColumnRequest("note", "text", false),
    new ColumnRequest("number", "number", false),
  ];
}

export function classify(batch: Batch): Anomaly[] {
  const anomalies: Anomaly[] = [];
  for (let row = 0; row < batch.rows; row++) {
    let reason = `user=${batch.userIds[row]} amount=${batch.amounts[row]} timestamp=${batch.timestamps[row]}`;
    reason += ` text=${text(batch, "text", row)} note=${text(batch, "note", row)} number=`;
    let score: f64 = 0;
    if (batch.columns.has("number")) {
      const number = batch.columns.get("number").numbers[row];
      reason += isNaN(number) ? "nan" : reinterpret<u64>(number).toString(16).padStart(16, "0");
      if (!isNaN(number)) score = number;
    } else {
      reason += "absent";
    }
    anomalies.push(new Anomaly(row, score, `${reason} ${tail}`));
  }
  return anomalies;
}

export function finish(): void {}

function text(batch: Batch, name: string, row: i32): string {
  return batch.columns.has(name) ? points(batch.columns.get(name).text(row)) : "absent";
}

function points(text: string): string {
  const shown: string[] = [];
  let count = 0;
  for (let place = 0; place < text.length; place++) {
    const code = text.codePointAt(place);
    if (code > 0xffff) place++;
    if (count < SHOWN) shown.push(code.toString(16));
    count++;
  }
  return `${count}:${shown.join(".")}`;
}
