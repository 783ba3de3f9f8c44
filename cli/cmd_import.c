/* SPDX-License-Identifier: Apache-2.0 */
/* import.
 *
 *   lines → item → the queue of its key → ready → in flight → answered
 *
 * (1) Of one key at most one item is ready or in flight: the first of its queue. So the lines of
 * one object are done in their order, and those of different objects side by side. (2) At most
 * FLIGHT_MAX items are in flight, and HELD_MAX items of HELD_BYTES in all are held; above that no
 * more lines are read. (3) Nothing blocks but the wait for the client: input is only read when it
 * is there. (4) Behind a line that writes a definition no line is read until that is answered,
 * since what comes next may have to be declared by it, or name itself by its kind. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <uthash.h>

#include "cli/command.h"
#include "cli/export_line.h"
#include "cli/resource.h"
#include "cli/text.h"
#include "store/base/clock.h"
#include "store/model/name.h"

#define FLIGHT_MAX    256
#define HELD_MAX      4096
#define HELD_BYTES    ((size_t)64 << 20)
#define LINE_BYTES    ((size_t)64 << 20)
#define LINES_AT_ONCE 64 /* read before the client gets its turn */
#define WAIT_MS       10 /* longest wait with answers under way and input open */
#define PROGRESS_MS   200

struct item {
    STAILQ_ENTRY(item) of_key;
    STAILQ_ENTRY(item) of_ready;
    struct import *import;
    struct key_queue *queue;
    uint64_t number; /* of its line */
    struct import_line line;
};
STAILQ_HEAD(item_list, item);

/* One object's items, in the order of the lines; the first is ready or in flight. */
struct key_queue {
    UT_hash_handle hh;
    struct item_list items;
    size_t key_len;
    char key[];
};

struct import {
    struct cli *cli;
    int fd;
    bool end_of_input;
    struct buf input; /* read and not yet taken */
    size_t taken;     /* of it */
    size_t searched;  /* of what is not taken: there is no end of a line in it */
    uint64_t lines;   /* read */
    struct key_queue *queues;
    struct item_list ready;
    size_t held, held_bytes, in_flight;
    struct catalog catalog;
    bool defining; /* (4) the line read last */
    uint64_t written, unchanged, refused;
    uint64_t last_rv;
    int fatal; /* exit code that ends it all; 0 */
    bool told_lost;
    bool on_terminal;
    bool progress_shown;
    mono_ms_t lost_at, started_at, progress_at;
};

/* ---- What is said -------------------------------------------------------------------------- */

static void clear_progress(struct import *im)
{
    if (im->progress_shown) {
        (void)fputs("\r\033[K", stderr);
        im->progress_shown = false;
    }
}

static void show_progress(struct import *im)
{
    mono_ms_t now = clock_mono(&clock_system);
    if (!im->on_terminal || now < im->progress_at) {
        return;
    }
    im->progress_at = now + PROGRESS_MS;
    uint64_t done = im->written + im->unchanged + im->refused;
    int64_t ms = now - im->started_at;
    fprintf(stderr, "\r\033[K%" PRIu64 " lines done, %zu under way, %" PRIu64 "/s", done,
            im->in_flight, ms > 0 ? done * 1000 / (uint64_t)ms : 0);
    fflush(stderr);
    im->progress_shown = true;
}

static void refuse(struct import *im, uint64_t number, const char *reason, const char *field,
                   const char *message)
{
    clear_progress(im);
    im->refused++;
    bool named = *field == '\0' || strstr(message, field) != NULL;
    cli_notice("line %" PRIu64 " refused (%s): %s%s%s", number, reason, named ? "" : field,
               named ? "" : ": ", message);
}

static void follow_link(struct import *im)
{
    const struct watch_client *c = im->cli->client;
    bool down = im->in_flight > 0 && watch_client_link(c) != WATCH_LINK_READY &&
                watch_client_was_connected(c);
    mono_ms_t now = clock_mono(&clock_system);
    if (down && !im->told_lost) {
        im->told_lost = true;
        im->lost_at = now;
        clear_progress(im);
        cli_notice("connection lost, reconnecting");
    } else if (im->told_lost && watch_client_link(c) == WATCH_LINK_READY) {
        im->told_lost = false;
        clear_progress(im);
        cli_notice("reconnected after %" PRId64 ".%" PRId64 " s", (now - im->lost_at) / 1000,
                   (now - im->lost_at) % 1000 / 100);
    }
}

/* ---- Items --------------------------------------------------------------------------------- */

static void item_free(struct item *item)
{
    item->import->held--;
    item->import->held_bytes -= item->line.json.n;
    import_line_fini(&item->line);
    free(item);
}

static struct key_queue *queue_of(struct import *im, const struct import_line *l)
{
    const char *resource = *l->resource != '\0' ? l->resource : RESOURCE_DEFAULT;
    const char *ns = *l->ns != '\0' ? l->ns : NAMESPACE_DEFAULT;
    CLEANUP(freep) char *key = mem_printf("%s\n%s\n%s", resource, ns, l->name);
    size_t n = strlen(key);
    struct key_queue *q;
    HASH_FIND(hh, im->queues, key, n, q);
    if (q == NULL) {
        q = mem_alloc(sizeof(*q) + n);
        memcpy(q->key, key, n);
        q->key_len = n;
        STAILQ_INIT(&q->items);
        HASH_ADD_KEYPTR(hh, im->queues, q->key, n, q);
    }
    return q;
}

/* Takes *line. */
static void item_add(struct import *im, struct import_line *line)
{
    if (*line->ns == '\0' && im->cli->options.ns != NULL) {
        free(line->ns);
        line->ns = mem_strdup(im->cli->options.ns);
    }
    struct item *item = mem_zalloc(sizeof(*item));
    item->import = im;
    item->number = im->lines;
    item->line = *line;
    item->queue = queue_of(im, line);
    im->held++;
    im->held_bytes += line->json.n;
    if (STAILQ_EMPTY(&item->queue->items)) {
        STAILQ_INSERT_TAIL(&im->ready, item, of_ready); /* (1) */
    }
    STAILQ_INSERT_TAIL(&item->queue->items, item, of_key);
}

static void item_done(struct item *item)
{
    struct import *im = item->import;
    struct key_queue *q = item->queue;
    STAILQ_REMOVE_HEAD(&q->items, of_key);
    item_free(item);
    struct item *next = STAILQ_FIRST(&q->items);
    if (next != NULL) {
        STAILQ_INSERT_TAIL(&im->ready, next, of_ready);
    } else {
        HASH_DEL(im->queues, q);
        free(q);
    }
}

/* Refusals that every other line would meet as well. */
static bool is_fatal(enum watch_code code)
{
    return code == WATCH_UNAUTHENTICATED || code == WATCH_DENIED || code == WATCH_UNIMPLEMENTED;
}

static void item_answered(void *arg, const struct watch_written *written,
                          const struct watch_error *error)
{
    struct item *item = arg;
    struct import *im = item->import;
    im->in_flight--;
    if (written != NULL) {
        *(written->result == WATCH_RESULT_UNCHANGED ? &im->unchanged : &im->written) += 1;
        im->last_rv = written->object.rv > im->last_rv ? written->object.rv : im->last_rv;
    } else if (is_fatal(error->code)) {
        if (im->fatal == 0) {
            clear_progress(im);
            im->fatal = cli_complain(im->cli, error);
        }
    } else {
        refuse(im, item->number, cli_reason(error->code), error->field, error->message);
    }
    item_done(item);
}

static void start_ready(struct import *im)
{
    while (im->in_flight < FLIGHT_MAX && !STAILQ_EMPTY(&im->ready)) {
        struct item *item = STAILQ_FIRST(&im->ready);
        STAILQ_REMOVE_HEAD(&im->ready, of_ready);
        const struct import_line *l = &item->line;
        struct watch_write w = {.verb = l->verb,
                                .resource = l->resource,
                                .ns = l->ns,
                                .name = l->name,
                                .json = l->json.p,
                                .json_len = l->json.n,
                                .field_manager = FIELD_MANAGER_CLI,
                                .scope = WATCH_SCOPE_AUTO};
        im->in_flight++;
        watch_write_start(im->cli->client, &w, 0, item_answered, item);
    }
}

/* ---- Lines --------------------------------------------------------------------------------- */

static void take_line(struct import *im, struct str text)
{
    im->lines++;
    text = im->lines == 1 ? text_without_bom(text) : text;
    bool blank = true;
    for (size_t i = 0; i < text.n && blank; i++) {
        blank = strchr(" \t\r", text.p[i]) != NULL && text.p[i] != '\0';
    }
    if (blank) {
        return;
    }
    struct import_line line;
    struct err err;
    if (import_line_read(text, &line, &err) != OK) {
        refuse(im, im->lines, "Invalid", err.field, err.msg);
        return;
    }
    int code = resource_of_line(im->cli, &im->catalog, &line);
    if (code != 0) {
        import_line_fini(&line);
        im->fatal = im->fatal != 0 ? im->fatal : code;
        return;
    }
    im->defining = strcmp(line.resource, RESOURCE_RESOURCES) == 0;
    if (im->defining) {
        catalog_fini(&im->catalog);
    }
    item_add(im, &line);
}

static bool may_hold_more(const struct import *im)
{
    if (im->defining && im->held > 0) {
        return false; /* (4) */
    }
    return im->held < HELD_MAX && im->held_bytes < HELD_BYTES && im->fatal == 0; /* (2) */
}

/* Takes complete lines at hand; true if there may be more of them. */
static bool take_lines(struct import *im)
{
    for (int i = 0; i < LINES_AT_ONCE && may_hold_more(im); i++) {
        struct str rest = {im->input.p + im->taken, im->input.n - im->taken};
        size_t left = rest.n - im->searched;
        const char *end = left > 0 ? memchr(rest.p + im->searched, '\n', left) : NULL;
        im->searched = end == NULL ? rest.n : 0;
        if (end == NULL && !(im->end_of_input && rest.n > 0)) {
            /* Only the beginning of a line is left: keep it at the front. */
            if (im->taken > 0) {
                memmove(im->input.p, rest.p, rest.n);
                im->input.n = rest.n;
                im->taken = 0;
            }
            return false;
        }
        im->searched = 0;
        size_t n = end != NULL ? (size_t)(end - rest.p) : rest.n;
        take_line(im, (struct str){rest.p, n});
        im->taken += n + (end != NULL);
    }
    return true;
}

/* Reads what is there, waiting at most wait_ms for it. */
static void read_more(struct import *im, int wait_ms)
{
    struct pollfd p = {.fd = im->fd, .events = POLLIN};
    if (poll(&p, 1, wait_ms) <= 0) {
        return;
    }
    char piece[65536];
    ssize_t n = read(im->fd, piece, sizeof(piece));
    if (n > 0) {
        buf_add(&im->input, piece, (size_t)n);
        if (im->input.full) {
            im->fatal = cli_invalid("line %" PRIu64 " is longer than %zu MiB", im->lines + 1,
                                    LINE_BYTES >> 20);
        }
    } else if (n == 0) {
        im->end_of_input = true;
    } else if (errno != EINTR && errno != EAGAIN) {
        im->fatal = cli_other("cannot read the input: %s", strerror(errno));
    }
}

static void read_input(struct import *im)
{
    if (!may_hold_more(im) || take_lines(im) || im->end_of_input) {
        return;
    }
    bool idle = im->in_flight == 0 && STAILQ_EMPTY(&im->ready);
    read_more(im, idle ? WAIT_MS * 10 : 0);
    (void)take_lines(im);
}

/* ---- The loop ------------------------------------------------------------------------------ */

static bool input_left(const struct import *im)
{
    return !im->end_of_input || im->taken < im->input.n;
}

/* Never connected, and for longer than one attempt may take. */
static bool no_server(const struct import *im)
{
    const struct cli *cli = im->cli;
    return im->in_flight > 0 && !watch_client_was_connected(cli->client) &&
           clock_mono(&clock_system) - im->started_at > cli->options.timeout_ms;
}

static int import_loop(struct import *im)
{
    im->started_at = clock_mono(&clock_system);
    im->progress_at = im->started_at + PROGRESS_MS;
    while ((input_left(im) || im->held > 0) && im->fatal == 0 && !cli_interrupted()) {
        uint64_t lines = im->lines;
        if (input_left(im)) {
            read_input(im);
        }
        start_ready(im);
        bool reading = im->lines != lines;
        int worked =
            watch_client_poll(im->cli->client, reading || im->in_flight == 0 ? 0 : WAIT_MS);
        while (worked && watch_client_poll(im->cli->client, 0)) {
        }
        follow_link(im);
        show_progress(im);
        if (no_server(im)) {
            struct watch_error error = {.code = WATCH_UNAVAILABLE};
            snprintf(error.message, sizeof(error.message), "%s",
                     watch_client_trouble(im->cli->client));
            im->fatal = cli_complain(im->cli, &error);
        }
    }
    clear_progress(im);
    if (im->fatal != 0) {
        return im->fatal;
    }
    return cli_interrupted() ? EXIT_CODE_INTERRUPTED : im->refused > 0 ? EXIT_CODE_INVALID : 0;
}

static void summary(const struct import *im)
{
    fprintf(stderr,
            "%" PRIu64 " lines read: %" PRIu64 " written, %" PRIu64 " unchanged, %" PRIu64
            " refused",
            im->lines, im->written, im->unchanged, im->refused);
    if (im->held > 0) {
        fprintf(stderr, ", %zu without an answer", im->held);
    }
    if (im->last_rv > 0) {
        fprintf(stderr, "; last version %" PRIu64, im->last_rv);
    }
    (void)fputc('\n', stderr);
}

static void import_fini(struct import *im)
{
    struct key_queue *q;
    struct key_queue *next;
    HASH_ITER(hh, im->queues, q, next)
    {
        while (!STAILQ_EMPTY(&q->items)) {
            struct item *item = STAILQ_FIRST(&q->items);
            STAILQ_REMOVE_HEAD(&q->items, of_key);
            item_free(item);
        }
        HASH_DEL(im->queues, q);
        free(q);
    }
    buf_fini(&im->input);
    catalog_fini(&im->catalog);
    if (im->fd > STDERR_FILENO) {
        (void)close(im->fd);
    }
}

int import_run(struct cli *cli, const struct words *words)
{
    if (words->n == 0) {
        return cli_usage(cli, "name the FILE to import, or - for stdin");
    }
    const char *path = words->v[0];
    struct import im = {.cli = cli, .fd = STDIN_FILENO, .on_terminal = isatty(STDERR_FILENO) != 0};
    if (strcmp(path, "-") != 0) {
        im.fd = open(path, O_RDONLY | O_CLOEXEC);
        if (im.fd < 0) {
            return cli_other("cannot read %s: %s", path, strerror(errno));
        }
    }
    STAILQ_INIT(&im.ready);
    buf_init(&im.input, LINE_BYTES);
    int code = cli_open(cli);
    if (code == 0) {
        code = import_loop(&im);
        summary(&im);
        /* Callbacks of what is unanswered must not come any more. */
        cli_close(cli);
    }
    import_fini(&im);
    return code;
}
