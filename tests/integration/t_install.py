#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` installs works where it was put: the programs, libwatch for programs of others,
manual pages, completion."""
import os
import re
import shutil
import subprocess

from watchtest import *

BUILD = os.path.dirname(os.path.abspath(BIN))

PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include <watch_client.h>

static int failed(const struct watch_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    return 1;
}

int main(int argc, char **argv)
{
    struct watch_error error;
    struct watch_client_options options;
    struct watch_options from_now;
    struct watch_client *client = NULL;
    struct watch_stream *stream = NULL;
    struct watch_item item;
    struct watch_write write;
    struct watch_written written;
    memset(&options, 0, sizeof options);
    memset(&from_now, 0, sizeof from_now);
    memset(&write, 0, sizeof write);
    options.address = argc > 1 ? argv[1] : NULL;
    from_now.from = WATCH_FROM_NOW;
    write.verb = WATCH_PUT;
    write.name = "greeting";
    write.json = "{\"spec\":{\"text\":\"hello\"}}";
    write.json_len = strlen(write.json);
    if (watch_client_new(&options, &client, &error) != WATCH_OK ||
        watch_open(client, &from_now, &stream, &error) != WATCH_OK) {
        return failed(&error);
    }
    do {
        if (watch_next(stream, 20000, &item) == WATCH_ITEM_NONE) {
            return 2;
        }
    } while (item.kind != WATCH_ITEM_CONNECTED);
    if (watch_write(client, &write, &written, &error) != WATCH_OK) {
        return failed(&error);
    }
    do {
        if (watch_next(stream, 20000, &item) == WATCH_ITEM_NONE) {
            return 3;
        }
    } while (item.kind != WATCH_ITEM_EVENT);
    printf("%s %s/%s %.*s\n", watch_version(), item.object->resource, item.object->name,
           (int)item.object->json_len, item.object->json);
    watch_close(stream);
    watch_client_free(client);
    return 0;
}
"""


def run(*command, env=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=200,
                          env={**os.environ, **(env or {})})
    eq(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def install(t):
    """Installs into a folder of the test; returns it, and its files."""
    prefix = t.path("prefix")
    run("cmake", "--install", BUILD, "--prefix", prefix)
    files = [os.path.relpath(os.path.join(folder, name), prefix)
             for folder, _, names in os.walk(prefix) for name in names]
    return prefix, sorted(files)


def the_one(prefix, files, pattern):
    found = [file for file in files if re.fullmatch(pattern, file)]
    eq(len(found), 1, f"files like {pattern} among {files}")
    return os.path.join(prefix, found[0])


@test
def all_of_it_is_there_and_nothing_else(t):
    prefix, files = install(t)
    for pattern in ("bin/watchd", "bin/watchctl", "include/watch_client.h", r"lib/(.*/)?libwatch\.so",
                    r"lib/(.*/)?pkgconfig/libwatch\.pc", "share/man/man1/watchctl.1",
                    "share/man/man8/watchd.8", "share/bash-completion/completions/watchctl"):
        the_one(prefix, files, pattern)
    eq(len(files), 10, f"{files}, of which two are libwatch.so by its versions")
    version = run(os.path.join(prefix, "bin/watchctl"), "version").split()[1]
    eq(run(os.path.join(prefix, "bin/watchd"), "--version").split()[1], version)
    assert f"watchd {version}" in open(os.path.join(prefix, "share/man/man8/watchd.8"), encoding="utf-8").read()
    run("bash", "-n", os.path.join(prefix, "share/bash-completion/completions/watchctl"))


@test
def a_program_of_others_puts_and_watches(t):
    if not shutil.which("pkg-config"):
        t.note("skipped: there is no pkg-config")
        return
    prefix, files = install(t)
    library = the_one(prefix, files, r"lib/(.*/)?libwatch\.so")
    if b"__asan_init" in open(library, "rb").read() or b"__tsan_init" in open(library, "rb").read():
        t.note("skipped: a library with a sanitizer needs a program with one")
        return
    symbols = [line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()]
    eq([s for s in symbols if not s.startswith("watch_")], [], "names that others could meet")
    server = Server(t).start()
    client = server.client()
    # Moved: the package file says where it is itself.
    moved = t.path("moved")
    os.rename(prefix, moved)
    library = library.replace(prefix, moved)
    env = {"PKG_CONFIG_PATH": os.path.join(os.path.dirname(library), "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "libwatch", env=env).split()
    eq(run("pkg-config", "--modversion", "libwatch", env=env).strip(),
       run(os.path.join(moved, "bin/watchctl"), "version").split()[1])
    for i, (compiler, name) in enumerate((("cc", "app.c"), ("c++", "app.cc"))):
        program = t.path(f"app{i}")
        run(compiler, "-Wall", "-Wextra", "-Werror", t.file(name, PROGRAM), "-o", program, *flags)
        client.delete("greeting") if i else None
        out = run(program, server.unix, env={"LD_LIBRARY_PATH": os.path.dirname(library)})
        assert re.match(r"\d+\.\d+\.\d+ objects/greeting \{.*hello", out), out


@test
def manual_pages_are_well_formed_and_complete(t):
    prefix, files = install(t)
    for program, page, helps in (("watchctl", "man1/watchctl.1", None), ("watchd", "man8/watchd.8", "--help")):
        path = os.path.join(prefix, "share/man", page)
        if shutil.which("mandoc"):
            eq(run("mandoc", "-T", "lint", "-W", "warning", path), "", "mandoc's complaints")
        elif shutil.which("man"):
            done = subprocess.run(["man", "--warnings", "-l", path], capture_output=True, text=True, timeout=100,
                                  env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
            eq((done.returncode, done.stderr), (0, ""), "man's complaints")
        else:
            t.note("not checked by man or mandoc: there is neither")
        text = re.sub(r"\\f[BIR]", "", open(path, encoding="utf-8").read()).replace("\\-", "-")
        assert text.isascii()
        program = os.path.join(prefix, "bin", program)
        says = [run(program, helps)] if helps else [
            run(program, "help", name) for name in
            re.findall(r"^  (\w+) ", run(program, "help").split("Options of all")[0], re.M)]
        assert len(says) == 1 or len(says) > 15, says
        for option in {word for say in says for word in re.findall(r"(?<![\w-])--[a-z-]+", say)}:
            assert option in text, f"{page} does not tell of {option}"


if __name__ == "__main__":
    main()
