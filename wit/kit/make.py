#!/usr/bin/env python3
"""Writes the cases of the kit, with the answers that they must get: python3 make.py [FOLDER]

README.md says what the detectors do. Here is the same once more, as plainly as possible, for the answers;
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


# --- Those with more than that. `knowledge` is what they know after the rows, as the bytes that are passed on.

class Score:
    NAME, ORDERING, ABILITIES = "kit-score", "per-user", ["scoring"]
    SETTINGS = [("limit", "integer", "10000")]

    def __init__(self, settings):
        self.limit = int(settings["limit"])
        self.columns = []

    def differences(self, rows):
        last = {}
        for row in rows:
            yield row["amount"] - last.get(row["user"], row["amount"])
            last[row["user"]] = row["amount"]

    def scores(self, rows):
        return [difference / 100 for difference in self.differences(rows)]

    def judge(self, rows):
        for difference in self.differences(rows):
            yield (difference / 100, f"{difference} above {self.limit}") if difference > self.limit else None


def known_bytes(rows):
    """Version, how many rows, sum of the amounts; nothing of no rows."""
    return struct.pack("<Bqq", 1, len(rows), sum(row["amount"] for row in rows)) if rows else b""


class State:
    NAME, ORDERING, ABILITIES = "kit-state", "per-user", ["stateful"]
    SETTINGS = []

    def __init__(self, settings):
        self.columns = []

    @staticmethod
    def since_forgotten(rows, user):
        own = [row for row in rows if row["user"] == user]
        zeros = [at for at, row in enumerate(own) if row["amount"] == 0]
        return own[zeros[-1] + 1 :] if zeros else own

    def judge(self, rows):
        for at, row in enumerate(rows):
            known = self.since_forgotten(rows[: at + 1], row["user"])
            total = sum(row["amount"] for row in known)
            yield (total / 100, f"row {len(known)} of the user, sum {total}") if known else None

    def knowledge(self, rows, changed):
        before = rows[: len(rows) - len(changed)]
        users = {row["user"] for row in changed if row["amount"] != 0 or self.since_forgotten(before, row["user"])}
        return {"shared": None, "users": {str(user): known_bytes(self.since_forgotten(rows, user)).hex() for user in sorted(users)}}


class Shared:
    NAME, ORDERING, ABILITIES = "kit-shared", "file", ["stateful"]
    SETTINGS = []

    def __init__(self, settings):
        self.columns = []

    def judge(self, rows):
        for at in range(len(rows)):
            total = sum(row["amount"] for row in rows[: at + 1])
            yield (total / 100, f"row {at + 1}, sum {total}")

    def knowledge(self, rows, changed):
        return {"shared": known_bytes(rows).hex() if changed else None, "users": {}}


class Learning:
    NAME, ORDERING, ABILITIES = "kit-learning", "per-user", ["learning"]
    SETTINGS = []

    def __init__(self, settings):
        self.columns = [("note", "text", True)]
        self.labelled = []

    def judge(self, rows):
        for row in rows:
            known = [(earlier, label) for earlier, label in self.labelled if earlier["user"] == row["user"]]
            frauds = [earlier for earlier, label in known if label]
            reason = frauds and f"{len(frauds)} of {len(known)} were fraud, the last one {frauds[-1]['note']}"
            yield (len(frauds) / len(known), reason) if frauds else None


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


def named_columns(detector):
    return [{"name": column, "kind": kind, "required": required} for column, kind, required in detector.columns]


def written_anomalies(judged):
    found = [(i, *answer) for i, answer in enumerate(judged) if answer]
    return {"anomalies": [{"row": i, "score": repr(float(score)), "reason": reason} for i, score, reason in found]}


def case(Detector, name, about, settings=None, rows=()):
    given = settings or {}
    filled = {key: default for key, _, default in Detector.SETTINGS if default is not None} | given
    made = {"case": name, "about": about, "settings": given}
    try:
        detector = Detector(filled)
    except Refused as refused:
        return made | {"columns": [], "answer": {"error": refused.error}, "runs": [{"run": "at once", "instances": [[]]}]}
    made["columns"] = named_columns(detector)
    rows = [{name: None for name, _, _ in detector.columns} | row for row in rows]
    try:
        made["answer"] = written_anomalies(detector.judge(rows))
    except Refused as refused:
        made["answer"] = {"error": refused.error}
    made["runs"] = [
        {"run": name, "instances": [[batch_of(detector, rows, indices) for indices in batches] for batches in instances]}
        for name, instances in cuts(Detector.ORDERING, rows)
    ]
    return made


def scored_case(name, about, settings=None, rows=()):
    """The cuts of `case`, and with them batches that are scored instead, which are learned from all the same."""
    made = case(Score, name, about, settings, rows)
    detector = Score({"limit": "10000"} | (settings or {}))
    scores = [repr(float(score)) for score in detector.scores(rows)]
    scored = lambda batch: {"score": batch, "scores": [scores[row] for row in batch["rows"]]}
    anomalies = lambda wanted: [one for one in made["answer"]["anomalies"] if wanted(one["row"])]
    runs = [{"run": f"scored, {run['run']}", "instances": [[scored(batch) for batch in batches] for batches in run["instances"]]} for run in made["runs"]]
    every_second = [{"run": "every second batch is scored", "instances": [[scored(batch) if batch["rows"][0] % 2 else batch for batch in batches] for batches in run["instances"]]} for run in made["runs"] if run["run"] == "row by row"]
    return [
        made,
        made | {"case": f"{name}: scores", "about": "one for each row, whether it is anomalous or not", "answer": {"anomalies": []}, "runs": runs},
        made | {"case": f"{name}: in turns", "about": "what is learned is the same in both functions", "answer": {"anomalies": anomalies(lambda row: row % 2 == 0)}, "runs": every_second},
    ]


def continued_case(Detector, name, about, rows, cut):
    """Rows in one run, or in two, the second of which is restored from what the first one has passed on."""
    detector = Detector({})
    every = list(range(len(rows)))
    batches = lambda indices, size: [batch_of(detector, rows, indices[i : i + size]) for i in range(0, len(indices), size)]
    until = lambda end, start=0: {"snapshot": detector.knowledge(rows[:end], rows[start:end])}
    nothing = {"snapshot": {"shared": None, "users": {}}}
    before = {"restore": detector.knowledge(rows[:cut], rows[:cut])}
    one = lambda size: [*batches(every, size), until(len(rows)), nothing]
    first = lambda size: [*batches(every[:cut], size), until(cut), nothing]
    second = lambda size: [before, *batches(every[cut:], size), until(len(rows), cut), nothing]
    runs = [("in one run", [one(len(rows))]), ("in two runs", [first(len(rows)), second(len(rows))]), ("in two runs, row by row", [first(1), second(1)])]
    if Detector.ORDERING == "per-user":
        # A later part takes the place of an earlier one.
        stale = {"restore": {"shared": None, "users": {user: known_bytes([{"amount": 7}] * 9).hex() for user in before["restore"]["users"]}}}
        runs.append(("in two runs, restored twice", [first(len(rows)), [stale, *second(len(rows))]]))
    made = {"case": name, "about": about, "settings": {}, "columns": [], "answer": written_anomalies(detector.judge(rows))}
    return made | {"runs": [{"run": run, "instances": instances} for run, instances in runs]}


def refused_case(Detector, name, about, value):
    state = {"shared": value.hex(), "users": {}} if Detector is Shared else {"shared": None, "users": {"7": value.hex()}}
    made = {"case": name, "about": about, "settings": {}, "columns": [], "answer": {"error": {"in": "restore", "kind": "internal"}}}
    return made | {"runs": [{"run": "at once", "instances": [[{"restore": state}]]}]}


def learned_case(name, about, labelled, labels, rows):
    """What has become known of `labelled` rows, in several cuts, and then other rows."""
    detector = Learning({})
    detector.labelled = list(zip(labelled, labels))
    every = list(range(len(labelled)))
    known = lambda indices: {"feedback": batch_of(detector, labelled, indices), "labels": [labels[i] for i in indices]}
    rest = batch_of(detector, rows, list(range(len(rows))))
    ways = [("at once", [every]), ("row by row", [[i] for i in every]), ("in threes", [every[i : i + 3] for i in range(0, len(every), 3)])]
    made = {"case": name, "about": about, "settings": {}, "columns": named_columns(detector), "answer": written_anomalies(detector.judge(rows))}
    return made | {"runs": [{"run": run, "instances": [[*map(known, parts), rest]]} for run, parts in ways]}


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


def score_cases():
    yield from scored_case("defaults", "the difference to the user's row before", rows=rows_of(users=[7, 8, 7, 7, 8, 9, 7, 8], amounts=[100, 5_000, 10_100, 30_000, 15_001, 99_999, -5, 15_000]))
    yield from scored_case("extreme scores", "at the limits of amounts", {"limit": "-1"}, rows_of(users=[-1] * 6, amounts=[MAX_AMOUNT, -MAX_AMOUNT, MAX_AMOUNT, MAX_AMOUNT, 0, 1]))


def state_cases():
    users, amounts = [7, -8, 7, 9, 7, -8, 10, 9, 7], [100, 250, -30, 5, 1_000, MAX_AMOUNT, 77, 6, 1]
    yield continued_case(State, "continued", "only users of the second run are passed on after it", rows_of(users, amounts), 4)
    yield continued_case(State, "forgotten", "after an amount of 0 nothing is known of a user, also in later runs", rows_of([7, 8, 7, 8, 9, 7, 8, 7], [1, 2, 0, 3, 0, 5, 0, 6]), 5)
    yield continued_case(State, "64 bits of users", "at the limits of the type", rows_of([MIN, MAX, -1, 0, MAX, MIN, 0, MIN + 1, MAX - 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]), 4)
    yield refused_case(State, "another version", "it may mean anything", struct.pack("<Bqq", 2, 1, 100))
    yield refused_case(State, "cut short", "a value of 16 bytes", known_bytes([{"amount": 100}])[:-1])
    yield refused_case(State, "too long", "a value of 18 bytes", known_bytes([{"amount": 100}]) + b"\0")


def shared_cases():
    yield continued_case(Shared, "continued", "what belongs to no user", rows_of(amounts=[100, -250, 333, 1, 0, 7, 8]), 3)
    yield refused_case(Shared, "another version", "it may mean anything", struct.pack("<Bqq", 2, 1, 100))
    yield refused_case(Shared, "nothing at all", "a value of no bytes", b"")


def learning_cases():
    labelled = rows_of([7, 8, 7, 9, 7, 8, 7], [1, 2, 3, 4, 5, 6, 7], note=["a", "b", "c", "d", "e", "f", "g"])
    rows = rows_of([8, 7, 9, 7, 10], note=["x", "y", "x", "y", "x"])
    yield learned_case("learned", "rows come in the order in which something became known of them", labelled, [False, True, True, False, True, False, False], rows)
    yield learned_case("no fraud", "labels may all be false", labelled, [False] * 7, rows)
    yield learned_case("one row", "the smallest batch", labelled[:1], [True], rows)


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
    detectors = [(Any, any_cases), (PerUser, per_user_cases), (File, file_cases), (Echo, echo_cases)]
    detectors += [(Score, score_cases), (State, state_cases), (Shared, shared_cases), (Learning, learning_cases)]
    for Detector, cases in detectors:
        settings = [{"name": name, "kind": kind, "default": default} for name, kind, default in Detector.SETTINGS]
        kit = {"contract": "0.1", "detector": Detector.NAME, "ordering": Detector.ORDERING}
        if abilities := getattr(Detector, "ABILITIES", None):
            kit["abilities"] = abilities
        kit |= {"settings": settings, "cases": list(cases())}
        (folder / f"{Detector.NAME}.json").write_text(written(kit) + "\n")


if __name__ == "__main__":
    main()
