//! Flags round amounts: people who make up transactions tend to make up round ones.

const std = @import("std");
const contract = @import("contract.zig");

// What the host calls, what is printed by `std.log`, and what becomes of a panic.
comptime {
    contract.exportDetector(@This());
}
pub const std_options: std.Options = .{ .logFn = contract.log, .log_level = .debug };
pub const panic = std.debug.FullPanic(contract.panic);

/// What a run was configured with and has learned, from `configure` to `finish`.
var minimum_cents: i64 = 0;

pub fn describe() contract.Metadata {
    return .{
        .name = "my-detector",
        .version = "0.1.0",
        .description = "Flags round amounts from `minimum` up. The score is the amount.",
        // Each row is judged by itself. See the WIT for the other two orderings.
        .ordering = .any,
        .settings = &.{.{
            .name = "minimum",
            .kind = .decimal,
            .default = "10",
            .doc = "Round amounts from this one up are anomalous.",
        }},
    };
}

pub fn configure(settings: contract.Settings) ![]const contract.ColumnRequest {
    minimum_cents = try settings.cents("minimum");
    if (minimum_cents < 0) return contract.refuse("minimum", "it must not be negative");
    // No further columns.
    return &.{};
}

/// What is allocated with `allocator` is freed when the host has read the answer.
pub fn classify(allocator: std.mem.Allocator, batch: contract.Batch) ![]const contract.Anomaly {
    var anomalies: std.ArrayList(contract.Anomaly) = .empty;
    for (batch.amounts, 0..) |cents, row| {
        if (cents < minimum_cents or @rem(cents, 100) != 0) continue;
        try anomalies.append(allocator, .{
            .row = @intCast(row),
            .score = @as(f64, @floatFromInt(cents)) / 100,
            .reason = try std.fmt.allocPrint(allocator, "{d}.00 is a round amount", .{@divTrunc(cents, 100)}),
        });
    }
    return anomalies.items;
}

pub fn finish() !void {}
