/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"

/* A closed stdin, stdout or stderr would give its number to the next socket, and our output would
 * go into that. */
static void fill_standard_files(int argc, char **argv, char **env)
{
    (void)argc;
    (void)argv;
    (void)env;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            /* Reading from stdout and writing to stdin fail, as they would on a closed one. */
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

/* Before the libraries start themselves: gRPC's opens an eventfd then, before main. */
__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(int, char **,
                                                            char **) = fill_standard_files;

int main(int argc, char **argv)
{
    /* gRPC's own lines about connections say what we say better; who wants them can have them. */
    (void)setenv("GRPC_VERBOSITY", "NONE", 0);
    return command_main(argc, argv);
}
