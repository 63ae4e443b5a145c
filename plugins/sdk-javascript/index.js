// Write anomaly detectors for `host` in JavaScript and TypeScript: helpers for detectors. Unit tests can use them.

export { Users } from "./users.js";

/** The error for a setting's value that the detector cannot take: `throw refuse("minimum", "it must …")`. */
export function refuse(name, message) {
  return purposeful("invalid-setting", { name, message }, message);
}

/** The error for rows that cannot be judged: `throw invalidInput("…")`. */
export function invalidInput(message) {
  return purposeful("invalid-input", message, message);
}

/** A decimal setting in hundredths, exactly: "12.50" is 1250. */
export function cents(settings, name) {
  const value = settings[name];
  if (value === undefined) throw new Error(`\`describe\` lists no setting \`${name}\``);
  if (value === null) throw new Error(`the setting \`${name}\` is not given`);
  // Digit by digit, because 1.15 * 100 is not 115.
  const [, sign, units, decimals] = /^(-?)([0-9]+)(?:\.([0-9]{1,2})0*)?$/.exec(value) ?? [];
  const amount = Number(units + (decimals ?? "").padEnd(2, "0"));
  if (!Number.isSafeInteger(amount)) {
    throw refuse(name, `\`${value}\` is not an amount: it may have two decimal places, such as \`12.50\``);
  }
  return sign === "-" ? -amount : amount;
}

/** Text from the file as part of a reason: in quotes, printable, and not too long. */
export function quoted(text) {
  const characters = [...text];
  return `"${printable(characters.slice(0, 100).join(""))}${characters.length > 100 ? "…" : ""}"`;
}

/** Control characters, and those that reorder or hide text: the host refuses reasons with them. */
const UNPRINTABLE =
  /[\p{Cc}\p{Cs}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The text with control characters and their like as escapes. */
export function printable(text) {
  return text.replace(UNPRINTABLE, (one) => SHORT[one] ?? `\\u{${one.codePointAt(0).toString(16)}}`);
}

/** An error of the contract, as it is. */
function purposeful(tag, val, message) {
  return Object.assign(new Error(message), { tag, val });
}
