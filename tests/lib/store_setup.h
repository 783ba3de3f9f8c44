/* SPDX-License-Identifier: Apache-2.0 */
/* A store fixture as tests of cmocka begin and end with it. */
#ifndef WATCHD_TESTS_STORE_SETUP_H
#define WATCHD_TESTS_STORE_SETUP_H

#include "store_fixture.h"

/* For cmocka_unit_test_setup_teardown: *state is a fixture that is open. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_reopen(struct fixture *f);
/* jobs/default/NAME as clients see it; new. NULL: there is no such object. */
char *fixture_text(struct fixture *f, const char *name);

#endif
