/* SPDX-License-Identifier: Apache-2.0 */
/* Cell shift × SUB + (v >> shift): a value of 64 or more keeps its top seven bits, of which the
 * highest is always set, so that cells of one shift lie between those of the shifts beside it. */
#include "hist.h"

double hist_ms(const struct hist *h, double q)
{
    uint64_t want = (uint64_t)((double)h->n * q), seen = 0;
    for (uint64_t i = 0; i < HIST_CELLS; i++) {
        seen += h->cells[i];
        if (h->cells[i] != 0 && (seen > want || seen == h->n)) {
            uint64_t shift = i / HIST_SUB == 0 ? 0 : i / HIST_SUB - 1;
            double middle = (double)(i - shift * HIST_SUB) + 0.5;
            return middle * (double)(UINT64_C(1) << shift) / 1e6;
        }
    }
    return 0;
}
