/* Positions: the way from a cord to one of its characters; see gc/cord_pos.h for the structure.
 *
 * The window [cur_start, cur_end) is all of the leaf where that is text. For a file it is a block,
 * and for a function some characters in function_buf: just one where nobody has moved yet, and as
 * many as there is room for ahead of a move. It is filled when somebody looks, and until then
 * cur_end is 0.
 */
#include "cord/position.h"

#include "cord/file.h"

static void invalidate(CORD_pos p) {
    p->path_len = CORD_POS_INVALID;
    p->cur_end = 0;
}

static void demand_valid(CORD_pos p) {
    if (p->path_len == CORD_POS_INVALID)
        cord_fail("the position is not inside its cord");
}

static const struct CORD_pe *leaf_entry(CORD_pos p) { return &p->path[p->path_len]; }

/* From the last of the path, which ends at end, down to the leaf of the current character. */
static void descend(CORD_pos p, size_t end) {
    struct CORD_pe last = *leaf_entry(p);
    while (cord_is(CORD_KIND_PAIR, last.pe_cord)) {
        struct cord_part left = cord_left(last.pe_cord);
        if (p->cur_pos < last.pe_start_pos + left.length) {
            end = last.pe_start_pos + left.length;
            last.pe_cord = left.cord;
        } else {
            last.pe_cord = cord_right(last.pe_cord).cord;
            last.pe_start_pos += left.length;
        }
        p->path[++p->path_len] = last;
    }
    p->cur_leaf = cord_leaf_bytes(last.pe_cord);
    p->cur_start = last.pe_start_pos;
    p->cur_end = p->cur_leaf ? end : 0;
}

/* Up to where the current character is to the right or left of the way, and down again. */
static void cross(CORD_pos p) {
    while (p->path_len > 0) {
        p->path_len--;
        const struct CORD_pe *entry = leaf_entry(p);
        size_t end = entry->pe_start_pos + cord_node(entry->pe_cord)->length;
        if (p->cur_pos >= entry->pe_start_pos && p->cur_pos < end) {
            descend(p, end);
            return;
        }
    }
    invalidate(p);
}

/* A window of a leaf that is not text: the block of a file around the current character, or of a
 * function the characters [from, to). */
static void fill(CORD_pos p, size_t from, size_t to) {
    const struct CORD_pe *entry = leaf_entry(p);
    if (cord_is_file(entry->pe_cord)) {
        struct cord_block block = cord_file_block(entry->pe_cord, p->cur_pos - entry->pe_start_pos);
        p->cur_leaf = block.bytes;
        p->cur_start = entry->pe_start_pos + block.start;
        p->cur_end = entry->pe_start_pos + block.end;
        return;
    }
    for (size_t i = from; i < to; i++)
        p->function_buf[i - from] = cord_function_call(entry->pe_cord, i - entry->pe_start_pos);
    p->cur_leaf = p->function_buf;
    p->cur_start = from;
    p->cur_end = to;
}

void CORD_set_pos(CORD_pos p, CORD x, size_t i) {
    size_t length = CORD_len(x);
    p->cur_pos = i;
    p->path_len = 0;
    p->path[0] = (struct CORD_pe){x, 0};
    if (i < length)
        descend(p, length);
    else
        invalidate(p);
}

char CORD__pos_fetch(CORD_pos p) {
    demand_valid(p);
    fill(p, p->cur_pos, p->cur_pos + 1);
    return CORD_pos_fetch(p);
}

void CORD__next(CORD_pos p) {
    demand_valid(p);
    const struct CORD_pe *entry = leaf_entry(p);
    p->cur_pos++;
    if (cord_leaf_bytes(entry->pe_cord)) {
        cross(p);
        return;
    }
    size_t left = entry->pe_start_pos + cord_node(entry->pe_cord)->length - p->cur_pos;
    if (left == 0)
        cross(p);
    else
        fill(p, p->cur_pos, p->cur_pos + (left < FUNCTION_BUF_SZ ? left : FUNCTION_BUF_SZ));
}

void CORD__prev(CORD_pos p) {
    demand_valid(p);
    const struct CORD_pe *entry = leaf_entry(p);
    if (p->cur_pos == 0) {
        invalidate(p);
        return;
    }
    if (p->cur_pos == entry->pe_start_pos) {
        p->cur_pos--;
        cross(p);
        return;
    }
    size_t before = p->cur_pos - entry->pe_start_pos, end = p->cur_pos--;
    fill(p, end - (before < FUNCTION_BUF_SZ ? before : FUNCTION_BUF_SZ), end);
}

struct cord_window cord_window(CORD_pos p) {
    (void)CORD_pos_fetch(p);
    return (struct cord_window){CORD_pos_cur_char_addr(p), p->cur_pos - p->cur_start,
                                p->cur_end - p->cur_pos};
}

void cord_skip_ahead(CORD_pos p, size_t count) { CORD_pos_advance(p, count); }

void cord_skip_back(CORD_pos p, size_t count) {
    p->cur_pos -= count - 1;
    CORD_prev(p);
}

bool cord_window_is_leaf(CORD_pos p) { return cord_leaf_bytes(leaf_entry(p)->pe_cord) != NULL; }

/* The functions behind the macros. */
int(CORD_pos_valid)(CORD_pos p) { return CORD_pos_valid(p); }
size_t(CORD_pos_to_index)(CORD_pos p) { return CORD_pos_to_index(p); }
CORD(CORD_pos_to_cord)(CORD_pos p) { return CORD_pos_to_cord(p); }
char(CORD_pos_fetch)(CORD_pos p) { return CORD_pos_fetch(p); }
void(CORD_next)(CORD_pos p) { CORD_next(p); }
void(CORD_prev)(CORD_pos p) { CORD_prev(p); }
