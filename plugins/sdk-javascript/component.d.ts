import type { Detector } from "./index.js";

/** The functions of the contract, of a detector: `component.js` exports those that the detector has. */
export function component(
  Detector: new () => Detector,
): Record<"describe" | "configure" | "classify" | "finish" | "score" | "snapshot" | "restore" | "feedback", Function>;
