// Flags round amounts: people who make up transactions tend to make up round ones.

#include <stdlib.h>
#include <string.h>

#include "bindings/detector.h"

static int64_t minimum_cents;

// The bindings free what is returned to the host, so every string and list must be a copy. What comes
// from the host is ours to free.
static detector_string_t copy(const char *text) {
    detector_string_t string;
    detector_string_dup(&string, text);
    return string;
}

static bool is(const detector_string_t *string, const char *text) {
    return string->len == strlen(text) && memcmp(string->ptr, text, string->len) == 0;
}

void exports_detector_describe(detector_metadata_t *ret) {
    memset(ret, 0, sizeof *ret);
    ret->name = copy("my-detector");
    ret->version = copy("0.1.0");
    ret->description = copy("Flags round amounts from `minimum` up. The score is the amount.");
    // Each row is judged by itself. See the WIT for the other two orderings.
    ret->ordering = INGEST_DETECTOR_TYPES_ORDERING_ANY;
    ret->settings.len = 1;
    ret->settings.ptr = malloc(sizeof *ret->settings.ptr);
    ret->settings.ptr[0] = (ingest_detector_types_setting_description_t){
        .name = copy("minimum"),
        .kind = INGEST_DETECTOR_TYPES_SETTING_KIND_DECIMAL,
        .default_ = {.is_some = true, .val = copy("10")},
        .doc = copy("Round amounts from this one up are anomalous."),
    };
}

// An amount such as `12.50` as hundredths, exactly: money never passes through a float.
static bool parse_cents(const detector_string_t *text, int64_t *cents) {
    size_t i = 0, decimals = 0;
    int64_t value = 0;
    for (; i < text->len && i < 12 && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++)
        value = value * 10 + (text->ptr[i] - '0');
    if (i == 0)
        return false;
    if (i < text->len && text->ptr[i] == '.') {
        for (i++; i < text->len && decimals < 2 && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++, decimals++)
            value = value * 10 + (text->ptr[i] - '0');
        if (decimals == 0)
            return false;
    }
    for (; decimals < 2; decimals++)
        value *= 10;
    *cents = value;
    return i == text->len;
}

static bool refuse(const detector_string_t *name, const char *message, detector_error_t *err) {
    err->tag = INGEST_DETECTOR_TYPES_ERROR_INVALID_SETTING;
    detector_string_dup_n(&err->val.invalid_setting.name, (const char *)name->ptr, name->len);
    err->val.invalid_setting.message = copy(message);
    return false;
}

bool exports_detector_configure(detector_list_setting_t *settings, detector_error_t *err) {
    bool taken = true;
    minimum_cents = 1000;
    for (size_t i = 0; taken && i < settings->len; i++) {
        const detector_setting_t *setting = &settings->ptr[i];
        if (!is(&setting->name, "minimum"))
            taken = refuse(&setting->name, "unknown setting; this detector has `minimum`", err);
        else if (!parse_cents(&setting->value, &minimum_cents))
            taken = refuse(&setting->name, "the value is not an amount such as `12.50`", err);
    }
    detector_list_setting_free(settings);
    return taken;
}

static bool is_anomalous(int64_t cents) {
    return cents >= minimum_cents && cents % 100 == 0;
}

// Without snprintf: C's stdio would make the plugin import WASI.
static detector_string_t reason(int64_t units) {
    char text[] = "12345678901234567890.00 is a round amount";
    char *start = strchr(text, '.');
    do {
        *--start = (char)('0' + units % 10);
        units /= 10;
    } while (units > 0 && start > text);
    return copy(start);
}

bool exports_detector_classify(detector_batch_t *batch, detector_list_anomaly_t *ret, detector_error_t *err) {
    (void)err;
    size_t found = 0;
    const int64_t *amounts = batch->amounts.ptr;
    for (size_t row = 0; row < batch->amounts.len; row++)
        found += is_anomalous(amounts[row]);
    ret->len = found;
    ret->ptr = malloc(found * sizeof *ret->ptr);

    detector_anomaly_t *next = ret->ptr;
    for (size_t row = 0; row < batch->amounts.len; row++) {
        if (!is_anomalous(amounts[row]))
            continue;
        *next++ = (detector_anomaly_t){
            .row = (uint32_t)row,
            .score = (double)amounts[row] / 100.0,
            .reason = reason(amounts[row] / 100),
        };
    }
    detector_batch_free(batch);
    return true;
}

bool exports_detector_finish(detector_error_t *err) {
    (void)err;
    return true;
}
