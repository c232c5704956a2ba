/* gc/cord_pos.h: positions in cords, by which characters are read one after the other. Part of
 * cord.h, which includes it; does nothing by itself.
 *
 * A position is a cord and an index, and the way through the tree to that character. It takes 832
 * bytes, must lie where the collector looks for pointers, and must not be copied or moved. Use
 * the functions; what is in the structure and how large it is, is fixed for those inlined below.
 */
#if !defined(CORD_POSITION_H) && defined(CORD_H)
#define CORD_POSITION_H

#ifdef __cplusplus
extern "C" {
#endif

/* No tree is deeper. */
#define MAX_DEPTH 48

/* As many characters of a function's are kept. */
#define FUNCTION_BUF_SZ 8

/* A path_len: the position is not in the cord. */
#define CORD_POS_INVALID (0x55555555)

/* A part of the cord, and where it begins. */
struct CORD_pe {
    CORD pe_cord;
    size_t pe_start_pos;
};

/* The characters [cur_start, cur_end) lie at cur_leaf and the current one is among them, unless
 * cur_end is 0. The path leads from the whole cord, path[0], to the leaf, path[path_len]. */
typedef struct CORD_Pos {
    size_t cur_pos;
    int path_len;
    const char *cur_leaf;
    size_t cur_start;
    size_t cur_end;
    struct CORD_pe path[MAX_DEPTH + 1];
    char function_buf[FUNCTION_BUF_SZ];
} CORD_pos[1];

/* Makes p the i-th position of x, or an invalid one if x has no such character. This is what takes
 * the most time. */
CORD_API void CORD_set_pos(CORD_pos p, CORD x, size_t i);

/* Whether there is a character at p. */
CORD_API int CORD_pos_valid(CORD_pos p);

/* The next two need a valid position, and leave an invalid one at either end of the cord. */
CORD_API void CORD_next(CORD_pos p);
CORD_API void CORD_prev(CORD_pos p);

/* The character at p, which must be valid. */
CORD_API char CORD_pos_fetch(CORD_pos p);

/* The index, and the cord, of a position. */
CORD_API size_t CORD_pos_to_index(CORD_pos p);
CORD_API CORD CORD_pos_to_cord(CORD_pos p);

/* What the macros below leave to the library. */
CORD_API char CORD__pos_fetch(CORD_pos);
CORD_API void CORD__next(CORD_pos);
CORD_API void CORD__prev(CORD_pos);

/* These may evaluate p more than once. */
#define CORD_pos_valid(p) ((p)->path_len != CORD_POS_INVALID)
#define CORD_pos_to_index(p) ((p)->cur_pos)
#define CORD_pos_to_cord(p) ((p)->path[0].pe_cord)
#define CORD_pos_fetch(p) ((p)->cur_end == 0 ? CORD__pos_fetch(p) : *CORD_pos_cur_char_addr(p))
#define CORD_next(p) ((p)->cur_end > (p)->cur_pos + 1 ? (void)((p)->cur_pos += 1) : CORD__next(p))
#define CORD_prev(p)                                                                               \
    ((p)->cur_end == 0 || (p)->cur_pos <= (p)->cur_start ? CORD__prev(p)                           \
                                                         : (void)((p)->cur_pos -= 1))

/* For many characters at once: how many there are in memory from the current one on, none if not
 * positive; where they lie; and moving by n of them, 0 < n <= CORD_pos_chars_left(p). */
#define CORD_pos_chars_left(p) ((long)(p)->cur_end - (long)(p)->cur_pos)
#define CORD_pos_cur_char_addr(p) ((p)->cur_leaf + ((p)->cur_pos - (p)->cur_start))
#define CORD_pos_advance(p, n) ((p)->cur_pos += (n)-1, CORD_next(p))

#ifdef __cplusplus
}
#endif

#endif
