/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <strings.h>

#include <yaml.h>

#include "cli/yaml.h"
#include "store/model/json.h"

static int append(void *arg, unsigned char *p, size_t n)
{
    struct buf *out = arg;
    buf_add(out, p, n);
    return !out->full;
}

static bool emit(yaml_emitter_t *e, yaml_event_t *event, int made)
{
    return made && yaml_emitter_emit(e, event);
}

static bool emit_scalar(yaml_emitter_t *e, struct str text, yaml_scalar_style_t style)
{
    yaml_event_t event;
    int made = yaml_scalar_event_initialize(&event, NULL, NULL,
                                            (const unsigned char *)(text.n != 0 ? text.p : ""),
                                            (int)text.n, 1, 1, style);
    return emit(e, &event, made);
}

/* Might some reader take this plain text for a number, a date or a time? Rather too often than too
 * seldom; but what has other letters in it, as most uids have, is none. */
static bool looks_like_number(struct str s)
{
    size_t sign = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    struct str rest = {s.p + sign, s.n - sign};
    if (rest.n == 0 || (!isdigit((unsigned char)rest.p[0]) && rest.p[0] != '.')) {
        return false;
    }
    bool based = rest.n > 1 && rest.p[0] == '0' && strchr("xXoObB", rest.p[1]) != NULL;
    for (size_t i = based ? 2 : 0; i < rest.n; i++) {
        unsigned char c = (unsigned char)rest.p[i];
        bool part = based ? isxdigit(c) != 0 : isdigit(c) || (c != 0 && strchr("+-.: eEtTzZ", c));
        if (!part && c != '_') {
            return false;
        }
    }
    return true;
}

/* The words of YAML 1.1 that are not strings there. */
static bool is_word(struct str s)
{
    static const char *const words[] = {"y",    "n", "yes", "no", "on",   "off",   "true",  "false",
                                        "null", "~", "=",   "<<", ".inf", "-.inf", "+.inf", ".nan"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (s.n == strlen(words[i]) && strncasecmp(s.p, words[i], s.n) == 0) {
            return true;
        }
    }
    return false;
}

/* A block of lines is easier to read than one line full of \n, where YAML allows it. */
static bool suits_block(struct str s)
{
    if (memchr(s.p, '\n', s.n) == NULL || s.p[0] == ' ' || s.p[0] == '\n') {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool trailing = c == ' ' && (i + 1 == s.n || s.p[i + 1] == '\n');
        if (trailing || (c < ' ' && c != '\n') || c == 0x7f || c == '\t') {
            return false;
        }
    }
    return true;
}

static bool emit_string(yaml_emitter_t *e, struct str s)
{
    if (s.n != 0 && suits_block(s)) {
        return emit_scalar(e, s, YAML_LITERAL_SCALAR_STYLE);
    }
    bool quote = s.n == 0 || is_word(s) || looks_like_number(s);
    return emit_scalar(e, s, quote ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE);
}

static bool emit_value(yaml_emitter_t *e, const json_t *v);

static bool emit_array(yaml_emitter_t *e, const json_t *v)
{
    yaml_event_t event;
    yaml_sequence_style_t style =
        json_array_size(v) == 0 ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE;
    if (!emit(e, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style))) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!emit_value(e, json_array_get(v, i))) {
            return false;
        }
    }
    return emit(e, &event, yaml_sequence_end_event_initialize(&event));
}

static bool emit_object(yaml_emitter_t *e, const json_t *v)
{
    yaml_event_t event;
    yaml_mapping_style_t style =
        json_object_size(v) == 0 ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE;
    if (!emit(e, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style))) {
        return false;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)v, key, value)
    {
        struct str k = str_of(key);
        bool quote = k.n == 0 || is_word(k) || looks_like_number(k);
        if (!emit_scalar(e, k, quote ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE) ||
            !emit_value(e, value)) {
            return false;
        }
    }
    return emit(e, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_value(yaml_emitter_t *e, const json_t *v)
{
    if (json_is_object(v)) {
        return emit_object(e, v);
    }
    if (json_is_array(v)) {
        return emit_array(e, v);
    }
    if (json_is_string(v)) {
        return emit_string(e, (struct str){json_string_value(v), json_string_length(v)});
    }
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, 64);
    json_text_write(v, &text);
    return emit_scalar(e, buf_str(&text), YAML_PLAIN_SCALAR_STYLE);
}

enum errc yaml_write(const json_t *v, struct buf *out, struct err *err)
{
    yaml_emitter_t e;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&e)) {
        return err_set(err, ERR_INTERNAL, "no YAML emitter");
    }
    yaml_emitter_set_output(&e, append, out);
    yaml_emitter_set_unicode(&e, 1);
    yaml_emitter_set_width(&e, -1);
    bool ok = emit(&e, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
              emit(&e, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
              emit_value(&e, v) &&
              emit(&e, &event, yaml_document_end_event_initialize(&event, 1)) &&
              emit(&e, &event, yaml_stream_end_event_initialize(&event)) && yaml_emitter_flush(&e);
    yaml_emitter_delete(&e);
    return ok ? OK : err_set(err, ERR_INTERNAL, "the object cannot be written as YAML");
}
