// Between a detector and the contract: values by name instead of the contract's lists, checks of what comes
// back, and for every exception a message that says where it is from.

import { printable, refuse } from "./index.js";

/** The functions of the contract, made from a detector's; `log` is the host's. */
export function guarded(detector, log) {
  // While the plugin is built: mistakes in it end the build.
  const metadata = checkedMetadata(detector.describe());
  let requests = [];

  const attempt = (work) => {
    try {
      return work();
    } catch (error) {
      throw explained(error, log);
    }
  };
  return {
    describe: () => metadata,
    configure: (settings) =>
      attempt(() => {
        requests = checkedRequests(detector.configure(byName(settings, metadata.settings)));
        return requests;
      }),
    classify: (batch) =>
      attempt(() => checkedAnomalies(detector.classify(withNamedColumns(batch, requests)), batch.amounts.length)),
    finish: () =>
      attempt(() => {
        notPromised("finish", detector.finish?.());
      }),
    // What not every detector has: `component.js` exports those that it has.
    score: (batch) =>
      attempt(() => checkedScores(detector.score(withNamedColumns(batch, requests)), batch.amounts.length)),
    snapshot: () => attempt(() => checkedState(detector.snapshot())),
    restore: (state) =>
      attempt(() => {
        notPromised("restore", detector.restore(byUser(state)));
      }),
    feedback: (batch, labels) =>
      attempt(() => {
        notPromised("feedback", detector.feedback(withNamedColumns(batch, requests), labels));
      }),
  };
}

/** Any value as a part of a message. */
export function shown(value) {
  if (value === undefined || typeof value === "number") return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "function" || typeof value === "bigint") return `a ${typeof value}`;
  let text;
  try {
    text = JSON.stringify(value);
  } catch {
    // It contains itself, or a bigint.
  }
  text ??= String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

// ---- what the detector gets ----

/** `{ minimum: "10" }`; integers and booleans as such, `null` where an optional one is not given. */
function byName(given, described) {
  const settings = Object.fromEntries(described.map(({ name }) => [name, null]));
  const kinds = new Map(described.map(({ name, kind }) => [name, kind]));
  for (const { name, value } of given) {
    const kind = kinds.get(name);
    settings[name] = kind === "integer" ? Number(value) : kind === "boolean" ? value === "true" : value;
    if (kind === "integer" && !Number.isSafeInteger(settings[name])) {
      throw refuse(name, "it must be within 2^53, as integers in JavaScript are");
    }
  }
  return settings;
}

/**
 * The batch with its further columns by name: `{ codes, values }` for text (the text of a row is
 * `values[codes[row]]`), an array of numbers (NaN for an empty cell), or `null` if the file has no such column.
 */
function withNamedColumns(batch, requests) {
  const columns = {};
  requests.forEach(({ name }, place) => {
    const { tag, val } = batch.columns[place];
    columns[name] =
      tag === "text" ? { codes: val.codes, values: val.dictionary.split("\0") } : tag === "number" ? val : null;
  });
  return { ...batch, columns };
}

/** A part of a state: `{ users, shared }`, with bytes by user. */
function byUser({ users, ends, bytes, shared }) {
  const all = Uint8Array.from(bytes);
  const values = ends.map((end, place) => all.subarray(place === 0 ? 0 : ends[place - 1], end));
  return { users: new Map(users.map((user, place) => [user, values[place]])), shared };
}

// ---- what the detector returns ----

/** A mistake in what was returned, for which there is no line to point at. */
class Mistake extends Error {}

function notPromised(name, value) {
  if (typeof value?.then !== "function") return value;
  throw new Mistake(`${name} returned a promise: it must not be async, nothing can be awaited`);
}

function checkedObject(value, what) {
  if (value !== null && typeof value === "object") return value;
  throw new Mistake(`${what} is ${shown(value)}; it must be an object`);
}

function checkedText(of, object, field) {
  const value = object[field];
  if (typeof value === "string") return value;
  if (value === undefined) throw new Mistake(`${of} has no \`${field}\``);
  throw new Mistake(`\`${field}\` of ${of} is ${shown(value)}; it must be a string`);
}

function checkedChoice(of, object, field, choices) {
  const value = checkedText(of, object, field);
  if (choices.includes(value)) return value;
  throw new Mistake(`\`${field}\` of ${of} is ${shown(value)}; it must be one of ${choices.join(", ")}`);
}

function checkedMetadata(metadata) {
  const of = "what describe returned";
  checkedObject(notPromised("describe", metadata), of);
  const settings = metadata.settings ?? [];
  if (!Array.isArray(settings)) throw new Mistake(`\`settings\` of ${of} must be an array, not ${shown(settings)}`);
  return {
    name: checkedText(of, metadata, "name"),
    version: checkedText(of, metadata, "version"),
    description: checkedText(of, metadata, "description"),
    ordering: checkedChoice(of, metadata, "ordering", ["any", "per-user", "file"]),
    settings: settings.map((setting) => {
      const of = `the setting ${shown(setting)}`;
      checkedObject(setting, "a setting that describe returned");
      return {
        name: checkedText(of, setting, "name"),
        kind: checkedChoice(of, setting, "kind", ["text", "integer", "decimal", "boolean"]),
        default: setting.default == null ? null : checkedText(of, setting, "default"),
        doc: checkedText(of, setting, "doc"),
      };
    }),
  };
}

function checkedRequests(requests) {
  if (notPromised("configure", requests) === undefined) return [];
  if (!Array.isArray(requests)) {
    throw new Mistake(`configure returned ${shown(requests)}; it must return an array of columns, or nothing`);
  }
  return requests.map((request) => {
    const of = `the column ${shown(request)}`;
    checkedObject(request, "a column that configure returned");
    return {
      name: checkedText(of, request, "name"),
      kind: checkedChoice(of, request, "kind", ["text", "number"]),
      required: request.required ?? true,
    };
  });
}

function wrong(anomaly, what) {
  return new Mistake(`the anomaly ${shown(anomaly)} ${what}`);
}

function checkedAnomalies(anomalies, rows) {
  if (!Array.isArray(notPromised("classify", anomalies))) {
    throw new Mistake(`classify returned ${shown(anomalies)}; it must return an array of anomalies, [] for none`);
  }
  let before = -1;
  return anomalies.map((anomaly) => {
    const { row, score, reason } = checkedObject(anomaly, "an anomaly that classify returned");
    for (const field of ["row", "score", "reason"]) {
      if (anomaly[field] === undefined) throw wrong(anomaly, `has no \`${field}\``);
    }
    if (!Number.isInteger(row) || row < 0 || row >= rows) {
      throw wrong(anomaly, `has a \`row\` that is not the index of a row of the batch, from 0 to ${rows - 1}`);
    }
    if (row <= before) throw wrong(anomaly, `comes after row ${before}; anomalies must be sorted by row, each row once`);
    if (!Number.isFinite(score)) throw wrong(anomaly, `has a \`score\` that is not a finite number, but ${shown(score)}`);
    if (typeof reason !== "string") throw wrong(anomaly, "has a `reason` that is not a string");
    before = row;
    return { row, score, reason: withinBytes(printable(reason), 1000) };
  });
}

function checkedScores(scores, rows) {
  if (!Array.isArray(notPromised("score", scores)) || scores.length !== rows) {
    throw new Mistake(`score returned ${shown(scores)}; it must return an array of ${rows} numbers, one for each row`);
  }
  const at = scores.findIndex((score) => !Number.isFinite(score));
  if (at >= 0) throw new Mistake(`score returned ${shown(scores[at])} for row ${at}; it must be a finite number`);
  return scores;
}

function checkedState(state) {
  if (!(notPromised("snapshot", state)?.users instanceof Map)) {
    throw new Mistake(`snapshot returned ${shown(state)}; it must return { users }, a Map of bytes by user, empty at the end`);
  }
  const entries = [...state.users].sort(([one], [other]) => one - other);
  let size = 0;
  const ends = entries.map(([user, value]) => {
    if (value instanceof Uint8Array) return (size += value.length);
    throw new Mistake(`what snapshot returned for user ${user} is ${shown(value)}; it must be a Uint8Array`);
  });
  const bytes = new Uint8Array(size);
  entries.forEach(([, value], place) => bytes.set(value, ends[place] - value.length));
  return { shared: state.shared ?? null, users: entries.map(([user]) => user), ends, bytes };
}

// ---- text ----

/** Cut so that it has at most so many bytes in UTF-8. */
function withinBytes(text, limit) {
  if (text.length * 3 <= limit) return text;
  let bytes = 0;
  let end = 0; // where it would be cut
  let units = 0;
  for (const one of text) {
    bytes += one < "\u0080" ? 1 : one < "\u0800" ? 2 : one.length === 1 ? 3 : 4;
    units += one.length;
    if (bytes > limit) return `${text.slice(0, end)}…`;
    if (bytes <= limit - "…".length * 3) end = units;
  }
  return text;
}

// ---- errors ----

/** Whatever was thrown, as an error of the contract. What was not thrown on purpose is logged with its stack. */
function explained(error, log) {
  const { tag, val } = error ?? {};
  if (tag === "invalid-setting" || tag === "invalid-input") return { tag, val };
  const internal = (message) => ({ tag: "internal", val: message });
  if (error instanceof Mistake) return internal(error.message);
  if (!(error instanceof Error)) return internal(`${shown(error)} was thrown; throw an Error to see where`);
  const said = `${error.name}: ${error.message}`;
  const frames = String(error.stack)
    .split("\n")
    .filter((line) => /\.js:\d+/.test(line) && !/\/ingest-detector\/\w+\.js:/.test(line))
    .map((line) => line.replace(/([(\s])\//, "$1"));
  const place = /([^\s(]+:\d+:\d+)\)?$/.exec(frames[0] ?? "");
  if (frames.length > 0) log("error", [said, ...frames].join("\n"));
  return internal(place === null ? said : `${said} (${place[1]})`);
}
