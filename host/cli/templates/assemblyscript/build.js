// Compiles the plugin: a core module with its component type in a section of its own, which is how the host knows
// what its functions mean. `component-type.bin` is made of wit/, and needs to be made anew only for another
// version of the contract: the section of that name in the output of `wasm-tools component embed`.

import { readFileSync, writeFileSync } from "node:fs";

import asc from "assemblyscript/asc";

const OUTPUT = "my-detector.wasm";

const { error, stderr } = await asc.main([
  ...["component.ts", "--outFile", OUTPUT, "-O3", "--debug", "--runtime", "incremental"],
  // `--debug` keeps the functions' names. What `throw` and `assert` call, instead of a function that no host has.
  ...["--use", "abort=contract/abort"],
]);
process.stderr.write(stderr.toString());
if (error !== null) process.exit(1);

const number = (value) => (value < 128 ? [value] : [(value % 128) + 128, ...number(value >> 7)]);
const name = Buffer.from("component-type");
const content = Buffer.concat([Buffer.from(number(name.length)), name, readFileSync("component-type.bin")]);
const section = Buffer.concat([Buffer.from([0, ...number(content.length)]), content]);
writeFileSync(OUTPUT, Buffer.concat([readFileSync(OUTPUT), section]));
