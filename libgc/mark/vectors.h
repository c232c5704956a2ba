/* The filter for many words at once: the part of words.c that is compiled for two widths, and to be
 * included there with VECTOR_BYTES, 16 or 32.
 *
 * A block is looked at for three things. Bytes that are like byte 5 of an address of ours and
 * follow one that is like byte 4; for the first of a block that one is in the block before. Words
 * that may be distances. Upper halves of words that may be numbers as which a language keeps
 * addresses. Nothing is read outside of the range, which begins at a whole word and has one at
 * least.
 */
#if VECTOR_BYTES == 32
#define VECTOR __m256i
#define VECTOR_NAME(name) name##_by_32
#define VECTOR_TARGET __attribute__((target("avx2")))
#define VECTOR_LOAD(at) _mm256_loadu_si256((const __m256i *)(at))
#define VECTOR_LOAD_HALF(at) _mm256_zextsi128_si256(_mm_loadu_si128((const __m128i *)(at)))
#define VECTOR_OF_BYTES(byte) _mm256_set1_epi8(byte)
#define VECTOR_OF_HALVES(half) _mm256_set1_epi32(half)
#define VECTOR_OF_WORDS(word) _mm256_set1_epi64x(word)
#define VECTOR_AND _mm256_and_si256
#define VECTOR_OR _mm256_or_si256
#define VECTOR_AND_NOT(without, those) _mm256_andnot_si256(without, those)
#define VECTOR_SUBTRACT_BYTES _mm256_sub_epi8
#define VECTOR_LEAST_BYTES _mm256_min_epu8
#define VECTOR_EQUAL_BYTES _mm256_cmpeq_epi8
#define VECTOR_ADD_HALVES _mm256_add_epi32
#define VECTOR_ABOVE_HALVES _mm256_cmpgt_epi32
#define VECTOR_ZERO_WORDS(words) _mm256_cmpeq_epi64(words, _mm256_setzero_si256())
#define VECTOR_BITS(bytes) (uint32_t) _mm256_movemask_epi8(bytes)
#else
#define VECTOR __m128i
#define VECTOR_NAME(name) name##_by_16
#define VECTOR_TARGET
#define VECTOR_LOAD(at) _mm_loadu_si128((const __m128i *)(at))
#define VECTOR_LOAD_HALF(at) _mm_loadl_epi64((const __m128i *)(at))
#define VECTOR_OF_BYTES(byte) _mm_set1_epi8(byte)
#define VECTOR_OF_HALVES(half) _mm_set1_epi32(half)
#define VECTOR_OF_WORDS(word) _mm_set1_epi64x(word)
#define VECTOR_AND _mm_and_si128
#define VECTOR_OR _mm_or_si128
#define VECTOR_AND_NOT(without, those) _mm_andnot_si128(without, those)
#define VECTOR_SUBTRACT_BYTES _mm_sub_epi8
#define VECTOR_LEAST_BYTES _mm_min_epu8
#define VECTOR_EQUAL_BYTES _mm_cmpeq_epi8
#define VECTOR_ADD_HALVES _mm_add_epi32
#define VECTOR_ABOVE_HALVES _mm_cmpgt_epi32
#define VECTOR_ZERO_WORDS(words)                                                                   \
    _mm_and_si128(_mm_cmpeq_epi32(words, _mm_setzero_si128()),                                     \
                  _mm_shuffle_epi32(_mm_cmpeq_epi32(words, _mm_setzero_si128()), 0xb1))
#define VECTOR_BITS(bytes) (uint32_t) _mm_movemask_epi8(bytes)
#endif

/* What a block is compared with, once for all blocks of a range. */
struct VECTOR_NAME(constants) {
    VECTOR mask5, lowest5, range5, lowest4, range4;
    VECTOR near, near_mask;  /* added to a distance and taken from it, zero is left */
    VECTOR bias[2], most[2]; /* of the first two numbers: what compares with the second */
};

static inline VECTOR_TARGET struct VECTOR_NAME(constants) VECTOR_NAME(constants_make)(void) {
    const struct evidence_filter *filter = &evidence_filter;
    return (struct VECTOR_NAME(constants)){
        .mask5 = VECTOR_OF_BYTES(filter->mask5),
        .lowest5 = VECTOR_OF_BYTES(filter->lowest5),
        .range5 = VECTOR_OF_BYTES(filter->range5),
        .lowest4 = VECTOR_OF_BYTES(filter->lowest4),
        .range4 = VECTOR_OF_BYTES(filter->range4),
        .near = VECTOR_OF_WORDS((uint64_t)1 << 32),
        .bias = {VECTOR_OF_HALVES(0x80000000u - filter->numbers[0].lowest),
                 VECTOR_OF_HALVES(0x80000000u - filter->numbers[1].lowest)},
        .most = {VECTOR_OF_HALVES(filter->numbers[0].range ^ 0x80000000u),
                 VECTOR_OF_HALVES(filter->numbers[1].range ^ 0x80000000u)},
        .near_mask = VECTOR_OF_WORDS((uint64_t)0xfffffffe << 32 | (SIZES_GRANULE - 1)),
    };
}

/* The bytes that are from lowest to lowest + range. */
static inline VECTOR_TARGET uint32_t VECTOR_NAME(within)(VECTOR bytes, VECTOR lowest,
                                                         VECTOR range) {
    VECTOR above = VECTOR_SUBTRACT_BYTES(bytes, lowest);
    return VECTOR_BITS(VECTOR_EQUAL_BYTES(VECTOR_LEAST_BYTES(above, range), above));
}

/* The sixth bytes of what may be addresses. Carry tells whether the last byte of the block before
 * may be a fifth, then of this one. */
static inline VECTOR_TARGET uint32_t VECTOR_NAME(find_addresses)(
    const struct VECTOR_NAME(constants) * constants, VECTOR block, uint32_t *carry) {
    uint32_t fifths = VECTOR_NAME(within)(block, constants->lowest4, constants->range4);
    uint32_t sixths = VECTOR_NAME(within)(VECTOR_AND(block, constants->mask5), constants->lowest5,
                                          constants->range5);
    uint32_t found = sixths & (fifths << 1 | *carry);
    *carry = fifths >> (VECTOR_BYTES - 1);
    return found;
}

/* All bits of the words that may be distances. */
static inline VECTOR_TARGET VECTOR VECTOR_NAME(distances)(const struct VECTOR_NAME(constants) *
                                                              constants,
                                                          VECTOR block) {
    VECTOR rest = VECTOR_AND(VECTOR_ADD_HALVES(block, constants->near), constants->near_mask);
    return VECTOR_AND_NOT(VECTOR_ZERO_WORDS(block), VECTOR_ZERO_WORDS(rest));
}

/* All bits of the half words that are unlike the upper one of a number. Vectors can only compare
 * signed numbers, hence the flipped sign bits. */
static inline VECTOR_TARGET VECTOR VECTOR_NAME(unlike)(VECTOR block, VECTOR bias, VECTOR most) {
    return VECTOR_ABOVE_HALVES(VECTOR_ADD_HALVES(block, bias), most);
}

/* All bits of the half words that are like the upper one of some number. */
static inline VECTOR_TARGET VECTOR VECTOR_NAME(numbers)(const struct VECTOR_NAME(constants) *
                                                            constants,
                                                        VECTOR block, unsigned count) {
    VECTOR all = VECTOR_OF_BYTES(0xff), unlike = all;
    for (unsigned i = 0; i < 2 && i < count; i++)
        unlike =
            VECTOR_AND(unlike, VECTOR_NAME(unlike)(block, constants->bias[i], constants->most[i]));
    for (unsigned i = 2; i < count; i++)
        unlike = VECTOR_AND(
            unlike, VECTOR_NAME(unlike)(
                        block, VECTOR_OF_HALVES(0x80000000u - evidence_filter.numbers[i].lowest),
                        VECTOR_OF_HALVES(evidence_filter.numbers[i].range ^ 0x80000000u)));
    return VECTOR_AND_NOT(unlike, all);
}

/* One bit for each word that may be another thing than an address: its highest byte's. */
static inline VECTOR_TARGET uint32_t VECTOR_NAME(find_others)(
    const struct VECTOR_NAME(constants) * constants, VECTOR block, bool distances, unsigned count) {
    VECTOR others = VECTOR_OF_BYTES(0);
    if (distances)
        others = VECTOR_NAME(distances)(constants, block);
    if (count > 0)
        others = VECTOR_OR(others, VECTOR_NAME(numbers)(constants, block, count));
    return VECTOR_BITS(others) & 0x80808080;
}

static inline VECTOR_TARGET VECTOR VECTOR_NAME(load_rest)(uintptr_t at, uintptr_t bytes) {
    _Alignas(VECTOR_BYTES) unsigned char copy[VECTOR_BYTES] = {0};
    memcpy(copy, (const void *)at, bytes);
    return VECTOR_LOAD(copy);
}

/* The last block of a range, of which less than a block is left: it begins earlier, so that it ends
 * with the range, and what was looked at already is not fresh. */
static inline VECTOR_TARGET VECTOR VECTOR_NAME(load_last)(const struct words_range *range,
                                                          uintptr_t *at, uint32_t *fresh) {
    uintptr_t rest = range->end - *at;
    if (rest == VECTOR_BYTES / 2)
        return VECTOR_LOAD_HALF(*at);
    if (rest % sizeof(uintptr_t) != 0 || *at == range->start)
        return VECTOR_NAME(load_rest)(*at, rest);
    *at = range->end - VECTOR_BYTES;
    *fresh <<= VECTOR_BYTES - rest;
    return VECTOR_LOAD(*at);
}

/* Bits stand for bytes 5 and for bytes 7 of words that begin in the range and end there. */
static inline __attribute__((always_inline)) VECTOR_TARGET void
VECTOR_NAME(scan_blocks)(struct marker *marker, const struct words_range *range, bool distances,
                         unsigned count) {
    const struct VECTOR_NAME(constants) constants = VECTOR_NAME(constants_make)();
    uintptr_t end = range->end;
    uint32_t carry = 0, fresh = UINT32_MAX << 5;
    for (uintptr_t at = range->start; at < end; at += VECTOR_BYTES, fresh = UINT32_MAX) {
        VECTOR block =
            end - at >= VECTOR_BYTES ? VECTOR_LOAD(at) : VECTOR_NAME(load_last)(range, &at, &fresh);
        uint32_t found = VECTOR_NAME(find_addresses)(&constants, block, &carry) & fresh;
        uint32_t others = VECTOR_NAME(find_others)(&constants, block, distances, count) & fresh;
        if (__builtin_expect((found | others) == 0, 1))
            continue;
        if (end - at < VECTOR_BYTES + 2) {
            uint64_t in_range = ((uint64_t)1 << (end - at)) - 1;
            found &= in_range >> 2;
            others &= in_range;
        }
        consider_found(marker, range, at, found);
        if (others != 0)
            consider_others(marker, range, at, others);
    }
}

/* The usual cases each have a loop of their own. */
static VECTOR_TARGET void VECTOR_NAME(scan)(struct marker *marker,
                                            const struct words_range *range) {
    bool distances = range->object && evidence_filter.distances;
    unsigned count = evidence_filter.number_count;
    if (count == 0 && distances)
        VECTOR_NAME(scan_blocks)(marker, range, true, 0);
    else if (count == 0)
        VECTOR_NAME(scan_blocks)(marker, range, false, 0);
    else if (count == 1)
        VECTOR_NAME(scan_blocks)(marker, range, distances, 1);
    else if (count == 2)
        VECTOR_NAME(scan_blocks)(marker, range, distances, 2);
    else
        VECTOR_NAME(scan_blocks)(marker, range, distances, count);
}

#undef VECTOR
#undef VECTOR_NAME
#undef VECTOR_TARGET
#undef VECTOR_LOAD
#undef VECTOR_LOAD_HALF
#undef VECTOR_OF_BYTES
#undef VECTOR_OF_HALVES
#undef VECTOR_OF_WORDS
#undef VECTOR_AND
#undef VECTOR_OR
#undef VECTOR_AND_NOT
#undef VECTOR_SUBTRACT_BYTES
#undef VECTOR_LEAST_BYTES
#undef VECTOR_EQUAL_BYTES
#undef VECTOR_ADD_HALVES
#undef VECTOR_ABOVE_HALVES
#undef VECTOR_ZERO_WORDS
#undef VECTOR_BITS
