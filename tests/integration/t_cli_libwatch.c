/* SPDX-License-Identifier: Apache-2.0 */
/* libwatch against a real server: what a program that uses it relies on. WATCH_BIN is the folder
 * with watchd. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client/watch_client.h"
#include "store/base/clock.h"
#include "store/base/random.h"
#include "tests/unit/check.h"

/* ---- A server ------------------------------------------------------------------------------ */

struct server {
    char folder[64];
    char db[96];
    char address[96];
    pid_t pid;
};

static void server_start(struct server *s)
{
    CLEANUP(freep) char *path = mem_printf("%s/watchd", getenv("WATCH_BIN"));
    CLEANUP(freep) char *log = mem_printf("%s/log", s->folder);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)execl(path, "watchd", "--db", s->db, "--listen", s->address, (char *)NULL);
        _exit(127);
    }
}

static void server_kill(struct server *s)
{
    assert_int_equal(kill(s->pid, SIGKILL), 0);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

static int server_setup(void **state)
{
    if (getenv("WATCH_BIN") == NULL) {
        print_error("WATCH_BIN is not set\n");
        return -1;
    }
    struct server *s = mem_zalloc(sizeof(*s));
    const char *tmp = getenv("TMPDIR");
    snprintf(s->folder, sizeof(s->folder), "%s/libwatch.XXXXXX", tmp != NULL ? tmp : P_tmpdir);
    if (mkdtemp(s->folder) == NULL) {
        return -1;
    }
    snprintf(s->db, sizeof(s->db), "%s/db", s->folder);
    snprintf(s->address, sizeof(s->address), "unix:%s/socket", s->folder);
    *state = s;
    server_start(s);
    return 0;
}

static int server_teardown(void **state)
{
    struct server *s = *state;
    server_kill(s);
    CLEANUP(freep) char *command = mem_printf("rm -r '%s'", s->folder);
    int rc = system(command);
    free(s);
    return rc;
}

static struct watch_client *client_of(const struct server *s)
{
    struct watch_client_options o = {.address = s->address, .timeout_ms = 20000};
    struct watch_client *client;
    struct watch_error error;
    if (watch_client_new(&o, &client, &error) != WATCH_OK) {
        fail_msg("%s", error.message);
    }
    return client;
}

/* ---- Writes -------------------------------------------------------------------------------- */

struct answers {
    size_t done;
    size_t failed;
    uint64_t last_rv;
    unsigned char *rvs; /* how often each version was given */
    size_t n_rvs;
};

static void answered(void *arg, const struct watch_written *w, const struct watch_error *error)
{
    struct answers *a = arg;
    a->done++;
    if (error != NULL) {
        print_error("%s\n", error->message);
        a->failed++;
        return;
    }
    a->last_rv = w->object.rv > a->last_rv ? w->object.rv : a->last_rv;
    if (a->rvs != NULL && w->object.rv < a->n_rvs) {
        a->rvs[w->object.rv]++;
    }
}

static void start_put(struct watch_client *c, size_t number, struct answers *a)
{
    char name[32];
    char json[600];
    snprintf(name, sizeof(name), "o%06zu", number);
    snprintf(json, sizeof(json), "{\"n\":%zu,\"pad\":\"%0300d\"}", number, 0);
    struct watch_write w = {.verb = WATCH_PUT,
                            .name = name,
                            .json = json,
                            .json_len = strlen(json),
                            .mode = WATCH_PUT_CREATE, /* done twice, it would be refused */
                            .scope = WATCH_SCOPE_AUTO};
    watch_write_start(c, &w, 0, answered, a);
}

static void fill(struct watch_client *c, size_t n)
{
    struct answers a = {0};
    for (size_t i = 0; i < n; i++) {
        start_put(c, i, &a);
        while (watch_writes_in_flight(c) >= 200) {
            (void)watch_client_poll(c, -1);
        }
    }
    while (a.done < n) {
        (void)watch_client_poll(c, -1);
    }
    assert_int_equal(a.failed, 0);
}

static void writes_under_way_survive_a_killed_server(void **state)
{
    struct server *s = *state;
    struct watch_client *c = client_of(s);
    enum { N = 4000 };
    struct answers a = {.n_rvs = N + 1};
    a.rvs = mem_zalloc(a.n_rvs);
    size_t started = 0;
    size_t next_kill = 300;
    while (a.done < N) {
        while (started < N && watch_writes_in_flight(c) < 100) {
            start_put(c, started++, &a);
        }
        (void)watch_client_poll(c, 1000);
        if (a.done >= next_kill && a.done < N) {
            server_kill(s);
            server_start(s);
            next_kill += 700;
        }
    }
    assert_int_equal(a.failed, 0);
    assert_int_equal(a.done, N);
    /* Each write was done once, however often it was sent: every version belongs to one. */
    assert_int_equal(a.last_rv, N);
    for (size_t rv = 1; rv <= N; rv++) {
        assert_int_equal(a.rvs[rv], 1);
    }
    free(a.rvs);
    watch_client_free(c);
}

/* ---- Watches ------------------------------------------------------------------------------- */

struct place {
    char token[4096];
    size_t token_len;
    uint64_t after;
    uint64_t rv;
};

/* Takes events until there were n, or until the end of the state; returns how many there were. Each
 * must be the next object. */
static size_t take(struct watch_stream *w, size_t from, size_t n, bool *ret_synced)
{
    *ret_synced = false;
    for (size_t i = 0; i < n;) {
        struct watch_item item;
        switch (watch_next(w, 20000, &item)) {
        case WATCH_ITEM_EVENT: {
            char name[32];
            snprintf(name, sizeof(name), "o%06zu", from + i);
            assert_string_equal(item.object->name, name);
            assert_string_equal(item.object->ns, "default");
            assert_int_equal(item.type, WATCH_ADDED);
            assert_int_equal(strlen(item.object->json), item.object->json_len);
            i++;
            break;
        }
        case WATCH_ITEM_SYNCED:
            *ret_synced = true;
            return i;
        case WATCH_ITEM_END:
            fail_msg("%s", item.error->message);
            break;
        case WATCH_ITEM_NONE:
            fail_msg("nothing came for 20 s");
            break;
        case WATCH_ITEM_BOOKMARK:
        case WATCH_ITEM_CONNECTED:
        case WATCH_ITEM_LOST:
            break;
        }
    }
    return n;
}

static void save(const struct watch_stream *w, struct place *ret)
{
    struct watch_position p;
    watch_position(w, &p);
    assert_true(p.token_len <= sizeof(ret->token));
    memcpy(ret->token, p.token != NULL ? p.token : "", p.token_len);
    ret->token_len = p.token_len;
    ret->after = p.after;
    ret->rv = p.rv;
}

static struct watch_stream *open_at(struct watch_client *c, const struct place *at)
{
    struct watch_options o = {.from = WATCH_FROM_STATE};
    if (at->token_len > 0) {
        o.from = WATCH_FROM_POSITION;
        o.position = (struct watch_position){
            .token = at->token, .token_len = at->token_len, .after = at->after, .rv = at->rv};
    }
    struct watch_stream *w;
    struct watch_error error;
    if (watch_open(c, &o, &w, &error) != WATCH_OK) {
        fail_msg("%s", error.message);
    }
    return w;
}

/* The place is saved in one client and gone on from in another, as after a restart of a program, at
 * any event: at the seams of messages, in their middle, and with the server killed in between. */
static void a_saved_position_is_exact_at_every_event(void **state)
{
    struct server *s = *state;
    enum { N = 3000 };
    struct watch_client *c = client_of(s);
    fill(c, N);
    watch_client_free(c);
    size_t in_the_middle = 0;
    for (int round = 0; round < 25; round++) {
        struct place at = {0};
        size_t have = 0;
        bool synced = false;
        while (!synced) {
            c = client_of(s);
            struct watch_stream *w = open_at(c, &at);
            size_t want = random_below(4) == 0 ? random_below(4) : random_below(1200);
            have += take(w, have, want, &synced);
            save(w, &at);
            in_the_middle += at.after > 0;
            assert_int_equal(at.rv, synced ? N : 0);
            watch_close(w);
            watch_client_free(c);
            if (random_below(30) == 0) {
                server_kill(s);
                server_start(s);
            }
        }
        assert_int_equal(have, N);
    }
    /* Otherwise this tested less than it says. */
    assert_true(in_the_middle > 10);
}

static void a_watch_that_nobody_reads_for_a_while_loses_nothing(void **state)
{
    struct server *s = *state;
    struct watch_client *c = client_of(s);
    struct place nowhere = {0};
    struct watch_stream *w = open_at(c, &nowhere);
    bool synced;
    assert_int_equal(take(w, 0, 1, &synced), 0);
    assert_true(synced);
    struct watch_client *writer = client_of(s);
    enum { N = 5000 };
    fill(writer, N);
    watch_client_free(writer);
    /* Writes that are under way together come in any order, but each has its own version. */
    CLEANUP(freep) unsigned char *seen = mem_zalloc(N);
    for (uint64_t rv = 1; rv <= N;) {
        struct watch_item item;
        enum watch_item_kind kind = watch_next(w, 20000, &item);
        assert_true(kind == WATCH_ITEM_EVENT || kind == WATCH_ITEM_BOOKMARK);
        if (kind == WATCH_ITEM_EVENT) {
            assert_int_equal(item.rv, rv++);
            seen[strtoul(item.object->name + 1, NULL, 10)]++;
        }
    }
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(seen[i], 1);
    }
    struct watch_position p;
    watch_position(w, &p);
    assert_int_equal(p.rv, N);
    watch_close(w);
    watch_client_free(c);
}

static void notices_tell_of_an_outage_once(void **state)
{
    struct server *s = *state;
    struct watch_client *c = client_of(s);
    struct place nowhere = {0};
    struct watch_stream *w = open_at(c, &nowhere);
    bool synced;
    (void)take(w, 0, 1, &synced);
    server_kill(s);
    struct watch_item item;
    assert_int_equal(watch_next(w, 20000, &item), WATCH_ITEM_LOST);
    assert_int_equal(item.error->code, WATCH_UNAVAILABLE);
    /* However many attempts fail meanwhile. */
    assert_int_equal(watch_next(w, 700, &item), WATCH_ITEM_NONE);
    server_start(s);
    assert_int_equal(watch_next(w, 20000, &item), WATCH_ITEM_CONNECTED);
    assert_in_range(item.outage_ms, 700, 20000);
    assert_true(item.subscription_id[0] != '\0');
    assert_int_equal(watch_next(w, 300, &item), WATCH_ITEM_NONE);
    watch_close(w);
    watch_client_free(c);
}

static void an_unsubscribed_watch_stays_ended(void **state)
{
    struct server *s = *state;
    struct watch_client *c = client_of(s);
    struct watch_options o = {.client_id = "somebody"};
    struct watch_stream *w;
    struct watch_error error;
    assert_int_equal(watch_open(c, &o, &w, &error), WATCH_OK);
    bool synced;
    (void)take(w, 0, 1, &synced);
    struct watch_client *other = client_of(s);
    uint32_t ended = 0;
    assert_int_equal(watch_unsubscribe(other, "somebody", NULL, &ended, &error), WATCH_OK);
    assert_int_equal(ended, 1);
    struct watch_item item;
    assert_int_equal(watch_next(w, 20000, &item), WATCH_ITEM_END);
    assert_int_equal(item.error->code, WATCH_UNSUBSCRIBED);
    assert_int_equal(watch_next(w, 300, &item), WATCH_ITEM_END);
    watch_close(w);
    watch_client_free(other);
    watch_client_free(c);
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static void nobody_is_waited_for_longer_than_the_timeout(void **state)
{
    (void)state;
    struct watch_client_options o = {.address = "127.0.0.1:1", .timeout_ms = 300};
    struct watch_client *c;
    struct watch_error error;
    assert_int_equal(watch_client_new(&o, &c, &error), WATCH_OK);
    struct watch_object object;
    mono_ms_t before = clock_mono(&clock_system);
    assert_int_equal(watch_get(c, NULL, NULL, "a", &object, &error), WATCH_UNAVAILABLE);
    assert_in_range(clock_mono(&clock_system) - before, 290, 5000);
    assert_string_equal(error.message, "Connection refused");
    assert_false(watch_client_was_connected(c));
    watch_client_free(c);
}

static struct watch_client *to_interrupt;

static void on_alarm(int sig)
{
    (void)sig;
    watch_client_interrupt(to_interrupt);
}

static void a_signal_handler_can_end_a_wait(void **state)
{
    (void)state;
    struct watch_client_options o = {.address = "127.0.0.1:1", .timeout_ms = 60000};
    struct watch_error error;
    assert_int_equal(watch_client_new(&o, &to_interrupt, &error), WATCH_OK);
    (void)signal(SIGALRM, on_alarm);
    (void)alarm(1);
    struct watch_object object;
    mono_ms_t before = clock_mono(&clock_system);
    assert_int_equal(watch_get(to_interrupt, NULL, NULL, "a", &object, &error), WATCH_CANCELLED);
    assert_in_range(clock_mono(&clock_system) - before, 900, 10000);
    watch_client_free(to_interrupt);
}

int main(void)
{
    (void)setenv("GRPC_VERBOSITY", "NONE", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_under_way_survive_a_killed_server, server_setup,
                                        server_teardown),
        cmocka_unit_test_setup_teardown(a_saved_position_is_exact_at_every_event, server_setup,
                                        server_teardown),
        cmocka_unit_test_setup_teardown(a_watch_that_nobody_reads_for_a_while_loses_nothing,
                                        server_setup, server_teardown),
        cmocka_unit_test_setup_teardown(notices_tell_of_an_outage_once, server_setup,
                                        server_teardown),
        cmocka_unit_test_setup_teardown(an_unsubscribed_watch_stays_ended, server_setup,
                                        server_teardown),
        cmocka_unit_test(nobody_is_waited_for_longer_than_the_timeout),
        cmocka_unit_test(a_signal_handler_can_end_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
