// Between the host's view of values, which the bindings have, and contract.hpp.

#include "contract.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bindings/detector.h"

namespace contract {
namespace {

constexpr size_t max_reason_bytes = 1000;

Detector &the_detector() {
    static std::unique_ptr<Detector> made = detector();
    return *made;
}

std::string_view view(const detector_string_t &text) {
    return {reinterpret_cast<const char *>(text.ptr), text.len};
}

// What is returned is freed by the bindings: every text and list must be allocated by itself, with malloc.
template <typename T> T *allocate(size_t count) {
    T *items = count > 0 ? static_cast<T *>(calloc(count, sizeof(T))) : nullptr;
    if (count > 0 && items == nullptr)
        abort();
    return items;
}

detector_string_t copy(std::string_view text) {
    detector_string_t made = {allocate<uint8_t>(text.size()), text.size()};
    if (!text.empty())
        memcpy(made.ptr, text.data(), text.size());
    return made;
}

// The character that begins at `at`, of so many bytes; nothing if these bytes are none.
std::optional<uint32_t> character_at(std::string_view text, size_t at, size_t &bytes) {
    static constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = uint8_t(text[at]);
    bytes = 1;
    size_t length = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF8 ? 4 : 0;
    if (length == 0 || length > text.size() - at)
        return std::nullopt;
    uint32_t character = length == 1 ? first : first & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        uint8_t next = uint8_t(text[at + i]);
        if ((next & 0xC0) != 0x80)
            return std::nullopt;
        character = character << 6 | (next & 0x3Fu);
    }
    if (character < smallest[length] || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
        return std::nullopt;
    bytes = length;
    return character;
}

// Whether the host refuses it in a reason: control characters, and marks that hide or reorder text.
bool is_unprintable(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

std::string printable(std::string_view text, size_t max_bytes) {
    std::string shown;
    for (size_t at = 0, bytes; at < text.size(); at += bytes) {
        std::optional<uint32_t> character = character_at(text, at, bytes);
        char escape[16];
        std::string_view next = text.substr(at, bytes);
        if (!character) {
            next = "\uFFFD";
        } else if (is_unprintable(*character)) {
            snprintf(escape, sizeof escape, "\\u{%x}", unsigned(*character));
            next = escape;
        }
        if (shown.size() + next.size() > max_bytes)
            break;
        shown += next;
    }
    return shown;
}

detector_error_t passed(const Error &error) {
    detector_error_t made = {};
    made.tag = uint8_t(error.kind);
    if (error.kind == Error::Kind::invalid_setting) {
        made.val.invalid_setting = {copy(error.setting), copy(error.message)};
    } else {
        // The other two have the same form.
        made.val.internal = copy(error.message);
    }
    return made;
}

Column column_of(const ingest_detector_types_column_t &passed) {
    switch (passed.tag) {
    case INGEST_DETECTOR_TYPES_COLUMN_TEXT: {
        const auto &[codes, dictionary] = passed.val.text;
        TextColumn column = {.codes = {codes.ptr, codes.len}, .dictionary = {}};
        std::string_view rest = view(dictionary);
        for (size_t end; (end = rest.find('\0')) != rest.npos; rest.remove_prefix(end + 1))
            column.dictionary.push_back(rest.substr(0, end));
        column.dictionary.push_back(rest);
        return column;
    }
    case INGEST_DETECTOR_TYPES_COLUMN_NUMBER:
        return NumberColumn{passed.val.number.ptr, passed.val.number.len};
    default:
        return std::monostate{};
    }
}

} // namespace

void log(Level level, std::string_view message) {
    std::string shown = printable(message, 4096);
    detector_string_t text = {reinterpret_cast<uint8_t *>(shown.data()), shown.size()};
    ingest_detector_host_log(uint8_t(level), &text);
}

std::optional<std::string> Settings::text(std::string_view name) const {
    for (const auto &[other, value] : values)
        if (other == name)
            return value;
    return std::nullopt;
}

std::optional<int64_t> Settings::integer(std::string_view name) const {
    std::string value = text(name).value_or("");
    int64_t number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size())
        return std::nullopt;
    return number;
}

std::optional<int64_t> Settings::cents(std::string_view name) const {
    std::string value = text(name).value_or("");
    size_t point = value.find('.');
    std::string units = value.substr(0, point), decimals = point == value.npos ? "" : value.substr(point + 1);
    decimals.erase(decimals.find_last_not_of('0') + 1);
    if (decimals.size() > 2)
        return std::nullopt;
    return Settings({{"cents", units + (decimals + "00").substr(0, 2)}}).integer("cents");
}

std::optional<double> Settings::number(std::string_view name) const {
    std::optional<std::string> value = text(name);
    return value ? std::optional(strtod(value->c_str(), nullptr)) : std::nullopt;
}

} // namespace contract

using namespace contract;

void exports_detector_describe(detector_metadata_t *ret) {
    Metadata metadata = the_detector().describe();
    *ret = {
        .name = copy(metadata.name),
        .version = copy(metadata.version),
        .description = copy(metadata.description),
        .settings = {allocate<ingest_detector_types_setting_description_t>(metadata.settings.size()),
                     metadata.settings.size()},
        .ordering = uint8_t(metadata.ordering),
    };
    for (size_t i = 0; i < metadata.settings.size(); i++) {
        const SettingDescription &setting = metadata.settings[i];
        ret->settings.ptr[i] = {
            .name = copy(setting.name),
            .kind = uint8_t(setting.kind),
            .default_ = {setting.default_value.has_value(), copy(setting.default_value.value_or(""))},
            .doc = copy(setting.doc),
        };
    }
}

bool exports_detector_configure(detector_list_setting_t *settings, detector_list_column_request_t *ret,
                                detector_error_t *err) {
    std::vector<std::pair<std::string, std::string>> values;
    for (size_t i = 0; i < settings->len; i++)
        values.emplace_back(view(settings->ptr[i].name), view(settings->ptr[i].value));
    detector_list_setting_free(settings);

    auto requests = the_detector().configure(Settings(std::move(values)));
    if (!requests) {
        *err = passed(requests.error());
        return false;
    }
    *ret = {allocate<detector_column_request_t>(requests->size()), requests->size()};
    for (size_t i = 0; i < requests->size(); i++) {
        const ColumnRequest &request = (*requests)[i];
        ret->ptr[i] = {.name = copy(request.name), .kind = uint8_t(request.kind), .required = request.required};
    }
    return true;
}

bool exports_detector_classify(detector_batch_t *batch, detector_list_anomaly_t *ret, detector_error_t *err) {
    Batch rows = {
        .user_ids = {batch->user_ids.ptr, batch->user_ids.len},
        .amounts = {batch->amounts.ptr, batch->amounts.len},
        .timestamps = {batch->timestamps.ptr, batch->timestamps.len},
        .columns = {},
    };
    for (size_t i = 0; i < batch->columns.len; i++)
        rows.columns.push_back(column_of(batch->columns.ptr[i]));

    auto anomalies = the_detector().classify(rows);
    detector_batch_free(batch);
    if (!anomalies) {
        *err = passed(anomalies.error());
        return false;
    }
    *ret = {allocate<detector_anomaly_t>(anomalies->size()), anomalies->size()};
    for (size_t i = 0; i < anomalies->size(); i++) {
        const Anomaly &anomaly = (*anomalies)[i];
        ret->ptr[i] = {
            .row = anomaly.row,
            .score = anomaly.score,
            .reason = copy(printable(anomaly.reason, max_reason_bytes)),
        };
    }
    return true;
}

bool exports_detector_finish(detector_error_t *err) {
    auto finished = the_detector().finish();
    if (!finished)
        *err = passed(finished.error());
    return finished.has_value();
}
