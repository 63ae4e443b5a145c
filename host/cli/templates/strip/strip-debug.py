"""Takes the debug information out of a WebAssembly module, and leaves the functions' names in it."""

import sys


def number(data: bytes, at: int) -> tuple[int, int]:
    """A number in LEB128, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def without_debug(module: bytes) -> bytes:
    kept, at = [module[:8]], 8
    while at < len(module):
        size, content = number(module, at + 1)
        end = content + size
        length, name = number(module, content)
        is_custom = module[at] == 0
        if not (is_custom and module[name : name + length].startswith(b".debug_")):
            kept.append(module[at:end])
        at = end
    return b"".join(kept)


with open(sys.argv[1], "r+b") as file:
    module = without_debug(file.read())
    file.seek(0)
    file.truncate()
    file.write(module)
