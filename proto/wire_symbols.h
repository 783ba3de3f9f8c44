/* SPDX-License-Identifier: Apache-2.0 */
/* The names in our protos and the files they stand in, from the descriptor set that is linked in.
 * Made at the first use, never freed; immutable then. Threads: any. */
#ifndef WATCHD_PROTO_WIRE_SYMBOLS_H
#define WATCHD_PROTO_WIRE_SYMBOLS_H

#include "store/base/bytes.h"

struct symbol_file {
    struct str name;  /* "watch/v1/watch.proto" */
    struct str bytes; /* a FileDescriptorProto */
};

enum symbol_kind { SYMBOL_SERVICE, SYMBOL_METHOD, SYMBOL_MESSAGE, SYMBOL_ENUM };

struct symbol {
    struct str name; /* with its package: "watch.v1.WatchService.Subscribe" */
    enum symbol_kind kind;
    unsigned file;
};

#define SYMBOL_FILES_MAX 64

/* Both NULL when there is none of that name; *ret_i is the file's number. */
const struct symbol_file *symbol_file_find(struct str name, unsigned *ret_i);
const struct symbol *symbol_find(struct str name);
const struct symbol_file *symbol_file_at(unsigned i);
/* The set of a file and all it imports, directly or not: bit i is file i. */
uint64_t symbol_file_closure(unsigned i);
/* By name; NULL at the end. */
const struct symbol *symbol_at(size_t i);

#endif
