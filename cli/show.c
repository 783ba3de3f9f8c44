/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/text.h"
#include "cli/yaml.h"
#include "store/model/json.h"

#define OUT_MAX       ((size_t)1 << 30)
#define SUMMARY_WIDTH 60

static bool on_terminal(void)
{
    static int known = -1;
    if (known < 0) {
        known = isatty(STDOUT_FILENO);
    }
    return known != 0;
}

void show_out(struct buf *out)
{
    if (out->n > 0) {
        (void)fwrite(out->p, 1, out->n, stdout);
        buf_clear(out);
    }
}

void show_append_json(struct str json, struct buf *out)
{
    if (on_terminal()) {
        text_escape_json(json, out);
    } else {
        buf_adds(out, json);
    }
}

void show_json(const struct watch_object *o)
{
    CLEANUP(buf_fini) struct buf text;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&text, OUT_MAX);
    buf_init(&out, OUT_MAX);
    text_indent_json((struct str){o->json, o->json_len}, &text);
    show_append_json(buf_str(&text), &out);
    buf_addc(&out, '\n');
    show_out(&out);
}

enum errc show_yaml(const struct watch_object *o, struct err *err)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    enum errc rc = json_text_parse((struct str){o->json, o->json_len}, "the object", &v, err);
    if (rc != OK) {
        return rc;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, OUT_MAX);
    rc = yaml_write(v, &out, err);
    if (rc == OK) {
        show_out(&out);
    }
    return rc;
}

void show_name(const struct watch_object *o)
{
    printf("%s/%s\n", o->resource, o->name);
}

/* ---- Tables -------------------------------------------------------------------------------- */

void glance_init(struct glance *g)
{
    memset(g, 0, sizeof(*g));
    buf_init(&g->summary, OUT_MAX);
}

void glance_fini(struct glance *g)
{
    buf_fini(&g->summary);
}

void glance_at(struct glance *g, const struct watch_object *o, wall_ms_t now)
{
    snprintf(g->version, sizeof(g->version), "%" PRIu64, o->rv);
    snprintf(g->age, sizeof(g->age), "<unknown>");
    buf_clear(&g->summary);
    CLEANUP(json_decrefp) json_t *v = NULL;
    struct err err;
    if (json_text_parse((struct str){o->json, o->json_len}, "the object", &v, &err) != OK) {
        return;
    }
    const char *created =
        json_string_value(json_object_get(json_object_get(v, "metadata"), "creationTimestamp"));
    if (created != NULL) {
        text_age_of(str_of(created), now, g->age);
    }
    const json_t *spec = json_object_get(v, "spec");
    if (spec != NULL) {
        CLEANUP(buf_fini) struct buf text;
        buf_init(&text, OUT_MAX);
        json_text_write(spec, &text);
        text_shorten(buf_str(&text), SUMMARY_WIDTH, &g->summary);
    }
}
