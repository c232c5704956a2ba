/* Size classes, exhaustively: every size up to the largest, every alignment, every span. */
#include "suite.h"

#include "heap/layout.h"
#include "heap/sizes.h"
#include "heap/span.h"

START_TEST(every_size_fits_its_class_closely) {
    unsigned previous = 0;
    for (size_t bytes = 0; bytes <= SIZES_LARGEST_SMALL; bytes++) {
        unsigned class = sizes_class(bytes);
        size_t rounded = sizes_bytes(class);
        REQUIRE(class >= previous);
        REQUIRE(class <= SIZES_CLASSES);
        REQUIRE(rounded >= bytes);
        REQUIRE(rounded % SIZES_GRANULE == 0);
        if (bytes > 0)
            REQUIRE((class == 1 ? 0 : sizes_bytes(class - 1)) < bytes);
        if (bytes > 128)
            REQUIRE((rounded - bytes) * 8 <= rounded);
        previous = class;
    }
    REQUIRE(sizes_bytes(SIZES_CLASSES) == SIZES_LARGEST_SMALL);
}
END_TEST

START_TEST(aligned_classes_are_aligned) {
    for (size_t alignment = 16; alignment <= 2 * HEAP_PAGE_BYTES; alignment *= 2)
        for (size_t bytes = 0; bytes <= SIZES_LARGEST_SMALL + 1; bytes += 1 + bytes / 64) {
            unsigned class = sizes_aligned_class(bytes, alignment);
            if (bytes > SIZES_LARGEST_SMALL || alignment > HEAP_PAGE_BYTES) {
                REQUIRE(class == 0);
                continue;
            }
            REQUIRE(class >= 1);
            REQUIRE(sizes_bytes(class) % alignment == 0);
            REQUIRE(sizes_bytes(class) >= bytes);
        }
}
END_TEST

/* The reciprocal must find the index for every address of the longest span of each class. */
START_TEST(reciprocal_divides_exactly) {
    for (unsigned class = 1; class <= SIZES_CLASSES; class ++) {
        size_t bytes = sizes_bytes(class);
        struct span span = {.base = 1 << 20};
        span.reciprocal = (((uint64_t)1 << 40) + bytes - 1) / bytes;
        size_t length = (size_t)sizes_span_pages(class, SIZE_MAX) * HEAP_PAGE_BYTES;
        for (size_t offset = 0; offset < length; offset++)
            if (span_index(&span, span.base + offset) != offset / bytes)
                ck_abort_msg("class %u offset %zu", class, offset);
    }
}
END_TEST

static void check_waste(unsigned class, unsigned pages) {
    size_t length = (size_t)pages * HEAP_PAGE_BYTES;
    size_t used = sizes_span_objects(class, pages) * sizes_bytes(class);
    REQUIRE(used <= length);
    REQUIRE((length - used) * 16 <= length);
    REQUIRE(sizes_span_objects(class, pages) >= 2);
}

START_TEST(spans_waste_little) {
    for (unsigned class = 1; class <= SIZES_CLASSES; class ++) {
        check_waste(class, sizes_span_pages(class, 0));
        check_waste(class, sizes_span_pages(class, SIZE_MAX));
        REQUIRE(sizes_cache_limit(class) >= 2);
        REQUIRE(sizes_cache_limit(class) <= SIZES_CACHE_MOST);
    }
}
END_TEST

/* A span is never longer than a sixteenth of what its class has, but for the shortest there are. */
START_TEST(spans_grow_with_their_class) {
    for (unsigned class = 1; class <= SIZES_CLASSES; class ++) {
        unsigned fewest = sizes_span_pages(class, 0), last = fewest;
        for (size_t in_all = 0; in_all <= 1024; in_all++) {
            unsigned pages = sizes_span_pages(class, in_all);
            REQUIRE(pages == fewest || pages * 16 <= in_all);
            REQUIRE(pages >= last);
            last = pages;
        }
        REQUIRE(last == fewest || sizes_span_objects(class, last) <= 512);
    }
    REQUIRE(sizes_span_pages(sizes_class(128), 1024) == 8);
    REQUIRE(sizes_span_pages(sizes_class(128), 127) == 4);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        every_size_fits_its_class_closely, aligned_classes_are_aligned,
        reciprocal_divides_exactly,        spans_waste_little,
        spans_grow_with_their_class,
    };
    return SUITE_RUN("sizes", tests, 30);
}
