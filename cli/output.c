/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"

#define FINISH_S 1 /* for a reader to take what is under way */

static void give_up(int sig)
{
    (void)sig;
    _exit(EXIT_CODE_INTERRUPTED);
}

/* The C library's own would stop at the first signal and leave half a line. */
static ssize_t write_whole(void *cookie, const char *p, size_t n)
{
    (void)cookie;
    size_t done = 0;
    while (done < n) {
        if (cli_interrupted()) {
            (void)alarm(FINISH_S);
        }
        ssize_t k = write(STDOUT_FILENO, p + done, n - done);
        if (k < 0 && errno != EINTR) {
            break;
        }
        done += k > 0 ? (size_t)k : 0;
    }
    (void)alarm(0);
    return (ssize_t)done;
}

void output_open(void)
{
    struct sigaction action = {.sa_handler = give_up};
    (void)sigaction(SIGALRM, &action, NULL);
    FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_whole});
    if (out != NULL) {
        setvbuf(out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
        stdout = out;
    }
}
