// wit/detector.wit in C++: what the host and a detector pass to each other. What it means is said there.
//
// There are no exceptions: they would take code that WebAssembly's standard libraries do not have yet. What can
// fail returns a Result; what should never happen ends in `abort()`, and the run with it.

#ifndef CONTRACT_HPP
#define CONTRACT_HPP

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace contract {

enum class Ordering : uint8_t { any, per_user, file };
enum class SettingKind : uint8_t { text, integer, decimal, boolean };
enum class ColumnKind : uint8_t { text, number };
enum class Level : uint8_t { debug, info, warn, error };

struct SettingDescription {
    std::string name;
    SettingKind kind;
    // Without one, the setting is optional.
    std::optional<std::string> default_value;
    std::string doc;
};

struct Metadata {
    std::string name, version, description;
    std::vector<SettingDescription> settings;
    Ordering ordering;
};

struct ColumnRequest {
    std::string name;
    ColumnKind kind;
    bool required;
};

struct TextColumn {
    // For each row, which entry of the dictionary it has.
    std::span<const uint32_t> codes;
    std::vector<std::string_view> dictionary;

    std::string_view operator[](size_t row) const { return dictionary[codes[row]]; }
};

// NaN where the cell is empty.
using NumberColumn = std::span<const double>;

// The first if the file has no such column.
using Column = std::variant<std::monostate, TextColumn, NumberColumn>;

// Rows in file order; gone after `classify`.
struct Batch {
    std::span<const int64_t> user_ids;
    // In hundredths.
    std::span<const int64_t> amounts;
    // Microseconds since 1970.
    std::span<const int64_t> timestamps;
    // Those that `configure` asked for, in its order.
    std::vector<Column> columns;
};

struct Anomaly {
    uint32_t row;
    double score;
    // One line. What may not be in it is escaped, and what is too long is cut.
    std::string reason;
};

// The values by name. The host has checked names and kinds, and filled in the defaults.
class Settings {
public:
    explicit Settings(std::vector<std::pair<std::string, std::string>> values) : values(std::move(values)) {}
    // Nothing if it is optional and was not given.
    std::optional<std::string> text(std::string_view name) const;
    std::optional<int64_t> integer(std::string_view name) const;
    // A decimal in hundredths, exactly: money never passes through a float. Nothing if it is no amount.
    std::optional<int64_t> cents(std::string_view name) const;
    // A decimal where rounding does not matter.
    std::optional<double> number(std::string_view name) const;
    bool boolean(std::string_view name) const { return text(name) == "true"; }

private:
    std::vector<std::pair<std::string, std::string>> values;
};

// Why a detector could not do what it was asked.
struct Error {
    enum class Kind : uint8_t { invalid_setting, invalid_input, internal } kind;
    std::string setting, message;
};

template <typename T> using Result = std::expected<T, Error>;

// Refuses a setting's value; the message says what would be right.
inline std::unexpected<Error> refuse(std::string setting, std::string message) {
    return std::unexpected(Error{Error::Kind::invalid_setting, std::move(setting), std::move(message)});
}

// Rows cannot be judged, for instance because of their order.
inline std::unexpected<Error> invalid_input(std::string message) {
    return std::unexpected(Error{Error::Kind::invalid_input, {}, std::move(message)});
}

inline std::unexpected<Error> internal(std::string message) {
    return std::unexpected(Error{Error::Kind::internal, {}, std::move(message)});
}

class Detector {
public:
    virtual ~Detector() = default;
    virtual Metadata describe() = 0;
    // Sets the settings, and returns the further columns that the detector needs with them.
    virtual Result<std::vector<ColumnRequest>> configure(const Settings &settings) = 0;
    virtual Result<std::vector<Anomaly>> classify(const Batch &batch) = 0;
    virtual Result<void> finish() { return {}; }
};

// Defined by the detector.
std::unique_ptr<Detector> detector();

// Writes into the host's log. `printf` and `std::puts` do, too, at the level `info`.
void log(Level level, std::string_view message);

} // namespace contract

#endif
