/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/backoff.h"

#include "store/base/random.h"

#define ADVICE_MAX_MS 30000

int64_t backoff_ceiling_ms(unsigned n)
{
    if (n == 0) {
        return BACKOFF_FIRST_MS;
    }
    int64_t ms = BACKOFF_STEP_MS;
    for (unsigned i = 1; i < n && ms < BACKOFF_MAX_MS; i++) {
        ms *= 2;
    }
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

int64_t backoff_next_ms(struct backoff *b)
{
    int64_t ceiling = backoff_ceiling_ms(b->attempts);
    if (ceiling < BACKOFF_MAX_MS) {
        b->attempts++;
    }
    return (int64_t)random_below((uint64_t)ceiling + 1);
}

int64_t backoff_advised_ms(int64_t retry_ms)
{
    if (retry_ms <= 0) {
        return 0;
    }
    int64_t ms = retry_ms < ADVICE_MAX_MS ? retry_ms : ADVICE_MAX_MS;
    return ms + (int64_t)random_below((uint64_t)ms / 2 + 1);
}

void backoff_reset(struct backoff *b)
{
    b->attempts = 0;
}
