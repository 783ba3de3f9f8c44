/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the JSON texts that are usual, many times as fast as jansson does, into the same tree. What
 * is not usual, or not right, is left to jansson, which also knows the words for what is wrong. */
#ifndef WATCHD_MODEL_JSON_READ_H
#define WATCHD_MODEL_JSON_READ_H

#include <jansson.h>

#include "store/base/bytes.h"

/* A new reference; NULL: ask jansson. A tree is never other than jansson would make it with
 * JSON_REJECT_DUPLICATES and JSON_DECODE_ANY, and nests at most JSON_DEPTH_MAX levels. */
json_t *json_read(struct str text);

#endif
