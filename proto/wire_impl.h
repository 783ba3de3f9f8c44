/* SPDX-License-Identifier: Apache-2.0 */
/* What the wire_*.c files share; nobody else includes it.
 * Threads: any; pure but for the arena. */
#ifndef WATCHD_PROTO_WIRE_IMPL_H
#define WATCHD_PROTO_WIRE_IMPL_H

#include <protobuf-c/protobuf-c.h>

#include "proto/pb.h"
#include "proto/wire.h"
#include "watch/v1/object.pb-c.h"

/* Levels of messages in messages. Ours have five; no recursive message is reachable. */
#define WIRE_DEPTH_MAX 16

/* Checks the bytes against the message's description and unpacks them into the arena. `ret` is the
 * address of a pointer to the generated struct. A protobuf `string` is a NUL-terminated text then,
 * and its bytes are all of it.
 * Errors: ERR_INVALID naming the field; ERR_TOO_LARGE when the arena's budget is spent. */
enum errc wire_unpack(struct arena *a, const ProtobufCMessageDescriptor *d, struct str in,
                      void *ret, struct err *err) NODISCARD;

/* Room for n things, not cleared; NULL in *ret for none. `ret` is the address of a pointer.
 * Errors: ERR_TOO_LARGE. */
enum errc wire_array(struct arena *a, size_t n, size_t size, void *ret, struct err *err) NODISCARD;

static inline struct str wire_bytes_of(ProtobufCBinaryData b)
{
    return (struct str){(const char *)b.data, b.len};
}

/* Generated structs (NULL: not sent) as ours, borrowing. */
void wire_key_of(const Watch__V1__Key *m, struct key *ret);
void wire_object_of(const Watch__V1__Object *m, struct wire_object *ret);
void wire_selection_of(const Watch__V1__Selection *m, struct selection *ret);
/* `repeated Selection`. *ret lives in the arena. Errors: ERR_TOO_LARGE. */
enum errc wire_selections_of(struct arena *a, Watch__V1__Selection *const *v, size_t n,
                             struct selection **ret, struct err *err) NODISCARD;

/* `repeated WriteOutcome`. *ret lives in the arena. Errors: ERR_TOO_LARGE. */
enum errc wire_outcomes_of(struct arena *a, Watch__V1__WriteOutcome *const *v, size_t n,
                           struct wire_write_response **ret, struct err *err) NODISCARD;

/* Borrowed; empty, or of the right length. Errors: ERR_INVALID. */
enum errc wire_request_id_of(ProtobufCBinaryData b, struct str *ret, struct err *err) NODISCARD;
enum errc wire_put_of(const Watch__V1__PutRequest *m, struct wire_write_request *ret,
                      struct err *err) NODISCARD;
enum errc wire_patch_of(const Watch__V1__PatchRequest *m, struct wire_write_request *ret,
                        struct err *err) NODISCARD;
enum errc wire_delete_of(const Watch__V1__DeleteRequest *m, struct wire_write_request *ret,
                         struct err *err) NODISCARD;

enum errc wire_check_of(const Watch__V1__Check *m, struct wire_write_request *ret,
                        struct err *err) NODISCARD;
/* A detail of the status. */
void wire_append_conflicts(const struct conflicts *c, struct buf *out);

void wire_add_key(struct buf *out, unsigned number, const struct key *k);
void wire_add_selection(struct buf *out, unsigned number, const struct selection *s);

/* ---- Documents and objects, sized and written without a copy between --------------------------
 */

/* A JSON document as runs of bytes that lie elsewhere: a stored body with the version's text
 * spliced in is three, a body made from a delta up to five. Not to be copied: it points into
 * itself. */
#define WIRE_RUNS_MAX 6
struct wire_doc {
    struct str runs[WIRE_RUNS_MAX];
    unsigned n_runs;
    size_t size; /* of all runs */
    char splice[SPLICE_MAX];
};

void wire_doc_body(struct wire_doc *d, struct str body, uint32_t splice, rv_t rv,
                   uint64_t generation);

/* More text of the metadata, right behind the version's. Borrowed. */
void wire_doc_insert(struct wire_doc *d, struct str text);

/* An Object message of this key, version and document: its bytes, without a tag in front. */
size_t wire_object_size(const struct key *k, rv_t rv, size_t doc_size);
uint8_t *wire_object_put(uint8_t *at, const struct key *k, rv_t rv, const struct wire_doc *d);
/* The whole field. */
void wire_add_object(struct buf *out, unsigned number, const struct key *k, rv_t rv,
                     const struct wire_doc *d);

#endif
