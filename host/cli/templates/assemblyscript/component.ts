// What the plugin is built from: the detector with the functions that the host calls. They read and write the
// contract's records in memory as the component model lays them out (its "canonical ABI"), which other languages
// have generators for. Offsets in bytes are beside each record. Nothing here needs a change.

import * as contract from "./contract";
import * as detector from "./detector";

// ---- memory that the host and this module pass to each other, for the time of a call ----

const passed: usize[] = [];

/** The host's way to memory for what it passes. */
export function cabi_realloc(old: usize, _oldSize: usize, align: usize, size: usize): usize {
  if (size == 0) return align;
  if (old != 0) passed.splice(passed.indexOf(old), 1);
  const block = old == 0 ? heap.alloc(size) : heap.realloc(old, size);
  passed.push(block);
  return block;
}

function block(size: usize): usize {
  const start = cabi_realloc(0, 0, 8, size);
  memory.fill(start, 0, size);
  return start;
}

/** After each call, when the host has read what it returned. */
function release(): void {
  for (let place = 0; place < passed.length; place++) heap.free(passed[place]);
  passed.length = 0;
}

export function cabi_post_describe(_result: usize): void {
  release();
}
export function cabi_post_configure(_result: usize): void {
  release();
}
export function cabi_post_classify(_result: usize): void {
  release();
}
export function cabi_post_finish(_result: usize): void {
  release();
}

// ---- strings and words ----

function readText(start: usize): string {
  return String.UTF8.decodeUnsafe(load<u32>(start), load<u32>(start, 4));
}

function writeText(start: usize, text: string): void {
  const bytes = String.UTF8.byteLength(text);
  const copy: usize = bytes == 0 ? 1 : block(bytes);
  if (bytes > 0) String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, copy);
  store<u32>(start, <u32>copy);
  store<u32>(start, bytes, 4);
}

/** A word as the number of its place among the contract's. */
function writeChoice(start: usize, word: string, choices: string[]): void {
  const place = choices.indexOf(word);
  if (place < 0) throw new Error(`"${word}" must be one of ${choices.join(", ")}`);
  store<u8>(start, <u8>place);
}

/** The place of a list of so many elements of this size; what it returns is where the first one begins. */
function writeList(start: usize, length: i32, size: usize): usize {
  const elements: usize = length == 0 ? 8 : block(<usize>length * size);
  store<u32>(start, <u32>elements);
  store<u32>(start, length, 4);
  return elements;
}

// ---- what the host calls ----

const ORDERINGS = ["any", "per-user", "file"];
const SETTING_KINDS = ["text", "integer", "decimal", "boolean"];
const COLUMN_KINDS = ["text", "number"];

/** Metadata: name 0, version 8, description 16, settings 24, ordering 32. */
export function describe(): usize {
  const metadata = detector.describe();
  const result = block(36);
  writeText(result, metadata.name);
  writeText(result + 8, metadata.version);
  writeText(result + 16, metadata.description);
  const settings = metadata.settings;
  // A setting: name 0, kind 8, default 12 (is there one; text 16), doc 24.
  const elements = writeList(result + 24, settings.length, 32);
  for (let place = 0; place < settings.length; place++) {
    const element = elements + place * 32;
    const setting = settings[place];
    writeText(element, setting.name);
    writeChoice(element + 8, setting.kind, SETTING_KINDS);
    const fallback = setting.fallback;
    if (fallback !== null) {
      store<u8>(element, 1, 12);
      writeText(element + 16, fallback);
    }
    writeText(element + 24, setting.doc);
  }
  writeChoice(result + 32, metadata.ordering, ORDERINGS);
  return result;
}

let requests: contract.ColumnRequest[] = [];

/** A setting: name 0, value 8. A column's request: name 0, kind 8, required 9. */
export function configure(given: usize, count: i32): usize {
  const settings = new Map<string, string>();
  for (let place = 0; place < count; place++) {
    settings.set(readText(given + place * 16), readText(given + place * 16 + 8));
  }
  requests = detector.configure(settings);
  const result = block(24);
  if (failed(result)) return result;
  const elements = writeList(result + 4, requests.length, 12);
  for (let place = 0; place < requests.length; place++) {
    const element = elements + place * 12;
    writeText(element, requests[place].name);
    writeChoice(element + 8, requests[place].kind, COLUMN_KINDS);
    store<u8>(element, requests[place].required ? 1 : 0, 9);
  }
  return result;
}

/** A column: which kind 0 (absent, text, number), codes or numbers 4, dictionary 12. An anomaly: row 0, score 8, reason 16. */
export function classify(
  userIds: usize, rows: i32, amounts: usize, _rows2: i32, timestamps: usize, _rows3: i32, given: usize, count: i32,
): usize {
  const columns = new Map<string, contract.Column>();
  for (let place = 0; place < count; place++) {
    const element = given + place * 20;
    const kind = load<u8>(element);
    if (kind == 0) continue;
    const column = new contract.Column();
    if (kind == 1) {
      column.codes = new contract.List<u32>(load<u32>(element, 4), load<u32>(element, 8));
      column.values = readText(element + 12).split("\0");
    } else {
      column.numbers = new contract.List<f64>(load<u32>(element, 4), load<u32>(element, 8));
    }
    columns.set(requests[place].name, column);
  }
  const anomalies = detector.classify(
    new contract.Batch(
      new contract.List<i64>(userIds, rows),
      new contract.List<i64>(amounts, rows),
      new contract.List<i64>(timestamps, rows),
      columns,
    ),
  );
  const result = block(24);
  if (failed(result)) return result;
  const elements = writeList(result + 4, anomalies.length, 24);
  for (let place = 0; place < anomalies.length; place++) {
    const element = elements + place * 24;
    store<u32>(element, anomalies[place].row);
    store<f64>(element, anomalies[place].score, 8);
    writeText(element + 16, contract.printable(anomalies[place].reason, 1000));
  }
  return result;
}

export function finish(): usize {
  detector.finish();
  const result = block(24);
  failed(result);
  return result;
}

/** Has the detector refused? Then that is the result: is it an error 0, which 4, name 8, message 8 or 16. */
function failed(result: usize): bool {
  const failure = contract.failure;
  if (failure === null) return false;
  store<u8>(result, 1);
  const setting = failure.setting;
  store<u8>(result, setting !== null ? 0 : failure.isInput ? 1 : 2, 4);
  if (setting !== null) writeText(result + 8, setting);
  writeText(result + (setting !== null ? 16 : 8), failure.message);
  return true;
}
