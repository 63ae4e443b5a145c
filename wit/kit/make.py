#!/usr/bin/env python3
"""Writes the cases of the kit, with the answers that they must get: python3 make.py [FOLDER]

README.md says what the four detectors do. Here is the same once more, as plainly as possible, for the answers;
it shares no code with the detectors that are put through the cases.
"""

import json
import struct
import sys
from pathlib import Path

MAX_AMOUNT = 9_999_999_999
YEAR_1, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
MIN, MAX = -(2**63), 2**63 - 1
NAN = float("nan")


class Refused(Exception):
    """The answer is an error: in this function, of this kind, about this setting."""

    def __init__(self, function, kind, setting=None):
        super().__init__(kind)
        self.error = {"in": function, "kind": kind}
        if setting:
            self.error["setting"] = setting


def whole_number(settings, name, least, most):
    value = int(settings[name])
    if not least <= value <= most:
        raise Refused("configure", "invalid-setting", name)
    return value


# --- The detectors: `columns` is what configure answers, `judge` gives an anomaly (score, reason) or None for each row.

class Any:
    NAME, ORDERING = "kit-any", "any"
    SETTINGS = [("limit", "decimal", "500"), ("word", "text", None)]

    def __init__(self, settings):
        text = settings["limit"]
        whole, _, decimals = text.removeprefix("-").partition(".")
        if len(whole) > 12 or decimals[2:].strip("0"):
            raise Refused("configure", "invalid-setting", "limit")
        self.limit = int(whole + decimals[:2].ljust(2, "0")) * (-1 if text.startswith("-") else 1)
        self.word = settings.get("word")
        self.columns = [("note", "text", False)] if self.word is not None else []
        self.columns.append(("weight", "number", False))

    def judge(self, rows):
        for row in rows:
            reasons = []
            if row["amount"] > self.limit:
                reasons.append(f"amount {row['amount']} above {self.limit}")
            if self.word is not None and row["note"] == self.word:
                reasons.append(f"note `{self.word}`")
            if row["weight"] is not None and row["weight"] > 1:
                reasons.append("weight")
            yield (row["amount"] / 100, ", ".join(reasons)) if reasons else None


class PerUser:
    NAME, ORDERING = "kit-per-user", "per-user"
    SETTINGS = [("count", "integer", "3"), ("seconds", "integer", "60")]

    def __init__(self, settings):
        self.count = whole_number(settings, "count", 1, 1_000)
        self.window = whole_number(settings, "seconds", 1, 86_400) * 1_000_000
        self.columns = []

    def judge(self, rows):
        times = {}
        for row in rows:
            known = times.setdefault(row["user"], [])
            known.append(row["time"])
            if len(known) < self.count:
                yield None
                continue
            passed = row["time"] - known[-self.count]
            is_fast = 0 <= passed < self.window
            yield ((self.window - passed) / 1_000_000, f"{self.count} within {passed} us") if is_fast else None


class File:
    NAME, ORDERING = "kit-file", "file"
    SETTINGS = [("every", "integer", "3"), ("sorted", "boolean", "false"), ("at-least", "integer", None)]

    def __init__(self, settings):
        self.every = whole_number(settings, "every", 1, 1_000_000)
        self.sorted = settings["sorted"] == "true"
        self.least = int(settings.get("at-least", "0"))
        self.columns = []

    def judge(self, rows):
        total, answers = 0, []
        for number, row in enumerate(rows, 1):
            if self.sorted and number > 1 and row["time"] < rows[number - 2]["time"]:
                raise Refused("classify", "invalid-input")
            total += row["amount"]
            answers.append((total / 100, f"row {number}, sum {total}") if number % self.every == 0 else None)
        if len(rows) < self.least:
            raise Refused("finish", "internal")
        return answers


class Echo:
    NAME, ORDERING = "kit-echo", "any"
    SETTINGS = [("s", "text", ""), ("i", "integer", "0"), ("d", "decimal", "0"), ("b", "boolean", "false"), ("o", "text", None)]

    def __init__(self, settings):
        self.settings = settings
        self.columns = [("text", "text", True), ("note", "text", False), ("number", "number", False)]

    def judge(self, rows):
        def points(text):
            shown = [f"{ord(character):x}" for character in text[:16]]
            return f"{len(text)}:{'.'.join(shown)}"

        def bits(number):
            return "nan" if number != number else struct.pack(">d", number).hex()

        given = self.settings
        tail = f"s={points(given['s'])} i={int(given['i'])} d={given['d']} b={given['b']}"
        tail += f" o={points(given['o']) if 'o' in given else 'none'}"
        for row in rows:
            note, number = row["note"], row["number"]
            reason = f"user={row['user']} amount={row['amount']} timestamp={row['time']} text={points(row['text'])}"
            reason += f" note={'absent' if note is None else points(note)}"
            reason += f" number={'absent' if number is None else bits(number)} {tail}"
            yield (0.0 if number is None or number != number else number, reason)


# --- The rows, and how they are cut.

def rows_of(users=None, amounts=None, times=None, **columns):
    count = max(len(values) for values in [users or [], amounts or [], times or [], *columns.values()])
    rows = []
    for i in range(count):
        row = {"user": users[i] if users else 1 + i % 3, "amount": amounts[i] if amounts else 100 * i}
        row["time"] = times[i] if times else 1_704_067_200_000_000 + i * 1_000_000
        row.update({name: values[i] for name, values in columns.items()})
        rows.append(row)
    return rows


def batch_of(detector, rows, indices):
    chosen = [rows[i] for i in indices]
    columns = []
    for name, kind, _ in detector.columns:
        values = [row[name] for row in chosen]
        if None in values:
            columns.append("absent")
        elif kind == "number":
            columns.append({"number": ["NaN" if value != value else repr(float(value)) for value in values]})
        else:
            entries = list(dict.fromkeys(values))
            codes = [entries.index(value) for value in values]
            columns.append({"text": {"codes": codes, "dictionary": "\0".join(entries)}})
    texts = lambda name: [str(row[name]) for row in chosen]
    return {"rows": indices, "user-ids": texts("user"), "amounts": texts("amount"), "timestamps": texts("time"), "columns": columns}


def cuts(ordering, rows):
    """The ways to cut rows into batches and to spread them over instances: name, and for each instance its batches."""
    every = list(range(len(rows)))
    chunks = lambda indices, size: [indices[i : i + size] for i in range(0, len(indices), size)]
    yield "at once", [chunks(every, max(len(rows), 1))]
    if len(rows) < 2:
        return
    yield "row by row", [chunks(every, 1)]
    if len(rows) > 3:
        yield "in threes", [chunks(every, 3)]
    if ordering == "any":
        batches = chunks(every, 2)
        yield "two instances, the later batches first", [batches[1::2][::-1], batches[0::2][::-1]]
    if ordering == "per-user":
        of = lambda rest: [i for i in every if rows[i]["user"] % 2 == rest]
        yield "two instances, by user", [chunks(of(0), 2), chunks(of(1), 5)]


def case(Detector, name, about, settings=None, rows=()):
    given = settings or {}
    filled = {key: default for key, _, default in Detector.SETTINGS if default is not None} | given
    made = {"case": name, "about": about, "settings": given}
    try:
        detector = Detector(filled)
    except Refused as refused:
        return made | {"columns": [], "answer": {"error": refused.error}, "runs": [{"run": "at once", "instances": [[]]}]}
    made["columns"] = [{"name": column, "kind": kind, "required": required} for column, kind, required in detector.columns]
    rows = [{name: None for name, _, _ in detector.columns} | row for row in rows]
    try:
        judged = list(detector.judge(rows))
        found = [(i, *answer) for i, answer in enumerate(judged) if answer]
        made["answer"] = {"anomalies": [{"row": i, "score": repr(float(score)), "reason": reason} for i, score, reason in found]}
    except Refused as refused:
        made["answer"] = {"error": refused.error}
    made["runs"] = [
        {"run": name, "instances": [[batch_of(detector, rows, indices) for indices in batches] for batches in instances]}
        for name, instances in cuts(Detector.ORDERING, rows)
    ]
    return made


# --- The cases.

STRANGE = ["", " ", "0", "NaN", "a\tb\nc\r", "\x1b[2J\x7f", "é", "e\u0301", "\u202eabc", "\ufeff", "\ud7ff\ue000\uffff", "\U0001f980", "\U0010ffff", "a,b;\"'`\\", "x" * 1_000, "ä" * 17]
NUMBERS = [0.0, -0.0, NAN, 1.0, 1.0000000000000002, -1.5, 1 / 3, 5e-324, 2.2250738585072014e-308, sys.float_info.max, -sys.float_info.max, 9007199254740993.0]
START = 1_704_067_200_000_000
SECOND = 1_000_000


def any_cases():
    of = lambda *arguments, **more: case(Any, *arguments, **more)
    yield of("defaults", "the limit's default; negative amounts are below it", rows=rows_of(amounts=[50_000, 50_001, 60_000, -60_000, 0, 49_999]))
    yield of("no rows", "a run without a batch: finish comes straight after configure")
    yield of("one row", "the smallest batch", rows=rows_of(amounts=[50_001]))
    yield of("extreme amounts", "the largest and smallest amounts, and a negative limit", {"limit": "-0.25"}, rows_of(amounts=[MAX_AMOUNT, -MAX_AMOUNT, -25, -24, 0, 1]))
    yield of("zeros in front", "the grammar of decimals allows them", {"limit": "007.5"}, rows_of(amounts=[750, 751, 75, 7]))
    yield of("zeros behind", "and these, which do not make it more exact", {"limit": "7.5000"}, rows_of(amounts=[750, 751, 75, 7]))
    yield of("minus nothing", "so it does minus zero", {"limit": "-0.00"}, rows_of(amounts=[-1, 0, 1]))
    yield of("the longest limit", "twelve digits before the point", {"limit": "999999999999.99"}, rows_of(amounts=[MAX_AMOUNT, 0]))
    yield of("too many decimals", "of the right kind, but this detector cannot take it", {"limit": "1.005"})
    yield of("too many digits", "also a decimal", {"limit": "1000000000000"})
    words = ["é", "e\u0301", "É", "é ", "", "é", "ée", "é"]
    yield of("a word", "texts are compared exactly: no case, no blanks, no normalization", {"word": "é", "limit": "0"}, rows_of(amounts=[-1] * 7 + [1], note=words))
    yield of("the empty word", "a setting that is given, and empty, is not absent", {"word": ""}, rows_of(note=["", "x", "", " ", ""]))
    yield of("no word", "without the setting, the column is not asked for", rows=rows_of(amounts=[0, 50_001]))
    yield of("all equal", "a dictionary of one entry", {"word": "same"}, rows_of(note=["same"] * 7))
    yield of("all different", "a dictionary of as many entries as rows", {"word": "value 6"}, rows_of(note=[f"value {i}" for i in range(9)]))
    yield of("only empty texts", "an empty dictionary is one empty text", {"word": "x"}, rows_of(note=["", "", ""]))
    yield of("strange texts", "texts are as they are in the file", {"word": "\U0001f980"}, rows_of(note=STRANGE))
    yield of("weights", "numbers at their limits; an empty cell is NaN, which is above nothing", rows=rows_of(weight=NUMBERS))
    yield of("both columns", "a row may have several reasons", {"word": "x", "limit": "1"}, rows_of(note=["x", "y", "x", "y"], weight=[2.0, 2.0, NAN, 0.5]))


def per_user_cases():
    of = lambda *arguments, **more: case(PerUser, *arguments, **more)
    times = [START + second * SECOND for second in [0, 1, 2, 10, 20, 30, 61, 62, 63, 200, 201, 202]]
    yield of("defaults", "users know nothing of each other", rows=rows_of(users=[7, 8, 7, 7, 8, 8, 7, 9, 7, 9, 9, 9], times=times))
    yield of("no rows", "a run without a batch: finish comes straight after configure")
    yield of("each row", "with a count of 1, a row is enough", {"count": "1"}, rows_of(users=[1, 2, 1, -1]))
    edges = [0, 9_999_999, 20_000_000, 29_999_999, 29_999_999, 29_999_998, 39_999_998]
    yield of("edges of the window", "ten seconds are not within ten seconds; equal times are, earlier ones are not", {"count": "2", "seconds": "10"}, rows_of(users=[5] * 7, times=[START + edge for edge in edges]))
    yield of("64 bits of users", "at the limits of the type", {"count": "2"}, rows_of(users=[MIN, MAX, -1, 0, MAX, MIN, 0, -1, MIN + 1, MAX - 1]))
    yield of("around 1970", "before it, times are negative", {"count": "2", "seconds": "1"}, rows_of(users=[1] * 6, times=[-2_000_000, -1_500_000, -1, 0, 999_998, 999_999]))
    yield of("64 bits of time", "from the year 1 to 9999", {"count": "2", "seconds": "86400"}, rows_of(users=[1] * 8, times=[YEAR_1, YEAR_1 + 1, -1, 0, YEAR_9999 - 1, YEAR_9999, YEAR_1, YEAR_9999]))
    yield of("nothing to count", "of the right kind, but out of range", {"count": "0"})
    yield of("a window of no time", "of the right kind, but out of range", {"seconds": "-1"})
    yield of("too long a window", "one second more than a day", {"seconds": "86401"})


def file_cases():
    of = lambda *arguments, **more: case(File, *arguments, **more)
    yield of("defaults", "the count goes on from batch to batch", rows=rows_of(amounts=[100, -250, 333, 1, 0, 7, 8, 9, 10, 11]))
    yield of("no rows", "a run without a batch: finish comes straight after configure")
    yield of("each row", "with negative sums", {"every": "1"}, rows_of(amounts=[-1, -2, 3, 4, -5]))
    yield of("extreme sums", "beyond 32 bits", {"every": "2"}, rows_of(amounts=[MAX_AMOUNT] * 6 + [-MAX_AMOUNT] * 8))
    sorted_times = [START, START, START + 1, START + 5]
    yield of("in order", "equal times are in order", {"sorted": "true", "every": "2"}, rows_of(times=sorted_times))
    yield of("out of order", "an error ends the run", {"sorted": "true"}, rows_of(times=[*sorted_times, START + 4, START + 6]))
    yield of("order does not matter", "the default is false", rows=rows_of(times=[START, START - 1, START - 2]))
    yield of("enough rows", "finish has nothing to complain of", {"at-least": "4"}, rows_of(amounts=[1, 2, 3, 4]))
    yield of("too few rows", "finish may fail the run", {"at-least": "5"}, rows_of(amounts=[1, 2, 3, 4]))
    yield of("no rows but one", "also without a batch", {"at-least": "1"})
    yield of("every row of none", "of the right kind, but out of range", {"every": "0"})


def echo_cases():
    of = lambda *arguments, **more: case(Echo, *arguments, **more)
    plain = ["one", "two", "one", "three"]
    yield of("plain", "settings by default, all columns", rows=rows_of(text=plain, note=["", "x", "", ""], number=[1.5, NAN, 0.0, -2.0]))
    yield of("no rows", "a run without a batch: finish comes straight after configure")
    yield of("absent columns", "the optional ones", rows=rows_of(text=plain))
    yield of("extreme rows", "at the limits of what a host passes, and of 53 bits", rows=rows_of(users=[-2_147_483_648, 2_147_483_647, 0, -1], amounts=[MAX_AMOUNT, -MAX_AMOUNT, -1, 0], times=[-(2**53) + 1, 2**53 - 1, -1, 0], text=plain))
    yield of("64 bits of time", "from the year 1 to 9999, which a host passes", rows=rows_of(times=[YEAR_1, YEAR_1 + 1, YEAR_9999 - 1, YEAR_9999], text=plain))
    yield of("64 bits", "at the limits of the types", rows=rows_of(users=[MIN, MAX, 2**53 + 1, -(2**53) - 1], times=[MAX, MIN, 2**53 + 1, -(2**53) - 1], text=plain))
    yield of("strange texts", "every text arrives as it is, also what is not printable", rows=rows_of(text=STRANGE, note=list(reversed(STRANGE))))
    yield of("all equal", "dictionaries of one entry", rows=rows_of(text=[""] * 5, note=["same"] * 5))
    yield of("all different", "dictionaries of as many entries as rows", rows=rows_of(text=[f"t{i}" for i in range(8)], note=[f"n{i}" for i in range(8)]))
    yield of("numbers", "every bit counts, in and out, but for those of a NaN", rows=rows_of(text=["x"] * len(NUMBERS), number=NUMBERS))
    yield of("settings", "values arrive as they were given", {"s": "a=b\né\U0001f980", "i": "-007", "d": "-0.250", "b": "true", "o": ""}, rows_of(text=plain[:2]))
    yield of("largest settings", "at the limits of their kinds, and of 53 bits", {"s": "x" * 4_096, "i": str(-(2**53) + 1), "d": "9" * 28, "o": "ö" * 2_048}, rows_of(text=plain[:2]))
    yield of("64 bits of a setting", "the smallest integer", {"i": str(MIN)}, rows_of(text=plain[:2]))


# --- Writing: short things on one line.

def written(value, indent=""):
    line = json.dumps(value, ensure_ascii=True)
    if not isinstance(value, (dict, list)) or len(indent) + len(line) < 110 or not value:
        return line
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {written(part, deeper)}" for key, part in value.items()]
        return "{\n" + deeper + f",\n{deeper}".join(parts) + f"\n{indent}}}"
    if not any(isinstance(part, (dict, list)) for part in value):
        return line
    return "[\n" + deeper + f",\n{deeper}".join(written(part, deeper) for part in value) + f"\n{indent}]"


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for Detector, cases in [(Any, any_cases), (PerUser, per_user_cases), (File, file_cases), (Echo, echo_cases)]:
        settings = [{"name": name, "kind": kind, "default": default} for name, kind, default in Detector.SETTINGS]
        kit = {"contract": "0.1", "detector": Detector.NAME, "ordering": Detector.ORDERING, "settings": settings, "cases": list(cases())}
        (folder / f"{Detector.NAME}.json").write_text(written(kit) + "\n")


if __name__ == "__main__":
    main()
