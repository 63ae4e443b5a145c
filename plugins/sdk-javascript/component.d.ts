import type { Detector } from "./index.js";

/** The functions that the contract asks for, of a detector: `component.js` exports them. */
export function component(Detector: new () => Detector): Record<"describe" | "configure" | "classify" | "finish", Function>;
