// What is known of each user, from one run to the next.

// How many users a part of a state has at most, and how many bytes are known of them before no further one is added.
const PART_USERS = 16384;
const PART_BYTES = 1 << 20;

/**
 * What is known of each user: a map that remembers who has changed, for `snapshot` and `restore`. Values are what JSON
 * has: finite numbers (which stay exact), texts, arrays and objects. One that is changed in place counts as changed
 * once it is set again. Raise `version` when values change their meaning: those of other versions are refused.
 */
export class Users extends Map {
  #changed = new Set();

  constructor(version = 1) {
    super();
    this.version = version;
  }

  set(user, value) {
    this.#changed.add(user);
    return super.set(user, value);
  }

  delete(user) {
    this.#changed.add(user);
    return super.delete(user);
  }

  clear() {
    for (const user of this.keys()) this.#changed.add(user);
    super.clear();
  }

  /** What has changed since it was restored or passed on, in parts: empty if there is no more. */
  snapshot() {
    const users = new Map();
    let size = 0;
    for (const user of this.#changed) {
      if (users.size === PART_USERS || size >= PART_BYTES) break;
      const value = this.has(user) ? written([this.version, this.get(user)]) : new Uint8Array();
      users.set(user, value);
      size += value.length;
      this.#changed.delete(user);
    }
    return { users };
  }

  /** Takes over a part of what earlier runs have passed on. */
  restore({ users }) {
    for (const [user, value] of users) {
      if (value.length === 0) super.delete(user);
      else super.set(user, this.#read(user, value));
    }
  }

  #read(user, value) {
    const unreadable = `what earlier runs knew of user ${user} cannot be read`;
    let read;
    try {
      read = JSON.parse(Array.from(value, (byte) => String.fromCharCode(byte)).join(""));
    } catch {
      // Said below.
    }
    if (!Array.isArray(read) || read.length !== 2) throw new Error(`${unreadable}: this detector has not written it`);
    const [version, known] = read;
    if (version === this.version) return known;
    throw new Error(
      `${unreadable}: it is in version ${version} of the format, and this detector reads version ${this.version}`,
    );
  }
}

/** JSON in ASCII, since there need not be a TextEncoder. What JSON would turn into `null` is refused. */
function written(value) {
  const text = JSON.stringify(value, (name, part) => {
    if (typeof part === "number" && !Number.isFinite(part)) throw new Error(`${part} cannot be kept for later runs`);
    return part;
  });
  const ascii = text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return Uint8Array.from(ascii, (character) => character.charCodeAt(0));
}
