/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds saved inputs to a fuzz target: each argument is a file, or a folder of files. */
#include <dirent.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX ((size_t)16 * 1024 * 1024)

static void replay_file(const char *path)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, INPUT_MAX);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;) {
        buf_add(&b, chunk, n);
    }
    fclose(f);
    REQUIRE(!b.full);
    /* A block of exactly this size, so that a sanitizer sees a read beyond its end. */
    CLEANUP(freep) uint8_t *exact = mem_dup(b.p, b.n);
    LLVMFuzzerTestOneInput(exact, b.n);
}

static size_t replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        replay_file(path);
        return 1;
    }
    DIR *dir = opendir(path);
    if (dir == NULL) {
        perror(path);
        exit(1);
    }
    size_t n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] != '.') {
            CLEANUP(freep) char *inside = mem_printf("%s/%s", path, e->d_name);
            n += replay(inside);
        }
    }
    closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    for (int i = 1; i < argc; i++) {
        n += replay(argv[i]);
    }
    printf("%zu inputs\n", n);
    return n != 0 ? 0 : 1;
}
