// The contract's types, and helpers for detectors. Nothing here needs a change.

// @ts-ignore: the decorator is AssemblyScript's
@external("ingest:detector/host@0.1.0", "log")
declare function hostLog(level: i32, text: usize, bytes: i32): void;

export class Metadata {
  name!: string;
  version!: string;
  description!: string;
  /** "any", "per-user" or "file": see the WIT. */
  ordering!: string;
  settings!: SettingDescription[];
}

export class SettingDescription {
  constructor(
    public name: string,
    /** "text", "integer", "decimal" or "boolean". */
    public kind: string,
    /** Without one (null), the setting is optional, and absent unless given. */
    public fallback: string | null,
    public doc: string,
  ) {}
}

/** Values as text, by name. */
export type Settings = Map<string, string>;

export class ColumnRequest {
  constructor(
    public name: string,
    /** "text" or "number". */
    public kind: string,
    /** Whether a file without the column is refused. */
    public required: bool = true,
  ) {}
}

/** A list as the host has passed it. */
export class List<T> {
  constructor(private start: usize, readonly length: i32) {}

  @operator("[]")
  private at(place: i32): T {
    if (<u32>place >= <u32>this.length) throw new RangeError(`there is no element ${place} of ${this.length}`);
    return load<T>(this.start + <usize>place * sizeof<T>());
  }
}

/** Rows, column by column: element i of every list belongs to row i. */
export class Batch {
  constructor(
    readonly userIds: List<i64>,
    /** In hundredths. */
    readonly amounts: List<i64>,
    /** Microseconds since 1970. */
    readonly timestamps: List<i64>,
    /** Those that `configure` asked for, by name; if there is no such column, it is not in here. */
    readonly columns: Map<string, Column>,
  ) {}

  get rows(): i32 {
    return this.amounts.length;
  }
}

export class Column {
  /** Of a column of text: the text of a row is `values[codes[row]]`. */
  codes: List<u32> = new List<u32>(0, 0);
  values: string[] = [];
  /** Of a column of numbers: NaN where the cell is empty. */
  numbers: List<f64> = new List<f64>(0, 0);

  text(row: i32): string {
    return this.values[this.codes[row]];
  }
}

export class Anomaly {
  constructor(public row: i32, public score: f64, public reason: string) {}
}

/** What makes the call fail when it returns; the first one counts. AssemblyScript has no exceptions to catch. */
export class Failure {
  constructor(public setting: string | null, public isInput: bool, public message: string) {}
}
export let failure: Failure | null = null;

/** The detector cannot take this setting's value: `configure` fails when it returns. */
export function refuse(name: string, message: string): void {
  if (failure === null) failure = new Failure(name, false, message);
}

/** The rows cannot be judged: the call fails when it returns. */
export function invalidInput(message: string): void {
  if (failure === null) failure = new Failure(null, true, message);
}

/** Something else is wrong: the call fails when it returns. */
export function fail(message: string): void {
  if (failure === null) failure = new Failure(null, false, message);
}

/** A decimal setting in hundredths, exactly: "12.50" is 1250. */
export function cents(settings: Settings, name: string): i64 {
  const value = settings.get(name);
  const point = value.indexOf(".");
  const units = point < 0 ? value : value.slice(0, point);
  let decimals = point < 0 ? "" : value.slice(point + 1);
  while (decimals.length > 2 && decimals.endsWith("0")) decimals = decimals.slice(0, -1);
  if (decimals.length > 2 || units.length > 16) {
    refuse(name, `\`${value}\` is not an amount: it may have two decimal places, such as \`12.50\``);
    return 0;
  }
  return I64.parseInt(units + decimals.padEnd(2, "0"));
}

/** Text from the file as part of a reason: in quotes, and not too long. */
export function quoted(text: string): string {
  return `"${text.length > 100 ? text.slice(0, 100) + "…" : text}"`;
}

export const enum Level {
  debug,
  info,
  warn,
  error,
}

/** Writes a message into the host's log. */
export function log(level: Level, message: string): void {
  const text = String.UTF8.encode(message);
  hostLog(level, changetype<usize>(text), text.byteLength);
}

/** What `throw` and a failed `assert` come to: the run ends here, and the log says where. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  log(Level.error, `panic: ${message === null ? "aborted" : message} (${file === null ? "?" : file}:${line}:${column})`);
  unreachable();
}

/** The text without control characters and others that reorder or hide text, and at most so many bytes. */
export function printable(text: string, limit: i32): string {
  let shown = "";
  let bytes = 0;
  for (let place = 0; place < text.length; place++) {
    const code = text.codePointAt(place);
    let one = String.fromCodePoint(code);
    if (code > 0xffff) place++;
    if (isUnprintable(code)) one = code == 10 ? "\\n" : `\\u{${code.toString(16)}}`;
    bytes += String.UTF8.byteLength(one);
    if (bytes > limit - 3) return shown + "…";
    shown += one;
  }
  return shown;
}

function isUnprintable(code: i32): bool {
  return (
    code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c || code == 0xfeff ||
    (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
    (code >= 0xd800 && code <= 0xdfff) || (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f)
  );
}
