//! wit/detector.wit in Zig: what the host and a detector pass to each other, and how it crosses. What it means is
//! said in the WIT.

const std = @import("std");

pub const Metadata = struct {
    name: []const u8,
    version: []const u8,
    description: []const u8,
    settings: []const SettingDescription = &.{},
    ordering: Ordering,
};

pub const Ordering = enum(u8) { any, per_user, file };

pub const SettingDescription = struct {
    name: []const u8,
    kind: SettingKind,
    /// Without one, the setting is optional.
    default: ?[]const u8 = null,
    doc: []const u8,
};

pub const SettingKind = enum(u8) { text, integer, decimal, boolean };

pub const ColumnRequest = struct {
    name: []const u8,
    kind: ColumnKind,
    required: bool,
};

pub const ColumnKind = enum(u8) { text, number };

pub const Batch = struct {
    user_ids: []const i64,
    /// In hundredths.
    amounts: []const i64,
    /// Microseconds since 1970.
    timestamps: []const i64,
    /// Those that `configure` asked for, in its order.
    columns: []const Column,
};

pub const Column = union(enum) {
    absent,
    text: TextColumn,
    /// NaN where the cell is empty.
    number: []const f64,
};

pub const TextColumn = struct {
    /// For each row, which entry of the dictionary it has.
    codes: []const u32,
    dictionary: []const []const u8,

    pub fn of(column: TextColumn, row: usize) []const u8 {
        return column.dictionary[column.codes[row]];
    }
};

pub const Anomaly = struct {
    row: u32,
    score: f64,
    /// One line. What may not be in it is escaped, and what is too long is cut.
    reason: []const u8,
};

/// The host has checked names and kinds, and filled in the defaults. Copy what is to be kept: all of it is gone
/// after `configure`, as a batch is after `classify`.
pub const Settings = struct {
    all: []const Setting,

    pub fn get(settings: Settings, name: []const u8) ?[]const u8 {
        for (settings.all) |setting| {
            if (std.mem.eql(u8, setting.name.slice(), name)) return setting.value.slice();
        }
        return null;
    }

    /// A decimal in hundredths, exactly: money never passes through a float.
    pub fn cents(settings: Settings, name: []const u8) error{Refused}!i64 {
        const value = settings.get(name) orelse "";
        const point = std.mem.indexOfScalar(u8, value, '.') orelse value.len;
        const decimals = std.mem.trimEnd(u8, value[@min(point + 1, value.len)..], "0");
        const units = std.fmt.parseInt(i64, value[0..point], 10) catch return notAnAmount(name);
        if (decimals.len > 2 or @abs(units) > 1_000_000_000_000) return notAnAmount(name);
        var rest: i64 = 0;
        for (0..2) |i| rest = rest * 10 + if (i < decimals.len) decimals[i] - '0' else 0;
        return units * 100 + if (value[0] == '-') -rest else rest;
    }

    pub fn integer(settings: Settings, name: []const u8) error{Refused}!i64 {
        return std.fmt.parseInt(i64, settings.get(name) orelse "", 10) catch refuse(name, "it must be an integer");
    }

    /// A decimal where rounding does not matter.
    pub fn float(settings: Settings, name: []const u8) error{Refused}!f64 {
        return std.fmt.parseFloat(f64, settings.get(name) orelse "") catch refuse(name, "it must be a number");
    }

    fn notAnAmount(name: []const u8) error{Refused} {
        return refuse(name, "it must be an amount such as `12.50`");
    }
};

/// Why a detector could not do what it was asked, for the host.
const Failure = union(enum) {
    invalid_setting: struct { name: []const u8, message: []const u8 },
    invalid_input: []const u8,
};

var failure: Failure = undefined;

/// The error that refuses a setting's value; the message says what would be right.
pub fn refuse(name: []const u8, message: []const u8) error{Refused} {
    failure = .{ .invalid_setting = .{ .name = name, .message = message } };
    return error.Refused;
}

/// The error that says that rows cannot be judged, for instance because of their order.
pub fn invalidInput(message: []const u8) error{Refused} {
    failure = .{ .invalid_input = message };
    return error.Refused;
}

// The log

const imports = struct {
    extern "ingest:detector/host@0.1.0" fn log(level: u32, message: [*]const u8, length: usize) void;
};

/// For `std_options`: `std.log.info` and the like write into the host's log. What is too long is cut.
pub fn log(
    comptime level: std.log.Level,
    comptime _: @EnumLiteral(),
    comptime format: []const u8,
    arguments: anytype,
) void {
    var line: [1024]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&line);
    writer.print(format, arguments) catch {};
    logText(level, writer.buffered());
}

fn logText(level: std.log.Level, text: []const u8) void {
    var line: [2048]u8 = undefined;
    const shown = printable(text, &line);
    imports.log(switch (level) {
        .debug => 0,
        .info => 1,
        .warn => 2,
        .err => 3,
    }, shown.ptr, shown.len);
}

/// For `panic`: an index out of bounds, an overflow or `unreachable` ends the run, with its message in the log.
pub fn panic(message: []const u8, _: ?usize) noreturn {
    if (host_can_be_called) {
        var line: [1024]u8 = undefined;
        logText(.err, std.fmt.bufPrint(&line, "panic: {s}", .{message}) catch message);
    }
    @trap();
}

/// The text without what the host refuses in a reason (control characters, and marks that hide or reorder text),
/// cut where the buffer ends.
fn printable(text: []const u8, buffer: []u8) []const u8 {
    var writer: std.Io.Writer = .fixed(buffer);
    var rest = text;
    while (rest.len > 0) {
        const character = first(rest);
        const bytes = std.unicode.utf8CodepointSequenceLength(character orelse 0) catch unreachable;
        var escaped: [16]u8 = undefined;
        const shown = if (character == null)
            "\u{FFFD}"
        else if (isUnprintable(character.?))
            std.fmt.bufPrint(&escaped, "\\u{{{x}}}", .{character.?}) catch unreachable
        else
            rest[0..bytes];
        rest = rest[bytes..];
        if (writer.end + shown.len > buffer.len) break;
        writer.writeAll(shown) catch break;
    }
    return writer.buffered();
}

/// The character that a text begins with; null if these bytes are none.
fn first(text: []const u8) ?u21 {
    const bytes = std.unicode.utf8ByteSequenceLength(text[0]) catch return null;
    if (bytes > text.len) return null;
    return std.unicode.utf8Decode(text[0..bytes]) catch null;
}

fn isUnprintable(character: u21) bool {
    return switch (character) {
        0...0x1F, 0x7F...0x9F, 0xAD, 0x61C, 0x200B...0x200F, 0x2028...0x202E => true,
        0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F => true,
        else => false,
    };
}

// The functions that the host calls, by the component model's rules. Structs with `extern` are as the host sees them.

/// Where everything is that the host passes or reads, until its call has ended.
var passed: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);
const allocator = passed.allocator();
/// Not while it allocates memory here or frees what it was given.
var host_can_be_called = true;

const max_reason_bytes = 1_000;

fn Slice(comptime T: type) type {
    return extern struct {
        ptr: [*]const T,
        len: usize,

        fn of(items: []const T) @This() {
            // Nothing has an address, too, that must be within the memory.
            return .{ .ptr = if (items.len > 0) items.ptr else @ptrFromInt(@alignOf(T)), .len = items.len };
        }
        fn slice(self: @This()) []const T {
            return self.ptr[0..self.len];
        }
    };
}

const Text = Slice(u8);
const Setting = extern struct { name: Text, value: Text };
const PassedColumn = extern struct { tag: u8, first: Slice(u32), dictionary: Text };
const OptionalText = extern struct { is_some: bool, value: Text };
const PassedSetting = extern struct { name: Text, kind: SettingKind, default: OptionalText, doc: Text };
const PassedMetadata = extern struct {
    name: Text,
    version: Text,
    description: Text,
    settings: Slice(PassedSetting),
    ordering: Ordering,
};
const PassedRequest = extern struct { name: Text, kind: ColumnKind, required: bool };
const PassedAnomaly = extern struct { row: u32, score: f64, reason: Text };
const Answer = extern struct {
    is_error: bool = false,
    content: extern union {
        nothing: void,
        requests: Slice(PassedRequest),
        anomalies: Slice(PassedAnomaly),
        failure: extern struct { tag: u8, first: Text, second: Text },
    } = .{ .nothing = {} },
};

/// Makes the functions of this struct the detector that the host calls.
pub fn exportDetector(comptime D: type) void {
    const exports = struct {
        fn describe() callconv(.c) *const PassedMetadata {
            const metadata = D.describe();
            const settings = allocate(PassedSetting, metadata.settings.len);
            for (settings, metadata.settings) |*to, from| to.* = .{
                .name = .of(from.name),
                .kind = from.kind,
                .default = .{ .is_some = from.default != null, .value = .of(from.default orelse "") },
                .doc = .of(from.doc),
            };
            const answer = allocate(PassedMetadata, 1);
            answer[0] = .{
                .name = .of(metadata.name),
                .version = .of(metadata.version),
                .description = .of(metadata.description),
                .settings = .of(settings),
                .ordering = metadata.ordering,
            };
            return &answer[0];
        }

        fn configure(settings: [*]const Setting, count: usize) callconv(.c) *const Answer {
            const requests = D.configure(.{ .all = settings[0..count] }) catch |err| return refused(err);
            const list = allocate(PassedRequest, requests.len);
            for (list, requests) |*to, from| {
                to.* = .{ .name = .of(from.name), .kind = from.kind, .required = from.required };
            }
            return returned(.{ .content = .{ .requests = .of(list) } });
        }

        fn classify(
            users: [*]const i64,
            user_count: usize,
            amounts: [*]const i64,
            amount_count: usize,
            timestamps: [*]const i64,
            timestamp_count: usize,
            columns: [*]const PassedColumn,
            column_count: usize,
        ) callconv(.c) *const Answer {
            const further = allocate(Column, column_count);
            for (further, columns) |*to, from| to.* = switch (from.tag) {
                0 => .absent,
                1 => .{ .text = .{ .codes = from.first.slice(), .dictionary = entries(from.dictionary.slice()) } },
                else => .{ .number = @as([*]const f64, @ptrCast(@alignCast(from.first.ptr)))[0..from.first.len] },
            };
            const anomalies = D.classify(allocator, .{
                .user_ids = users[0..user_count],
                .amounts = amounts[0..amount_count],
                .timestamps = timestamps[0..timestamp_count],
                .columns = further,
            }) catch |err| return refused(err);
            const list = allocate(PassedAnomaly, anomalies.len);
            for (list, anomalies) |*to, from| {
                to.* = .{ .row = from.row, .score = from.score, .reason = .of(asReason(from.reason)) };
            }
            return returned(.{ .content = .{ .anomalies = .of(list) } });
        }

        fn finish() callconv(.c) *const Answer {
            D.finish() catch |err| return refused(err);
            return returned(.{});
        }

        /// When the host has read an answer, everything that belonged to the call is freed.
        fn afterwards(_: *const anyopaque) callconv(.c) void {
            _ = passed.reset(.retain_capacity);
        }

        fn reallocate(old: [*]u8, old_bytes: usize, _: usize, bytes: usize) callconv(.c) [*]u8 {
            host_can_be_called = false;
            defer host_can_be_called = true;
            const memory: [*]u8 = @ptrCast(allocate(u64, bytes / 8 + 1).ptr);
            @memcpy(memory[0..old_bytes], old[0..old_bytes]);
            return memory;
        }
    };
    @export(&exports.reallocate, .{ .name = "cabi_realloc" });
    for (.{ "describe", "configure", "classify", "finish" }) |name| {
        @export(&@field(exports, name), .{ .name = name });
        @export(&exports.afterwards, .{ .name = "cabi_post_" ++ name });
    }
}

fn allocate(comptime T: type, count: usize) []T {
    return allocator.alloc(T, count) catch @panic("out of memory");
}

fn entries(dictionary: []const u8) []const []const u8 {
    const list = allocate([]const u8, std.mem.count(u8, dictionary, "\x00") + 1);
    var parts = std.mem.splitScalar(u8, dictionary, 0);
    for (list) |*entry| entry.* = parts.next().?;
    return list;
}

fn asReason(reason: []const u8) []const u8 {
    const is_plain = reason.len <= max_reason_bytes and for (reason) |byte| {
        if (byte < ' ' or byte >= 0x7F) break false;
    } else true;
    return if (is_plain) reason else printable(reason, allocate(u8, max_reason_bytes));
}

fn returned(answer: Answer) *const Answer {
    const memory = allocate(Answer, 1);
    memory[0] = answer;
    return &memory[0];
}

fn refused(err: anyerror) *const Answer {
    return returned(.{ .is_error = true, .content = .{ .failure = if (err == error.Refused) switch (failure) {
        .invalid_setting => |it| .{ .tag = 0, .first = .of(it.name), .second = .of(it.message) },
        .invalid_input => |message| .{ .tag = 1, .first = .of(message), .second = .of("") },
    } else .{ .tag = 2, .first = .of(@errorName(err)), .second = .of("") } } });
}
