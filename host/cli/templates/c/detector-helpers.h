// What most detectors need beside the bindings.
//
// Who owns what: what the host passes (settings, a batch) is the detector's to free, once, with the
// bindings' `…_free`. What the detector returns is freed by the bindings, so every text and list in it
// must be allocated, each by itself; `text`, `reason` and `allocate` do so.

#ifndef DETECTOR_HELPERS_H
#define DETECTOR_HELPERS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/detector.h"

// The longest reason that the contract allows, in bytes.
#define MAX_REASON_BYTES 1000

// Memory for so many items, all zero; null for none. Without memory, the detector ends here.
static inline void *allocate(size_t count, size_t bytes) {
    void *memory = count > 0 ? calloc(count, bytes) : NULL;
    if (count > 0 && memory == NULL)
        abort();
    return memory;
}

// A copy of a text, to return.
static inline detector_string_t text(const char *text) {
    detector_string_t copy = {.ptr = allocate(strlen(text), 1), .len = strlen(text)};
    if (copy.len > 0)
        memcpy(copy.ptr, text, copy.len);
    return copy;
}

// The character that begins at `at` and ends before `end`; 0xFFFD, of one byte, if there is none.
static inline uint32_t next_character(const uint8_t *at, const uint8_t *end, size_t *bytes) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *at < 0x80 ? 1 : *at < 0xC0 ? 0 : *at < 0xE0 ? 2 : *at < 0xF0 ? 3 : *at < 0xF8 ? 4 : 0;
    *bytes = 1;
    if (length == 0 || length > (size_t)(end - at))
        return 0xFFFD;
    uint32_t character = length == 1 ? *at : *at & (0x7F >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0xFFFD;
        character = character << 6 | (at[i] & 0x3F);
    }
    if (character < smallest[length] || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
        return 0xFFFD;
    *bytes = length;
    return character;
}

// Whether the host refuses it in a reason: control characters, and marks that hide or reorder text.
static inline bool is_unprintable(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

// A reason, formatted as by `printf`: what may not be in it is written as `\u{1b}`, and what is too long
// is cut. So texts from the file can be quoted in it: `reason("unusual: %.*s", (int)text.len, text.ptr)`.
__attribute__((__format__(__printf__, 1, 2))) static inline detector_string_t reason(const char *format, ...) {
    char formatted[MAX_REASON_BYTES + 1], printable[MAX_REASON_BYTES + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(formatted, sizeof formatted, format, arguments);
    va_end(arguments);

    const uint8_t *at = (const uint8_t *)formatted, *end = at + strlen(formatted);
    size_t used = 0;
    while (at < end) {
        size_t bytes;
        uint32_t character = next_character(at, end, &bytes);
        // A character that was cut in two.
        if (character == 0xFFFD && bytes == 1 && length > MAX_REASON_BYTES && end - at < 4)
            break;
        char escape[16];
        bool is_bad = is_unprintable(character) || (character == 0xFFFD && bytes == 1);
        int wanted = is_bad ? snprintf(escape, sizeof escape, "\\u{%x}", (unsigned)character) : (int)bytes;
        if (used + (size_t)wanted > MAX_REASON_BYTES)
            break;
        memcpy(printable + used, is_bad ? escape : (const char *)at, (size_t)wanted);
        used += (size_t)wanted;
        at += bytes;
    }
    printable[used] = '\0';
    return text(printable);
}

// Writes a line, formatted as by `printf`, into the host's log (`host -v` shows it, `-vv` also `DEBUG`).
// `printf` does as well, at the level `INFO`, and `fprintf(stderr, …)` at the level `WARN`.
__attribute__((__format__(__printf__, 2, 3))) static inline void
log_line(ingest_detector_host_level_t level, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    detector_string_t message = {.ptr = (uint8_t *)line, .len = strlen(line)};
    ingest_detector_host_log(level, &message);
}

// The value of a setting; null if it is optional and was not given.
static inline const detector_string_t *setting(const detector_list_setting_t *settings, const char *name) {
    for (size_t i = 0; i < settings->len; i++) {
        const detector_string_t *other = &settings->ptr[i].name;
        if (other->len == strlen(name) && memcmp(other->ptr, name, other->len) == 0)
            return &settings->ptr[i].value;
    }
    return NULL;
}

// A decimal such as `-12.5` in hundredths, exactly: money never passes through a float. False if it has
// more than two decimals or is larger than any amount.
static inline bool cents_of(const detector_string_t *value, int64_t *cents) {
    if (value == NULL)
        return false;
    size_t i = value->len > 0 && value->ptr[0] == '-', decimals = 0;
    bool is_negative = i == 1, has_point = false;
    int64_t sum = 0;
    for (; i < value->len && sum < 1000000000000; i++) {
        if (value->ptr[i] == '.' && !has_point) {
            has_point = true;
        } else if (value->ptr[i] >= '0' && value->ptr[i] <= '9' && decimals < 2) {
            sum = sum * 10 + (value->ptr[i] - '0');
            decimals += has_point;
        } else if (value->ptr[i] == '0' && has_point) {
            continue;
        } else {
            return false;
        }
    }
    for (; decimals < 2; decimals++)
        sum *= 10;
    *cents = is_negative ? -sum : sum;
    return i == value->len;
}

// The error that refuses a setting's value; the message says what would be right.
static inline detector_error_t refuse(const char *name, const char *message) {
    return (detector_error_t){
        .tag = INGEST_DETECTOR_TYPES_ERROR_INVALID_SETTING,
        .val = {.invalid_setting = {.name = text(name), .message = text(message)}},
    };
}

// The different texts of a column, of which row `i` has entry `codes.ptr[i]`. They point into the batch;
// the array is the caller's to free.
static inline detector_string_t *entries_of(const ingest_detector_types_text_column_t *column) {
    uint8_t *at = column->dictionary.ptr, *end = at + column->dictionary.len;
    size_t count = 1;
    for (const uint8_t *byte = at; byte < end; byte++)
        count += *byte == 0;
    detector_string_t *entries = allocate(count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        uint8_t *stop = memchr(at, 0, (size_t)(end - at));
        entries[i] = (detector_string_t){.ptr = at, .len = (size_t)((stop == NULL ? end : stop) - at)};
        at += entries[i].len + 1;
    }
    return entries;
}

#endif
