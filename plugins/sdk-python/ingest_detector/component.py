"""What the plugin is built from: the detector of `app.py` as the contract wants it.

It checks what the detector returns, and turns every exception into an error that says what happened and
where. It is loaded while the plugin is built, together with all that it and `app.py` import; the plugin is a
snapshot of that. Unit tests do not use it.
"""

import inspect
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterable

import wit_world
from componentize_py_types import Err
from wit_world.imports import host, types

import ingest_detector as contract
from ingest_detector import sandbox

try:
    from wit_world.imports import persistence
except ImportError:
    persistence = None  # the detector is not stateful

# ---- the checks ----


class Mistake(Exception):
    """Something that was returned is wrong, for which there is no line to point at."""


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def checked_text(of: str, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise Mistake(f"`{name}` of {of} is {shown(value)}; it must be a str")
    return value


def checked_choice(of: str, name: str, value: object, choices: type) -> object:
    """The contract's own value for a word: types.Ordering.PER_USER for "per-user"."""
    names = {choice.name.lower().replace("_", "-"): choice for choice in choices}
    if value not in names:
        raise Mistake(f"`{name}` of {of} is {shown(value)}; it must be one of {', '.join(names)}")
    return names[value]


def checked_list(name: str, returned: object, item: type) -> list:
    """What a function returned, which must be a list of these; a generator will do."""
    if inspect.iscoroutine(returned):
        returned.close()  # else Python warns that nobody has awaited it
        raise Mistake(f"{name} returned a coroutine: it must not be async, nothing can be awaited")
    if not isinstance(returned, Iterable) or isinstance(returned, (str, dict)):
        raise Mistake(f"{name} returned {shown(returned)}; it must return a list of {item.__name__}, [] for none")
    items = list(returned)
    for one in items:
        if not isinstance(one, item):
            raise Mistake(f"{name} returned {shown(one)} in its list; it must be {item.__name__}(…)")
    return items


def checked_metadata(metadata: object) -> types.Metadata:
    if not isinstance(metadata, contract.Metadata):
        raise Mistake(f"describe returned {shown(metadata)}; it must return Metadata(…)")
    of = "the Metadata that describe returned"
    settings = []
    for setting in checked_list("`settings` of describe", metadata.settings, contract.Setting):
        mine = f"the setting {shown(setting.name)}"
        settings.append(
            types.SettingDescription(
                name=checked_text(mine, "name", setting.name),
                kind=checked_choice(mine, "kind", setting.kind, types.SettingKind),
                default=None if setting.default is None else checked_text(mine, "default", setting.default),
                doc=checked_text(mine, "doc", setting.doc),
            )
        )
    return types.Metadata(
        name=checked_text(of, "name", metadata.name),
        version=checked_text(of, "version", metadata.version),
        description=checked_text(of, "description", metadata.description),
        settings=settings,
        ordering=checked_choice(of, "ordering", metadata.ordering, types.Ordering),
    )


def checked_columns(returned: object) -> list[types.ColumnRequest]:
    if returned is None:
        return []
    requests = []
    for column in checked_list("configure", returned, contract.Column):
        mine = f"the column {shown(column.name)}"
        name = checked_text(mine, "name", column.name)
        kind = checked_choice(mine, "kind", column.kind, types.ColumnKind)
        requests.append(types.ColumnRequest(name, kind, bool(column.required)))
    return requests


def checked_anomalies(returned: object, rows: int) -> list[types.Anomaly]:
    anomalies, before = [], -1
    for anomaly in checked_list("classify", returned, contract.Anomaly):
        row, score, reason = anomaly.row, anomaly.score, anomaly.reason
        if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < rows:
            raise Mistake(
                f"`row` of {shown(anomaly)} is not the index of a row of the batch, from 0 to {rows - 1}"
            )
        if row <= before:
            raise Mistake(
                f"{shown(anomaly)} comes after row {before}; anomalies must be sorted by row, each row once"
            )
        if not isinstance(score, (int, float)) or isinstance(score, bool) or not math.isfinite(score):
            raise Mistake(f"`score` of {shown(anomaly)} is not a finite number")
        if not isinstance(reason, str):
            raise Mistake(f"`reason` of {shown(anomaly)} is not a str")
        before = row
        anomalies.append(types.Anomaly(row, float(score), within_bytes(contract.printable(reason), 1000)))
    return anomalies


def checked_scores(returned: object, rows: int) -> list[float]:
    scores = checked_list("score", returned, float)
    if len(scores) != rows:
        raise Mistake(f"score returned {len(scores)} numbers for {rows} rows; it must return one for each")
    return scores


def checked_state(returned: object) -> "persistence.State":
    if not isinstance(returned, contract.State):
        raise Mistake(f"snapshot returned {shown(returned)}; it must return State(…), State() if nothing has changed")
    state = persistence.State(returned.shared, [], [], b"")
    values = []
    for user, value in sorted(returned.users.items()):
        if not isinstance(value, bytes):
            raise Mistake(f"what snapshot returned for user {user} is {shown(value)}; it must be bytes")
        values.append(value)
        state.users.append(user)
        state.ends.append(len(value) + (state.ends[-1] if state.ends else 0))
    state.bytes = b"".join(values)
    return state


def within_bytes(text: str, limit: int) -> str:
    if len(text) * 4 <= limit or len(encoded := text.encode()) <= limit:
        return text
    return encoded[: limit - 3].decode(errors="ignore") + "…"


# ---- the detector ----


def attempt(work: Callable) -> object:
    """What `work` returns; whatever it raises becomes an error of the contract."""
    sandbox.run()
    try:
        return work()
    except contract.InvalidSetting as error:
        raise Err(types.Error_InvalidSetting(types.InvalidSetting(error.name, error.message)))
    except contract.InvalidInput as error:
        raise Err(types.Error_InvalidInput(str(error)))
    except Mistake as error:
        raise Err(types.Error_Internal(str(error)))
    except BaseException as error:
        raise Err(types.Error_Internal(explained(error)))
    finally:
        sys.stdout.end_line()
        sys.stderr.end_line()


def explained(error: BaseException) -> str:
    """The exception, and where in the author's code it was raised; the whole traceback is logged."""
    trace = traceback.TracebackException.from_exception(error)
    ours = os.path.dirname(__file__) + "/"
    trace.stack[:] = [frame for frame in trace.stack if not frame.filename.startswith(ours)]
    host.log(host.Level.ERROR, "".join(trace.format()).replace(folder, "").rstrip())
    said = "".join(trace.format_exception_only()).strip()
    places = [frame for frame in trace.stack if frame.filename.startswith(folder)]
    if not places:
        return said
    return f"{said} ({places[-1].filename.removeprefix(folder)} line {places[-1].lineno}, in {places[-1].name})"


class WitWorld(wit_world.WitWorld):
    """Every call gets a new one of these, so the detector itself is kept outside."""

    def describe(self) -> types.Metadata:
        return metadata

    def configure(self, settings: list[types.Setting]) -> list[types.ColumnRequest]:
        global columns
        columns = attempt(lambda: checked_columns(detector.configure(by_name(settings))))
        return columns

    def classify(self, batch: types.Batch) -> list[types.Anomaly]:
        return attempt(lambda: checked_anomalies(detector.classify(read_batch(batch)), len(batch.amounts)))

    def finish(self) -> None:
        attempt(getattr(detector, "finish", lambda: None))

    def score(self, batch: types.Batch) -> list[float]:
        return attempt(lambda: checked_scores(detector.score(read_batch(batch)), len(batch.amounts)))

    def snapshot(self) -> "persistence.State":
        return attempt(lambda: checked_state(detector.snapshot()))

    def restore(self, state: "persistence.State") -> None:
        attempt(lambda: detector.restore(read_state(state)))

    def feedback(self, batch: types.Batch, labels: list[bool]) -> None:
        attempt(lambda: detector.feedback(read_batch(batch), labels))


def by_name(given: list[types.Setting]) -> dict[str, str | int | bool | None]:
    """Integers and booleans as such; None where an optional setting is not given."""
    kinds = {setting.name: setting.kind for setting in metadata.settings}
    convert = {types.SettingKind.INTEGER: int, types.SettingKind.BOOLEAN: lambda value: value == "true"}
    settings = dict.fromkeys(kinds)
    for setting in given:
        settings[setting.name] = convert.get(kinds[setting.name], str)(setting.value)
    return settings


def read_batch(batch: types.Batch) -> contract.Batch:
    named = {request.name: read_column(column) for request, column in zip(columns, batch.columns)}
    return contract.Batch(batch.user_ids, batch.amounts, batch.timestamps, named)


def read_state(state: "persistence.State") -> contract.State:
    starts = [0, *state.ends]
    values = [state.bytes[start:end] for start, end in zip(starts, state.ends)]
    return contract.State(dict(zip(state.users, values)), state.shared)


def read_column(column: types.Column) -> contract.Texts | list[float] | None:
    match column:
        case types.Column_Text(text):
            return contract.Texts(text.codes, text.dictionary.split("\0"))
        case types.Column_Number(numbers):
            return numbers
        case _:
            return None


# Only now, since it may use any of this when it is loaded.
import app  # noqa: E402

folder = os.path.dirname(app.__file__) + "/"
detector = app.Detector()
metadata = checked_metadata(detector.describe())
columns: list[types.ColumnRequest] = []
sandbox.load_no_more(folder)
