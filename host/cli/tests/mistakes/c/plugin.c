// Makes the mistake that its setting `mistake` names, in its first batch.

#include <assert.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "detector-helpers.h"

static char mistake[64];

static bool is(const char *name) {
    return strcmp(mistake, name) == 0;
}

void exports_detector_describe(detector_metadata_t *ret) {
    *ret = (detector_metadata_t){
        .name = text("mistaken"),
        .version = text("0.1.0"),
        .description = text("Makes mistakes."),
        .ordering = INGEST_DETECTOR_TYPES_ORDERING_ANY,
        .settings = {.ptr = allocate(1, sizeof *ret->settings.ptr), .len = 1},
    };
    ret->settings.ptr[0] = (ingest_detector_types_setting_description_t){
        .name = text("mistake"),
        .kind = INGEST_DETECTOR_TYPES_SETTING_KIND_TEXT,
        .default_ = {.is_some = true, .val = text("none")},
        .doc = text("Which mistake to make."),
    };
}

bool exports_detector_configure(detector_list_setting_t *settings, detector_list_column_request_t *ret,
                                detector_error_t *err) {
    const detector_string_t *value = setting(settings, "mistake");
    snprintf(mistake, sizeof mistake, "%.*s", (int)value->len, (const char *)value->ptr);
    detector_list_setting_free(settings);
    *ret = (detector_list_column_request_t){0};
    if (is("refused")) {
        *err = refuse("mistake", "anything else would be right");
        return false;
    }
    if (is("columns")) {
        *ret = (detector_list_column_request_t){.ptr = allocate(3, sizeof *ret->ptr), .len = 3};
        ret->ptr[0] = (detector_column_request_t){text("note"), INGEST_DETECTOR_TYPES_COLUMN_KIND_TEXT, true};
        ret->ptr[1] = (detector_column_request_t){text("risk"), INGEST_DETECTOR_TYPES_COLUMN_KIND_NUMBER, true};
        ret->ptr[2] = (detector_column_request_t){text("nowhere"), INGEST_DETECTOR_TYPES_COLUMN_KIND_TEXT, false};
    }
    return true;
}

// Flags every row, with what is in its further columns.
static bool with_columns(detector_batch_t *batch, detector_list_anomaly_t *ret) {
    size_t rows = batch->amounts.len;
    const ingest_detector_types_column_t *columns = batch->columns.ptr;
    detector_string_t *entries = entries_of(&columns[0].val.text);
    *ret = (detector_list_anomaly_t){.ptr = allocate(rows, sizeof *ret->ptr), .len = rows};
    for (size_t row = 0; row < rows; row++) {
        detector_string_t note = entries[columns[0].val.text.codes.ptr[row]];
        double risk = columns[1].val.number.ptr[row];
        char number[32] = "empty";
        if (!isnan(risk))
            snprintf(number, sizeof number, "%g", risk);
        bool is_absent = columns[2].tag == INGEST_DETECTOR_TYPES_COLUMN_ABSENT;
        ret->ptr[row] = (detector_anomaly_t){
            .row = (uint32_t)row,
            .score = 1,
            .reason = reason("%.*s, %s, %s", (int)note.len, (const char *)note.ptr, number,
                             is_absent ? "absent" : "there"),
        };
    }
    free(entries);
    detector_batch_free(batch);
    return true;
}

__attribute__((__noinline__)) static int deeper(volatile int *depth) {
    volatile char frame[256] = {0};
    *depth += 1;
    return *depth == 0 ? 0 : deeper(depth) + frame[*depth % 256];
}

// Not known to the compiler.
static void *volatile nothing;
static volatile size_t five = 5;
static volatile int largest = 2147483647;

bool exports_detector_classify(detector_batch_t *batch, detector_list_anomaly_t *ret, detector_error_t *err) {
    *ret = (detector_list_anomaly_t){0};
    if (is("columns"))
        return with_columns(batch, ret);
    if (is("null-pointer")) {
        log_line(INGEST_DETECTOR_HOST_LEVEL_INFO, "%d is there", *(int *)nothing);
    } else if (is("wild-pointer")) {
        log_line(INGEST_DETECTOR_HOST_LEVEL_INFO, "%d is there", *(volatile int *)0x7FFFFFF0);
    } else if (is("array-index")) {
        static volatile int array[3];
        array[five] = 1;
    } else if (is("overrun")) {
        volatile char *memory = malloc(4);
        memory[five] = 1;
        free((void *)memory);
    } else if (is("use-after-free")) {
        char *volatile memory = malloc(8);
        free(memory);
        memory[0] = 1;
    } else if (is("double-free")) {
        void *volatile memory = malloc(8);
        free(memory);
        free(memory);
    } else if (is("freed-before-returned")) {
        *ret = (detector_list_anomaly_t){.ptr = allocate(1, sizeof *ret->ptr), .len = 1};
        ret->ptr[0] = (detector_anomaly_t){.row = 0, .score = 1, .reason = reason("freed too early")};
        free(ret->ptr[0].reason.ptr);
    } else if (is("batch-freed-twice")) {
        detector_batch_t copy = *batch;
        detector_batch_free(&copy);
    } else if (is("not-allocated")) {
        *ret = (detector_list_anomaly_t){.ptr = allocate(1, sizeof *ret->ptr), .len = 1};
        ret->ptr[0] = (detector_anomaly_t){.row = 0, .score = 1};
        detector_string_set(&ret->ptr[0].reason, "a literal");
    } else if (is("overflow")) {
        largest += 1;
    } else if (is("divide-by-zero")) {
        largest /= (int)five - 5;
    } else if (is("printing")) {
        printf("printed: %d ", 1);
        printf("and %.1f, ü\n", 2.5);
        fprintf(stderr, "to stderr\n");
        log_line(INGEST_DETECTOR_HOST_LEVEL_INFO, "logged");
    } else if (is("time")) {
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        clock_gettime(CLOCK_MONOTONIC, &after);
        bool counts = after.tv_nsec > before.tv_nsec;
        printf("time %lld, clock %s\n", (long long)time(NULL), counts ? "counts" : "stands still");
    } else if (is("random")) {
        unsigned char bytes[2];
        getentropy(bytes, sizeof bytes);
        printf("%02x%02x\n", bytes[0], bytes[1]);
    } else if (is("file")) {
        if (open("/etc/passwd", O_RDONLY) < 0)
            perror("/etc/passwd");
    } else if (is("environment")) {
        printf("%s\n", getenv("HOME") == NULL ? "nothing" : getenv("HOME"));
    } else if (is("endless-loop")) {
        while (five > 0) {
        }
    } else if (is("endless-recursion")) {
        volatile int depth = 0;
        deeper(&depth);
    } else if (is("too-much-memory")) {
        for (;;)
            nothing = allocate(1, 1 << 20);
    } else if (is("assertion")) {
        assert(five == 6);
    } else if (is("abort")) {
        abort();
    } else if (is("exit")) {
        exit(0);
    } else if (is("internal")) {
        *err = (detector_error_t){.tag = INGEST_DETECTOR_TYPES_ERROR_INTERNAL, .val = {.internal = text("no idea")}};
        detector_batch_free(batch);
        return false;
    } else if (is("reason-unprintable")) {
        *ret = (detector_list_anomaly_t){.ptr = allocate(1, sizeof *ret->ptr), .len = 1};
        ret->ptr[0] = (detector_anomaly_t){.row = 0, .score = 1, .reason = reason("%s", "\x1b[2J\n\xff ü\xe2\x80\xae")};
    }
    detector_batch_free(batch);
    return true;
}

bool exports_detector_finish(detector_error_t *err) {
    (void)err;
    return true;
}
