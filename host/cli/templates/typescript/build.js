// Makes `detector.js` of `detector.ts`, and so on. Types become blanks: lines in error messages stay the same.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";

import blankTypes from "ts-blank-space";

for (const file of readdirSync(".").filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))) {
  const source = readFileSync(file, "utf8");
  const script = blankTypes(source, (node) => {
    const line = source.slice(0, node.pos).split("\n").length;
    throw new Error(`${file}:${line}: this is more than a type, and cannot be left out: ${node.getText()}`);
  });
  writeFileSync(file.replace(/\.ts$/, ".js"), script);
}
