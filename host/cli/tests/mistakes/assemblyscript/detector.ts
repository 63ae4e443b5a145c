// Makes the mistake that its setting `mistake` names, in its first batch.

import {
  Anomaly, Batch, ColumnRequest, Level, Metadata, SettingDescription, Settings, fail, log, refuse,
} from "./contract";

let mistake: string = "none";
// Not known to the compiler.
let five: i32 = 5;

class Box {
  value: i32 = 1;
}
let nothing: Box | null = null;

export function describe(): Metadata {
  return {
    name: "mistaken",
    version: "0.1.0",
    description: "Makes mistakes.",
    ordering: "any",
    settings: [new SettingDescription("mistake", "text", "none", "Which mistake to make.")],
  };
}

export function configure(settings: Settings): ColumnRequest[] {
  mistake = settings.get("mistake");
  if (mistake == "refused") refuse("mistake", "anything else would be right");
  return [];
}

// @ts-ignore: not inlined
@inline(false)
function deeper(depth: i32): i32 {
  return deeper(depth + 1) + depth * five;
}

export function classify(batch: Batch): Anomaly[] {
  const numbers: i32[] = [1, 2, 3];
  if (mistake == "exception") throw new Error("this should never happen");
  else if (mistake == "assertion") assert(five == 6, "five is not six");
  else if (mistake == "null-pointer") five = nothing!.value;
  else if (mistake == "array-index") five = numbers[five];
  else if (mistake == "divide-by-zero") five = 1 / (five - 5);
  else if (mistake == "printing") log(Level.info, `logged: ${batch.rows} ü`);
  else if (mistake == "internal") fail("no idea");
  else if (mistake == "endless-loop") while (five > 0) five = five == 1 ? 5 : five - 1;
  else if (mistake == "endless-recursion") five = deeper(0);
  else if (mistake == "too-much-memory") {
    const all: StaticArray<u8>[] = [];
    while (true) all.push(new StaticArray<u8>(1 << 20));
  } else if (mistake == "score-is-nan") return [new Anomaly(0, NaN, "for no reason")];
  else if (mistake == "reason-unprintable") return [new Anomaly(0, 1, "\x1b[2J\n ü\u202e")];
  return [];
}

export function finish(): void {}
