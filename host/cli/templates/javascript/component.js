// What the plugin is built from. The order matters: the first line takes away what no detector has, such as
// a clock.

import { component } from "ingest-detector/component";
import { Detector } from "./detector.js";

export const { describe, configure, classify, finish } = component(Detector);
