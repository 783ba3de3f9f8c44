/* SPDX-License-Identifier: Apache-2.0 */
/* (1) The descriptor set is ours, made by protoc and linked in: what is wrong with it is a fault of
 *     the build, which assertions may catch.
 * (2) protoc writes a file behind all that it imports, so that one pass finds every closure.
 * See: descriptor.proto of protobuf, whose field numbers these are. */
#include "proto/wire_symbols.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "proto/pb.h"

extern const char wire_descriptors[], wire_descriptors_end[];

enum { SET_FILE = 1 };
enum { FILE_NAME = 1, FILE_PACKAGE, FILE_DEPENDENCY, FILE_MESSAGE, FILE_ENUM, FILE_SERVICE };
enum { ANY_NAME = 1 }; /* of a message, an enum, a service, a method */
enum { SERVICE_METHOD = 2 };
enum { MESSAGE_NESTED = 3, MESSAGE_ENUM = 4 };

static struct {
    struct symbol_file files[SYMBOL_FILES_MAX];
    uint64_t closures[SYMBOL_FILES_MAX];
    unsigned n_files;
    struct symbol *symbols; /* sorted by name */
    size_t n_symbols, cap_symbols;
} table;

/* Walks one kind of field; false at the end. */
static bool next_of(struct str in, size_t *at, unsigned number, struct str *ret)
{
    while (*at < in.n) {
        struct pb_field f;
        bool valid = pb_next(in, at, &f);
        assert(valid); /* (1) */
        if (f.number == number && f.type == PB_BYTES) {
            *ret = f.bytes;
            return true;
        }
    }
    return false;
}

static struct str first_of(struct str in, unsigned number)
{
    size_t at = 0;
    struct str s = STR_EMPTY;
    return next_of(in, &at, number, &s) ? s : STR_EMPTY;
}

/* Takes the name of `in`, which stands in `scope`. Returns the whole name. */
static struct str symbol_add(struct str scope, struct str in, enum symbol_kind kind)
{
    struct str name = first_of(in, ANY_NAME);
    char *whole =
        scope.n != 0 ? mem_printf("%.*s.%.*s", STR_ARG(scope), STR_ARG(name)) : str_dup(name);
    if (table.n_symbols == table.cap_symbols) {
        table.cap_symbols = table.cap_symbols == 0 ? 64 : table.cap_symbols * 2;
        table.symbols = mem_realloc(table.symbols, table.cap_symbols * sizeof(table.symbols[0]));
    }
    struct symbol *s = &table.symbols[table.n_symbols++];
    *s = (struct symbol){str_of(whole), kind, table.n_files};
    return s->name;
}

static void add_all(struct str scope, struct str in, unsigned number, enum symbol_kind kind)
{
    struct str s;
    for (size_t at = 0; next_of(in, &at, number, &s);) {
        struct str whole = symbol_add(scope, s, kind);
        if (kind == SYMBOL_MESSAGE) {
            add_all(whole, s, MESSAGE_NESTED, SYMBOL_MESSAGE);
            add_all(whole, s, MESSAGE_ENUM, SYMBOL_ENUM);
        } else if (kind == SYMBOL_SERVICE) {
            add_all(whole, s, SERVICE_METHOD, SYMBOL_METHOD);
        }
    }
}

static const struct symbol_file *file_find(struct str name, unsigned *ret_i)
{
    for (unsigned i = 0; i < table.n_files; i++) {
        if (str_eq(table.files[i].name, name)) {
            *ret_i = i;
            return &table.files[i];
        }
    }
    return NULL;
}

static void file_add(struct str in)
{
    assert(table.n_files < SYMBOL_FILES_MAX);
    table.files[table.n_files] = (struct symbol_file){first_of(in, FILE_NAME), in};
    uint64_t closure = (uint64_t)1 << table.n_files;
    struct str name;
    for (size_t at = 0; next_of(in, &at, FILE_DEPENDENCY, &name);) {
        unsigned i = 0;
        const struct symbol_file *f = file_find(name, &i);
        assert(f != NULL); /* (2) */
        closure |= table.closures[i];
    }
    table.closures[table.n_files] = closure;
    struct str package = first_of(in, FILE_PACKAGE);
    add_all(package, in, FILE_MESSAGE, SYMBOL_MESSAGE);
    add_all(package, in, FILE_ENUM, SYMBOL_ENUM);
    add_all(package, in, FILE_SERVICE, SYMBOL_SERVICE);
    table.n_files++;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

static void table_make(void)
{
    struct str set = {wire_descriptors, (size_t)(wire_descriptors_end - wire_descriptors)};
    struct str file;
    for (size_t at = 0; next_of(set, &at, SET_FILE, &file);) {
        file_add(file);
    }
    qsort(table.symbols, table.n_symbols, sizeof(table.symbols[0]), by_name);
}

static void table_use(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, table_make);
}

const struct symbol_file *symbol_file_find(struct str name, unsigned *ret_i)
{
    table_use();
    return file_find(name, ret_i);
}

const struct symbol *symbol_find(struct str name)
{
    table_use();
    struct symbol wanted = {.name = name};
    return bsearch(&wanted, table.symbols, table.n_symbols, sizeof(wanted), by_name);
}

const struct symbol_file *symbol_file_at(unsigned i)
{
    table_use();
    return i < table.n_files ? &table.files[i] : NULL;
}

uint64_t symbol_file_closure(unsigned i)
{
    table_use();
    assert(i < table.n_files);
    return table.closures[i];
}

const struct symbol *symbol_at(size_t i)
{
    table_use();
    return i < table.n_symbols ? &table.symbols[i] : NULL;
}
