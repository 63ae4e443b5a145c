// Flags round amounts: people who make up transactions tend to make up round ones.

const MINIMUM = {
  name: "minimum",
  kind: "decimal",
  default: "10",
  doc: "Round amounts from this one up are anomalous.",
};

// What a run was configured with and has learned, from `configure` to `finish`.
let minimumCents = 0;

export function describe() {
  return {
    name: "my-detector",
    version: "0.1.0",
    description: "Flags round amounts from `minimum` up. The score is the amount.",
    settings: [MINIMUM],
    attributes: [],
    // Each row is judged by itself. See the WIT for the other two orderings.
    ordering: "any",
  };
}

export function configure(settings) {
  const values = { minimum: MINIMUM.default };
  for (const { name, value } of settings) {
    if (!Object.hasOwn(values, name)) throw refuse(name, "unknown setting; this detector has `minimum`");
    values[name] = value;
  }
  minimumCents = parseCents("minimum", values.minimum);
}

export function classify(batch) {
  const anomalies = [];
  const { amounts } = batch;
  for (let row = 0; row < amounts.length; row++) {
    // Hundredths are integers far below 2 ** 53, so they are exact. Ids and timestamps (after
    // the year 2255) may be above it, and arrive rounded.
    const cents = amounts[row];
    if (cents >= minimumCents && cents % 100 === 0) {
      anomalies.push({ row, score: cents / 100, reason: `${cents / 100}.00 is a round amount` });
    }
  }
  return anomalies;
}

export function finish() {}

/** An amount as hundredths; digit by digit, because 1.15 * 100 is not 115. */
function parseCents(name, value) {
  const parts = /^([0-9]{1,12})(?:\.([0-9]{1,2}))?$/.exec(value);
  if (parts === null) throw refuse(name, `\`${value}\` is not an amount such as \`12.50\``);
  return Number(parts[1]) * 100 + Number((parts[2] ?? "0").padEnd(2, "0"));
}

function refuse(name, message) {
  return { tag: "invalid-setting", val: { name, message } };
}
