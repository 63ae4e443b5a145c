"""What is known of each user, from one run to the next: see `Users`."""

import json
from collections import UserDict
from dataclasses import dataclass, field

# How many users a part of a state has at most, and how many bytes are known of them before no further one is added.
_PART_USERS = 16_384
_PART_BYTES = 1 << 20


@dataclass
class State:
    """A part of what a detector has learned: by user, in a format of its own. Empty bytes: nothing is known any more.

    `shared` is what belongs to no user, only with the ordering "file".
    """

    users: dict[int, bytes] = field(default_factory=dict)
    shared: bytes | None = None


class Users(UserDict):
    """What is known of each user: a dict that remembers who has changed, for `snapshot` and `restore`.

    Values are what JSON has: numbers (which stay exact), texts, lists, and dicts with texts as keys. One that is
    changed in place counts as changed once it is assigned again. Raise `version` when values change their meaning:
    those of other versions are refused.
    """

    def __init__(self, version: int = 1) -> None:
        super().__init__()
        self.version = version
        self._changed: dict[int, None] = {}

    def __setitem__(self, user: int, value: object) -> None:
        self.data[user] = value
        self._changed[user] = None

    def __delitem__(self, user: int) -> None:
        del self.data[user]
        self._changed[user] = None

    def snapshot(self) -> State:
        """What has changed since it was restored or passed on, in parts: empty if there is no more."""
        state, size = State(), 0
        while self._changed and len(state.users) < _PART_USERS and size < _PART_BYTES:
            user, _ = self._changed.popitem()
            value = json.dumps([self.version, self.data[user]]).encode() if user in self.data else b""
            state.users[user] = value
            size += len(value)
        return state

    def restore(self, state: State) -> None:
        """Takes over a part of what earlier runs have passed on."""
        for user, value in state.users.items():
            if value:
                self.data[user] = self._read(user, value)
            else:
                self.data.pop(user, None)

    def _read(self, user: int, value: bytes) -> object:
        unreadable = f"what earlier runs knew of user {user} cannot be read"
        try:
            version, known = json.loads(value)
        except (ValueError, TypeError):
            raise ValueError(f"{unreadable}: this detector has not written it") from None
        if version != self.version:
            raise ValueError(
                f"{unreadable}: it is in version {version} of the format, and this detector reads version {self.version}"
            )
        return known
