// Flags round amounts: people who make up transactions tend to make up round ones.

#include "detector-helpers.h"

static int64_t minimum_cents;

void exports_detector_describe(detector_metadata_t *ret) {
    *ret = (detector_metadata_t){
        .name = text("my-detector"),
        .version = text("0.1.0"),
        .description = text("Flags round amounts from `minimum` up. The score is the amount."),
        // Each row is judged by itself. See the WIT for the other two orderings.
        .ordering = INGEST_DETECTOR_TYPES_ORDERING_ANY,
        .settings = {.ptr = allocate(1, sizeof *ret->settings.ptr), .len = 1},
    };
    ret->settings.ptr[0] = (ingest_detector_types_setting_description_t){
        .name = text("minimum"),
        .kind = INGEST_DETECTOR_TYPES_SETTING_KIND_DECIMAL,
        .default_ = {.is_some = true, .val = text("10")},
        .doc = text("Round amounts from this one up are anomalous."),
    };
}

bool exports_detector_configure(detector_list_setting_t *settings, detector_list_column_request_t *ret,
                                detector_error_t *err) {
    bool taken = cents_of(setting(settings, "minimum"), &minimum_cents) && minimum_cents >= 0;
    if (!taken)
        *err = refuse("minimum", "it must be an amount such as `12.50`");
    // No further columns.
    *ret = (detector_list_column_request_t){0};
    detector_list_setting_free(settings);
    return taken;
}

static bool is_anomalous(int64_t cents) {
    return cents >= minimum_cents && cents % 100 == 0;
}

bool exports_detector_classify(detector_batch_t *batch, detector_list_anomaly_t *ret, detector_error_t *err) {
    (void)err;
    const int64_t *amounts = batch->amounts.ptr;
    size_t rows = batch->amounts.len, found = 0;
    for (size_t row = 0; row < rows; row++)
        found += is_anomalous(amounts[row]);
    *ret = (detector_list_anomaly_t){.ptr = allocate(found, sizeof *ret->ptr), .len = found};

    detector_anomaly_t *next = ret->ptr;
    for (size_t row = 0; row < rows; row++) {
        if (!is_anomalous(amounts[row]))
            continue;
        *next++ = (detector_anomaly_t){
            .row = (uint32_t)row,
            .score = (double)amounts[row] / 100.0,
            .reason = reason("%lld.00 is a round amount", (long long)(amounts[row] / 100)),
        };
    }
    detector_batch_free(batch);
    return true;
}

bool exports_detector_finish(detector_error_t *err) {
    (void)err;
    return true;
}
