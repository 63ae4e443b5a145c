//! Makes the mistake that its setting `mistake` names, in its first batch.

const std = @import("std");
const contract = @import("contract.zig");

comptime {
    contract.exportDetector(@This());
}
pub const std_options: std.Options = .{ .logFn = contract.log, .log_level = .debug };
pub const panic = std.debug.FullPanic(contract.panic);

const Mistake = enum {
    none,
    refused,
    columns,
    @"null-pointer",
    @"array-index",
    overflow,
    @"divide-by-zero",
    panic,
    @"unreachable",
    @"wrong-alternative",
    printing,
    @"endless-loop",
    @"endless-recursion",
    @"too-much-memory",
    internal,
    @"reason-unprintable",
};

var mistake: Mistake = .none;

// Not known to the compiler.
var nothing: ?*u32 = null;
var five: usize = 5;

pub fn describe() contract.Metadata {
    return .{
        .name = "mistaken",
        .version = "0.1.0",
        .description = "Makes mistakes.",
        .ordering = .any,
        .settings = &.{.{ .name = "mistake", .kind = .text, .default = "none", .doc = "Which mistake to make." }},
    };
}

pub fn configure(settings: contract.Settings) ![]const contract.ColumnRequest {
    mistake = std.meta.stringToEnum(Mistake, settings.get("mistake").?) orelse .none;
    return switch (mistake) {
        .refused => contract.refuse("mistake", "anything else would be right"),
        .columns => &.{
            .{ .name = "note", .kind = .text, .required = true },
            .{ .name = "risk", .kind = .number, .required = true },
            .{ .name = "nowhere", .kind = .text, .required = false },
        },
        else => &.{},
    };
}

noinline fn deeper(depth: *volatile u32) u32 {
    depth.* +%= 1;
    return deeper(depth) +% depth.*;
}

pub fn classify(allocator: std.mem.Allocator, batch: contract.Batch) ![]const contract.Anomaly {
    var anomalies: std.ArrayList(contract.Anomaly) = .empty;
    const numbers = [_]usize{ 1, 2, 3 };
    switch (mistake) {
        .none, .refused => {},
        .columns => for (0..batch.amounts.len) |row| {
            const risk = batch.columns[1].number[row];
            const number = if (std.math.isNan(risk)) "empty" else try std.fmt.allocPrint(allocator, "{d}", .{risk});
            try anomalies.append(allocator, .{
                .row = @intCast(row),
                .score = 1,
                .reason = try std.fmt.allocPrint(allocator, "{s}, {s}, {s}", .{
                    batch.columns[0].text.of(row), number, if (batch.columns[2] == .absent) "absent" else "there",
                }),
            });
        },
        .@"null-pointer" => std.log.info("{d} is there", .{nothing.?.*}),
        .@"array-index" => std.log.info("{d} is there", .{numbers[five]}),
        .overflow => five -= 6,
        .@"divide-by-zero" => five /= five - 5,
        .panic => @panic("this should never happen"),
        .@"unreachable" => unreachable,
        .@"wrong-alternative" => {
            var column: contract.Column = .absent;
            _ = &column;
            std.log.info("{d} is there", .{column.number[0]});
        },
        .printing => {
            std.log.info("logged: {d} ü", .{five});
            std.log.err("as an error", .{});
        },
        .@"endless-loop" => while (five > 0) std.mem.doNotOptimizeAway(five),
        .@"endless-recursion" => {
            var depth: u32 = 0;
            std.log.info("{d}", .{deeper(&depth)});
        },
        .@"too-much-memory" => while (true) {
            @memset(try allocator.alloc(u8, 1 << 20), 1);
        },
        .internal => return error.NoIdea,
        .@"reason-unprintable" => try anomalies.append(allocator, .{
            .row = 0,
            .score = 1,
            .reason = "\x1b[2J\n\xff ü\u{202e}",
        }),
    }
    return anomalies.items;
}

pub fn finish() !void {}
