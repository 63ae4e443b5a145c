// The types of what a detector gets and returns, and of the helpers.

/** What `detector.js` or `detector.ts` exports: a class `Detector` of this shape. */
export interface Detector {
  describe(): Metadata;
  /** Returns the further columns that the detector needs, if any. */
  configure(settings: Settings): ColumnRequest[] | void;
  /** Returns anomalies sorted by row. */
  classify(batch: Batch<any>): Anomaly[];
  finish?(): void;
  /** How anomalous each row is: exactly what `classify` says of those that it flags. */
  score?(batch: Batch<any>): number[];
  /** What has changed since `restore` or the last call; called until it is empty. */
  snapshot?(): State;
  /** A part of what earlier runs have learned, before the first batch. */
  restore?(state: State): void;
  /** What has become known of rows of earlier runs, before the first batch: whether each was fraud. */
  feedback?(batch: Batch<any>, labels: boolean[]): void;
}

/** A part of what a detector has learned: by user, in a format of its own. No bytes: nothing is known any more. */
export interface State {
  users: Map<number, Uint8Array>;
  /** What belongs to no user, only with the ordering "file". */
  shared?: Uint8Array | null;
}

/**
 * What is known of each user: a map that remembers who has changed, for `snapshot` and `restore`. Values are what JSON
 * has: finite numbers (which stay exact), texts, arrays and objects. One that is changed in place counts as changed
 * once it is set again. Raise `version` when values change their meaning: those of other versions are refused.
 */
export class Users<Value> extends Map<number, Value> {
  constructor(version?: number);
  /** What has changed since it was restored or passed on, in parts: empty if there is no more. */
  snapshot(): State;
  /** Takes over a part of what earlier runs have passed on. */
  restore(state: State): void;
}

export interface Metadata {
  name: string;
  version: string;
  description: string;
  ordering: "any" | "per-user" | "file";
  settings?: SettingDescription[];
}

export interface SettingDescription {
  name: string;
  kind: "text" | "integer" | "decimal" | "boolean";
  /** Without one, the setting is optional, and null unless given. */
  default?: string;
  doc: string;
}

/** By name: text and decimals as strings, integers and booleans as such, null if optional and not given. */
export type Settings = { [name: string]: any };

export interface ColumnRequest {
  name: string;
  kind: "text" | "number";
  /** True unless it says otherwise: a file without the column is refused. */
  required?: boolean;
}

/** Rows, column by column: element i of every array belongs to row i. `Columns` says what `configure` asked for. */
export interface Batch<Columns = {}> {
  /** Above 2^53 they are rounded. */
  userIds: number[];
  /** In hundredths, exact. */
  amounts: number[];
  /** Microseconds since 1970. */
  timestamps: number[];
  /** By name; null if the file has no such column, NaN for an empty cell of numbers. */
  columns: Columns;
}

/** A column of text, each different one once: the text of a row is `values[codes[row]]`. */
export interface Texts {
  codes: number[];
  values: string[];
}

export interface Anomaly {
  row: number;
  score: number;
  reason: string;
}

/** The error for a setting's value that the detector cannot take: `throw refuse("minimum", "it must …")`. */
export function refuse(name: string, message: string): Error;

/** The error for rows that cannot be judged: `throw invalidInput("…")`. */
export function invalidInput(message: string): Error;

/** A decimal setting in hundredths, exactly: "12.50" is 1250. */
export function cents(settings: Settings, name: string): number;

/** Text from the file as part of a reason: in quotes, printable, and not too long. */
export function quoted(text: string): string;

/** The text with control characters and their like as escapes. Reasons are made so in any case. */
export function printable(text: string): string;
