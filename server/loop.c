/* SPDX-License-Identifier: Apache-2.0 */
/* (1) No wake-up is lost: a poster pushes, then sets `rung`; the reader clears `rung`, then
 *     takes the inbox. So a poster that found `rung` set pushed before the reader's next look.
 * (2) At most one bell is outstanding, however many post. */
#include "server/loop.h"

#include <assert.h>
#include <stdlib.h>

#include <grpc/support/time.h>

#include "store/base/logline.h"

#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#ifdef WITH_TSAN
/* The queue's own locks are in a library that is not instrumented. */
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#endif

mono_ms_t loop_now(void)
{
    return clock_mono(&clock_system);
}

void loop_hand_over(struct tag *t)
{
#ifdef WITH_TSAN
    __tsan_release(t);
#else
    (void)t;
#endif
}

static void take_over(struct tag *t)
{
#ifdef WITH_TSAN
    __tsan_acquire(t);
#else
    (void)t;
#endif
}

void loop_batch(grpc_call *call, const grpc_op *ops, size_t n, struct tag *t)
{
    loop_hand_over(t);
    grpc_call_error e = grpc_call_start_batch(call, ops, n, t, NULL);
    if (e != GRPC_CALL_OK) {
        log_error("gRPC refused a batch error=%s", grpc_call_error_to_string(e));
        abort();
    }
}

static void bell_heard(struct tag *t, bool ok)
{
    (void)ok;
    struct loop *l = CONTAINER(t, struct loop, on_bell);
    atomic_exchange(&l->rung, false); /* (1) */
}

void loop_init(struct loop *l, bool polling)
{
    *l = (struct loop){.on_bell = {bell_heard}};
    atomic_init(&l->rung, false);
    atomic_init(&l->inbox, NULL);
    grpc_completion_queue_attributes attributes = {
        .version = GRPC_CQ_CURRENT_VERSION,
        .cq_completion_type = GRPC_CQ_NEXT,
        .cq_polling_type = polling ? GRPC_CQ_DEFAULT_POLLING : GRPC_CQ_NON_POLLING,
    };
    l->cq = grpc_completion_queue_create(grpc_completion_queue_factory_lookup(&attributes),
                                         &attributes, NULL);
    l->lame = grpc_lame_client_channel_create("bell", GRPC_STATUS_UNAVAILABLE, "bell");
    l->bell = grpc_channel_create_call(l->lame, NULL, GRPC_PROPAGATE_DEFAULTS, l->cq,
                                       grpc_slice_from_static_string("/bell"), NULL,
                                       gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

void loop_fini(struct loop *l)
{
    if (l->cq == NULL) {
        return;
    }
    grpc_call_unref(l->bell);
    grpc_channel_destroy(l->lame);
    grpc_completion_queue_shutdown(l->cq);
    while (grpc_completion_queue_next(l->cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(l->cq);
    *l = (struct loop){0};
}

void loop_wake(struct loop *l)
{
    if (!atomic_exchange(&l->rung, true)) { /* (2) */
        loop_batch(l->bell, NULL, 0, &l->on_bell);
    }
}

void loop_post(struct loop *l, struct task *t)
{
    struct task *top = atomic_load_explicit(&l->inbox, memory_order_relaxed);
    do {
        t->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&l->inbox, &top, t, memory_order_release,
                                                    memory_order_relaxed));
    loop_wake(l);
}

void loop_run_tasks(struct loop *l)
{
    if (atomic_load_explicit(&l->inbox, memory_order_relaxed) == NULL) {
        return;
    }
    struct task *newest = atomic_exchange_explicit(&l->inbox, NULL, memory_order_acquire);
    struct task *oldest = NULL;
    while (newest != NULL) {
        struct task *t = newest;
        newest = t->next;
        t->next = oldest;
        oldest = t;
    }
    while (oldest != NULL) {
        struct task *t = oldest;
        oldest = t->next;
        t->run(t);
    }
}

static gpr_timespec deadline_of(mono_ms_t t)
{
    if (t == LOOP_FOREVER) {
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    }
    if (t == LOOP_NO_WAIT) {
        return gpr_time_0(GPR_CLOCK_MONOTONIC);
    }
    return (gpr_timespec){.tv_sec = t / 1000,
                          .tv_nsec = (int32_t)(t % 1000) * 1000000,
                          .clock_type = GPR_CLOCK_MONOTONIC};
}

bool loop_next(struct loop *l, mono_ms_t deadline)
{
    grpc_event ev = grpc_completion_queue_next(l->cq, deadline_of(deadline), NULL);
    if (ev.type != GRPC_OP_COMPLETE) {
        return false;
    }
    struct tag *t = ev.tag;
    take_over(t);
    t->fn(t, ev.success != 0);
    return true;
}
