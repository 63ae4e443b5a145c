// `kit-echo` of the kit in wit/kit: says of every row what arrived.

// How many code points of a text are shown.
const SHOWN = 16;

export class Detector {
  tail = "";

  describe() {
    return {
      name: "kit-echo",
      version: "0.1.0",
      description: "Flags every row, and says what it was given. The score is the column `number`.",
      ordering: "any",
      settings: [
        { name: "s", kind: "text", default: "", doc: "A text." },
        { name: "i", kind: "integer", default: "0", doc: "A whole number." },
        { name: "d", kind: "decimal", default: "0", doc: "A decimal." },
        { name: "b", kind: "boolean", default: "false", doc: "A truth value." },
        { name: "o", kind: "text", doc: "A text that may be absent." },
      ],
    };
  }

  configure({ s, i, d, b, o }) {
    this.tail = `s=${points(s)} i=${i} d=${d} b=${b} o=${o === undefined || o === null ? "none" : points(o)}`;
    return [
      { name: "text", kind: "text", required: true },
      { name: "note", kind: "text", required: false },
      { name: "number", kind: "number", required: false },
    ];
  }

  classify({ userIds, amounts, timestamps, columns }) {
    return Array.from(amounts, (amount, row) => {
      const number = columns.number === null ? null : columns.number[row];
      const told = [
        `user=${userIds[row]} amount=${amount} timestamp=${timestamps[row]}`,
        `text=${text(columns.text, row)} note=${text(columns.note, row)}`,
        `number=${number === null ? "absent" : bits(number)} ${this.tail}`,
      ];
      return { row, score: number === null || Number.isNaN(number) ? 0 : number, reason: told.join(" ") };
    });
  }
}

function text(column, row) {
  return column === null ? "absent" : points(column.values[column.codes[row]]);
}

function points(text) {
  const codes = Array.from(text, (point) => point.codePointAt(0).toString(16));
  return `${codes.length}:${codes.slice(0, SHOWN).join(".")}`;
}

function bits(number) {
  if (Number.isNaN(number)) return "nan";
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}
