// Memory for `make debug`: finds what is freed twice or without having been allocated, what is written
// beyond the end of an allocation, and what is written after it was freed. It says so in the host's log
// and ends the detector there; the functions of this file that are named after mistakes are for the
// backtrace.
//
// An allocation has the size of a power of two. Before what the caller gets is a header, behind it are
// bytes of a fixed value. What is freed is filled, and used again only after many others have been freed.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bindings/detector.h"

#define ALLOCATED 0xA110C8EDu
#define FREED 0xF4EEF4EEu
#define BEHIND 0xBE
#define AFTER 0xAF
// How many bytes behind an allocation are watched, at least.
#define BEHIND_BYTES 16
// How many freed allocations of a size wait before the first of them is used again.
#define WAITING 256

typedef struct header {
    struct header *next;
    size_t bytes;
    uint32_t number;
    uint32_t state;
} header_t;

_Static_assert(sizeof(header_t) % 16 == 0, "what is behind the header is aligned");

// Of each power of two: what was freed, the oldest first.
static struct {
    header_t *first, *last;
    size_t count;
} freed[32];

static uint32_t allocations;
// The host cannot be called while it allocates memory here or this memory is freed for it.
static bool host_is_waiting = true;

static void say(const char *what, const header_t *header) {
    if (!host_is_waiting)
        return;
    char line[200];
    snprintf(line, sizeof line, "guard: %s: allocation %u of %u bytes", what, (unsigned)header->number,
             (unsigned)header->bytes);
    detector_string_t message = {.ptr = (uint8_t *)line, .len = strlen(line)};
    ingest_detector_host_log(INGEST_DETECTOR_HOST_LEVEL_ERROR, &message);
}

#define MISTAKE(name, what)                                                                                    \
    static _Noreturn __attribute__((__noinline__)) void name(const header_t *header) {                         \
        say(what, header);                                                                                     \
        __builtin_trap();                                                                                      \
    }

MISTAKE(memory_was_freed_twice, "memory is freed that was freed before")
MISTAKE(memory_was_written_after_free, "memory was written to after it was freed")
MISTAKE(memory_was_written_beyond_its_end, "memory was written to beyond its end")

static _Noreturn __attribute__((__noinline__)) void memory_was_never_allocated(void) {
    say("memory is freed that was never allocated, or what is before it was overwritten", &(header_t){0});
    __builtin_trap();
}

static unsigned class_of(size_t bytes) {
    size_t whole = sizeof(header_t) + bytes + BEHIND_BYTES;
    return 32 - (unsigned)__builtin_clz((unsigned)(whole - 1));
}

static size_t room(const header_t *header) {
    return ((size_t)1 << class_of(header->bytes)) - sizeof(header_t);
}

static bool is_filled(const uint8_t *from, const uint8_t *end, uint8_t value) {
    while (from < end && *from == value)
        from++;
    return from == end;
}

// More memory from WebAssembly itself; what is left of the last piece is used first.
static header_t *fresh(size_t bytes) {
    static uintptr_t at, end;
    if (end - at < bytes) {
        size_t pages = (bytes + 0xFFFF) / 0x10000;
        size_t first = __builtin_wasm_memory_grow(0, pages);
        if (first == SIZE_MAX)
            return NULL;
        if (first * 0x10000 != end)
            at = first * 0x10000;
        end = (first + pages) * 0x10000;
    }
    at += bytes;
    return (header_t *)(at - bytes);
}

static void check_freed(const header_t *header) {
    const uint8_t *begin = (const uint8_t *)(header + 1);
    if (header->state != FREED || !is_filled(begin, begin + room(header), AFTER))
        memory_was_written_after_free(header);
}

void *malloc(size_t bytes) {
    if (bytes > 0x3FFFFFFF) {
        errno = ENOMEM;
        return NULL;
    }
    unsigned class = class_of(bytes);
    header_t *header = freed[class].first;
    if (freed[class].count > WAITING) {
        check_freed(header);
        freed[class].first = header->next;
        freed[class].count--;
    } else {
        header = fresh((size_t)1 << class);
        if (header == NULL) {
            errno = ENOMEM;
            return NULL;
        }
    }
    *header = (header_t){.bytes = bytes, .number = ++allocations, .state = ALLOCATED};
    // Not zero: what is read before it was written should be seen.
    memset(header + 1, BEHIND, room(header));
    return header + 1;
}

static header_t *header_of(void *memory) {
    header_t *header = (header_t *)memory - 1;
    if ((uintptr_t)memory % 16 != 0 || (uintptr_t)memory < sizeof *header)
        memory_was_never_allocated();
    if (header->state == FREED)
        memory_was_freed_twice(header);
    if (header->state != ALLOCATED)
        memory_was_never_allocated();
    const uint8_t *begin = memory;
    if (!is_filled(begin + header->bytes, begin + room(header), BEHIND))
        memory_was_written_beyond_its_end(header);
    return header;
}

void free(void *memory) {
    if (memory == NULL)
        return;
    header_t *header = header_of(memory);
    unsigned class = class_of(header->bytes);
    header->state = FREED;
    header->next = NULL;
    memset(memory, AFTER, room(header));
    if (freed[class].count++ == 0)
        freed[class].first = header;
    else
        freed[class].last->next = header;
    freed[class].last = header;
}

void *calloc(size_t count, size_t bytes) {
    size_t whole;
    void *memory = __builtin_mul_overflow(count, bytes, &whole) ? NULL : malloc(whole);
    return memory == NULL ? NULL : memset(memory, 0, whole);
}

void *realloc(void *memory, size_t bytes) {
    void *moved = malloc(bytes);
    if (memory != NULL && moved != NULL) {
        size_t had = header_of(memory)->bytes;
        memcpy(moved, memory, had < bytes ? had : bytes);
        free(memory);
    }
    return moved;
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return alignment <= 16 ? malloc(bytes) : NULL;
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    *memory = aligned_alloc(alignment, bytes);
    return *memory == NULL ? ENOMEM : 0;
}

size_t malloc_usable_size(void *memory) {
    return memory == NULL ? 0 : header_of(memory)->bytes;
}

// The same as in the bindings. Meanwhile nothing is logged: the host could not be called.

static void after_call(void) {
    host_is_waiting = false;
    for (size_t class = 0; class < sizeof freed / sizeof *freed; class++) {
        const header_t *header = freed[class].first;
        for (size_t i = 0; i < freed[class].count; i++, header = header->next)
            check_freed(header);
    }
}

__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *memory, size_t had, size_t alignment,
                                                                    size_t bytes) {
    (void)had;
    if (bytes == 0)
        return (void *)alignment;
    host_is_waiting = false;
    void *moved = realloc(memory, bytes);
    host_is_waiting = true;
    if (moved == NULL)
        abort();
    return moved;
}

#define POST_RETURN(call, type)                                                                                \
    __attribute__((__export_name__("cabi_post_" #call))) void                                                  \
        __wasm_export_exports_detector_##call##_post_return(uint8_t *result) {                                 \
        after_call();                                                                                          \
        type##_free((type##_t *)result);                                                                       \
        host_is_waiting = true;                                                                                \
    }

POST_RETURN(describe, detector_metadata)
POST_RETURN(configure, detector_result_list_column_request_error)
POST_RETURN(classify, detector_result_list_anomaly_error)
POST_RETURN(finish, detector_result_void_error)
