/* SPDX-License-Identifier: Apache-2.0 */
/* The conflicts of an apply in an error's details: a field violation each, with the field's path
 * and who owns it, `conflict with "ci"`. */
#include "proto/wire_impl.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define BAD_REQUEST "google.rpc.BadRequest"

enum { STATUS_DETAILS = 3 };
enum { ANY_TYPE_URL = 1, ANY_VALUE };
enum { BAD_REQUEST_VIOLATIONS = 1 };
enum { VIOLATION_FIELD = 1, VIOLATION_DESCRIPTION };

void wire_append_conflicts(const struct conflicts *c, struct buf *out)
{
    size_t any = pb_open(out, STATUS_DETAILS);
    pb_add_str(out, ANY_TYPE_URL, STR("type.googleapis.com/" BAD_REQUEST));
    size_t bad = pb_open(out, ANY_VALUE);
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < c->n; i++) {
        size_t violation = pb_open(out, BAD_REQUEST_VIOLATIONS);
        buf_clear(&text);
        buf_printf(&text, "conflict with \"%s\"%s", c->v[i].manager,
                   c->v[i].applies ? "" : " (Update)");
        pb_add_str(out, VIOLATION_FIELD, str_of(c->v[i].field));
        pb_add_str(out, VIOLATION_DESCRIPTION, buf_str(&text));
        pb_close(out, violation);
    }
    pb_close(out, bad);
    pb_close(out, any);
}

bool wire_read_conflicts(struct arena *a, struct str details, struct wire_conflict **ret,
                         size_t *ret_n)
{
    const Google__Rpc__Status *m = NULL;
    const Google__Rpc__BadRequest *bad = NULL;
    if (wire_unpack(a, &google__rpc__status__descriptor, details, &m, NULL) != OK) {
        return false;
    }
    for (size_t i = 0; i < m->n_details && bad == NULL; i++) {
        const char *slash = strrchr(m->details[i]->type_url, '/');
        if (slash != NULL && strcmp(slash + 1, BAD_REQUEST) == 0 &&
            wire_unpack(a, &google__rpc__bad_request__descriptor,
                        wire_bytes_of(m->details[i]->value), &bad, NULL) != OK) {
            return false;
        }
    }
    struct wire_conflict *v = NULL;
    if (bad == NULL || wire_array(a, bad->n_field_violations, sizeof(*v), &v, NULL) != OK) {
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < bad->n_field_violations; i++) {
        const Google__Rpc__BadRequest__FieldViolation *x = bad->field_violations[i];
        /* A conflict of versions is told in the same way, but not in these words. */
        if (str_starts(str_of(x->description), STR("conflict with "))) {
            v[n++] = (struct wire_conflict){str_of(x->field), str_of(x->description)};
        }
    }
    *ret = v;
    *ret_n = n;
    return n != 0;
}
