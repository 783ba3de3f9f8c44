/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/address.h"

#include <ctype.h>
#include <string.h>
#include <sys/un.h>

#include "store/base/bytes.h"

static enum errc check_port(const char *text, const char *port, struct err *err)
{
    uint64_t n;
    if (!str_to_u64(str_of(port), &n) || n == 0 || n > 65535) {
        return err_field(err, ERR_INVALID, "address", "\"%s\": the port must be 1 to 65535", text);
    }
    return OK;
}

static enum errc unix_target(const char *path, char **ret, struct err *err)
{
    if (*path == '\0') {
        return err_field(err, ERR_INVALID, "address", "\"unix:\" wants a path behind it");
    }
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        return err_field(err, ERR_INVALID, "address",
                         "a Unix socket's path has at most %zu characters",
                         sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
    }
    *ret = mem_printf("unix:%s", path);
    return OK;
}

enum errc address_target(const char *text, char **ret, struct err *err)
{
    if (*text == '\0') {
        return err_field(err, ERR_INVALID, "address", "the address is empty; write HOST:PORT");
    }
    if (strncmp(text, "unix:", 5) == 0) {
        const char *path = text + 5;
        return unix_target(strncmp(path, "///", 3) == 0 ? path + 2 : path, ret, err);
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (!isgraph((unsigned char)*c) || *c == '/' || *c == '%' || *c == ',') {
            return err_field(err, ERR_INVALID, "address",
                             "\"%s\" is no address; write HOST:PORT or unix:PATH", text);
        }
    }
    const char *colon = strrchr(text, ':');
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
            return err_field(err, ERR_INVALID, "address", "\"%s\": write [ADDRESS]:PORT", text);
        }
        colon = close[1] == ':' ? close + 1 : NULL;
    } else if (colon != NULL && strchr(text, ':') != colon) {
        return err_field(err, ERR_INVALID, "address",
                         "\"%s\": put an IPv6 address in brackets: [ADDRESS]:PORT", text);
    }
    if (colon == NULL) {
        *ret = mem_printf("%s:%d", text, ADDRESS_PORT_DEFAULT);
        return OK;
    }
    enum errc rc = check_port(text, colon + 1, err);
    if (rc != OK) {
        return rc;
    }
    *ret = colon == text ? mem_printf("127.0.0.1%s", text) : mem_strdup(text);
    return OK;
}
