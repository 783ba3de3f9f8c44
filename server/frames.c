/* SPDX-License-Identifier: Apache-2.0 */
#include "server/frames.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

#define PREFACE    24 /* "PRI * HTTP/2.0 …" */
#define COST_BYTES 1024
#define END_STREAM 1
#define ACK        1

enum frame_kind { DATA = 0, HEADERS = 1, RST_STREAM = 3, PING = 6, CONTINUATION = 9 };

void frames_init(struct frames *f, size_t max)
{
    *f = (struct frames){.skip = PREFACE, .max = max};
}

void frames_fini(struct frames *f)
{
    free(f->unended);
    *f = (struct frames){0};
}

static void begin(struct frames *f, uint32_t stream)
{
    if (f->n_unended == f->cap) {
        f->cap = f->cap == 0 ? 4 : 2 * f->cap;
        f->unended = mem_realloc(f->unended, f->cap * sizeof(*f->unended));
    }
    f->unended[f->n_unended++] = stream;
}

/* From the end, since it is nearly always the last one; and `max` bounds it. */
static void end(struct frames *f, uint32_t stream)
{
    size_t i = f->n_unended;
    while (i > 0 && f->unended[i - 1] > stream) {
        i--;
    }
    if (i > 0 && f->unended[i - 1] == stream) {
        memmove(f->unended + i - 1, f->unended + i, (f->n_unended - i) * sizeof(*f->unended));
        f->n_unended--;
    }
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void take_head(struct frames *f)
{
    uint8_t kind = f->head[3];
    bool ends = (f->head[4] & END_STREAM) != 0;
    uint32_t stream = u32(f->head + 5) & INT32_MAX;
    f->skip = u32(f->head) >> 8;
    if (kind == HEADERS || kind == CONTINUATION) {
        f->cost += 1 + f->skip / COST_BYTES;
    }
    if (kind == PING && (f->head[4] & ACK) == 0) {
        f->pings++;
    }
    if (kind == HEADERS && stream > f->last) {
        f->last = stream;
        if (!ends) {
            begin(f, stream);
        }
    } else if (kind == RST_STREAM || ((kind == DATA || kind == HEADERS) && ends)) {
        end(f, stream);
    }
}

bool frames_pass(struct frames *f, const uint8_t *p, size_t n)
{
    while (n > 0 && f->n_unended <= f->max) {
        size_t k = f->skip > 0 ? f->skip : (size_t)FRAME_HEAD - f->n_head;
        k = k < n ? k : n;
        if (f->skip > 0) {
            f->skip -= k;
        } else {
            memcpy(f->head + f->n_head, p, k);
            f->n_head = (uint8_t)(f->n_head + k);
            if (f->n_head == FRAME_HEAD) {
                f->n_head = 0;
                take_head(f);
            }
        }
        p += k;
        n -= k;
    }
    return f->n_unended <= f->max;
}
