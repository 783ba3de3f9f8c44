/* SPDX-License-Identifier: Apache-2.0 */
/* Standard output: what is said there comes in whole lines, also when the user interrupts us while
 * the reader of a pipe is slow. Threads: the main one. */
#ifndef WATCHD_CLI_OUTPUT_H
#define WATCHD_CLI_OUTPUT_H

/* Before the first output: from here on a write that is under way when we are interrupted goes on
 * for a second; after that, or at a second interrupt, the process ends with
 * EXIT_CODE_INTERRUPTED as it is. */
void output_open(void);

#endif
