// What a plugin is built from: the detector, guarded, and without what no detector has. Its answers may
// depend on its settings and its rows only, so there is no clock, no chance, no network. All that is gone as soon as
// this is imported, which has to be before the detector. Unit tests do not use it.

import { log } from "ingest:detector/host@0.1.0";

import { guarded, shown } from "./guard.js";

// There is no host to log to while the plugin is built, which is when the modules are evaluated.
let isBuilt = false;

const logsAt = (level) => (...values) => {
  if (!isBuilt) throw new Error("nothing can be logged while the plugin is built, only when it runs");
  log(level, values.map((value) => (typeof value === "string" ? value : shown(value))).join(" "));
};
globalThis.console = {
  debug: logsAt("debug"),
  log: logsAt("info"),
  info: logsAt("info"),
  warn: logsAt("warn"),
  error: logsAt("error"),
};

const lacks = (thing) => () => {
  throw new Error(`a detector has no ${thing}: its answers may depend on its settings and rows only`);
};
const noClock = lacks("clock");
globalThis.Date = class extends Date {
  constructor(...values) {
    if (values.length === 0) noClock();
    super(...values);
  }
  static now = noClock;
};
globalThis.performance = { now: noClock };
Math.random = lacks("random numbers");
globalThis.crypto = { getRandomValues: Math.random, randomUUID: Math.random };
for (const name of ["setTimeout", "setInterval", "setImmediate"]) globalThis[name] = lacks("timers");
for (const name of ["fetch", "XMLHttpRequest", "WebSocket"]) globalThis[name] = lacks("network");

/** The functions of the contract, of a detector: `new Detector()` is one run. */
export function component(Detector) {
  const functions = guarded(new Detector(), log);
  isBuilt = true;
  return functions;
}
