/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that change objects. */
#include "cli/commands_impl.h"

/* Aligning the columns of such tables is beyond the formatter. */
/* clang-format off */
/* Whatever changes objects can be tried, and tells of each. */
#define RESULT {DRY_RUN}, {OUTPUT, .value = "name|json"}
/* Changes what is in an object, whole or in part. */
#define CONTENT {SUBRESOURCE}, {KEEP_STATUS}, {FIELD_MANAGER}, {TTL}, {NO_TTL}, RESULT

static const struct option put_options[] = {
    {INPUT, .help = "Read documents from FILE, JSON or YAML; - is stdin. May be given again."},
    {NAMESPACE},
    {IF_RV},
    {IF_UID},
    {FLAG("if-absent", 0, if_absent), .help = "Only create, never replace."},
    CONTENT,
};

const struct command cmd_put = {
    .name = "put",
    .summary = "Create or replace objects",
    .usage = "put [RESOURCE/]NAME JSON\n"
             "put [[RESOURCE/]NAME] -f FILE [-f FILE]…",
    .details =
        "A document is a whole object if it has metadata, or apiVersion and kind, or only spec\n"
        "and status. Any other JSON object is the new spec; metadata and status then stay.\n"
        "metadata.resourceVersion and metadata.uid of a document are preconditions. With\n"
        "--subresource status any other JSON object is the new status.\n"
        "\n"
        "FILE is JSON or YAML (1.2: only true, false, null, ~ and numbers are not text) and may\n"
        "hold several documents, or a List. Without NAME each document names itself by\n"
        "metadata.name, its resource by its kind (\"Job\" is in \"jobs\"), \"objects\" if it has\n"
        "none. With metadata.generateName instead, the server makes a new object and completes\n"
        "its name.",
    .examples = "watchctl put greeting '{\"text\":\"hello\"}'\n"
                "watchctl put jobs/build '{\"steps\":3}' -n ci\n"
                "watchctl put greeting '{\"text\":\"hi\"}' --if-rv 12\n"
                "watchctl put -f objects.yaml\n"
                "watchctl get jobs -o yaml | watchctl put -f -",
    OPTIONS(put_options),
    .max_words = 3,
    .outputs = "text,name,json",
    .run = put_run,
};

static const struct option apply_options[] = {
    {INPUT, .help = "Read documents from FILE, JSON or YAML; - is stdin. May be given again."},
    {NAMESPACE},
    {FIELD_MANAGER},
    {SUBRESOURCE},
    {FLAG("force-conflicts", 0, force_conflicts),
     .help = "Take over the fields that others own."},
    RESULT,
};

const struct command cmd_apply = {
    .name = "apply",
    .summary = "Make objects be as documents say, and keep track of who said what",
    .usage = "apply -f FILE [-f FILE]…",
    .details =
        "The server makes each object be as its document says, creates it if there is none, and\n"
        "remembers that --field-manager owns what is in it. Maps are merged member by member;\n"
        "lists and all else are one value, unless the resource's schema says otherwise. What the\n"
        "manager applied before and now leaves out is removed, unless another owns it too. A\n"
        "field that another owns and the document would change is a conflict: all are listed,\n"
        "nothing is changed, and it ends with 4. put and patch take over what they change.\n"
        "\n"
        "FILE is as for put; each document is a whole object and names itself. With --subresource\n"
        "status only its status is applied, by a manager apart from the one of that name who\n"
        "applies the whole.",
    .examples = "watchctl apply -f site.yaml\n"
                "watchctl apply -f site.yaml --field-manager ci --dry-run\n"
                "watchctl apply -f site.yaml --force-conflicts\n"
                "watchctl get sites/main -o yaml --show-managed-fields",
    OPTIONS(apply_options),
    .max_words = 0,
    .outputs = "text,name,json",
    .run = apply_run,
};

static const struct option patch_options[] = {
    {TEXT("patch", 'p', patch), .value = "JSON", .help = "The patch."},
    {INPUT, .help = "Read the patch from FILE, JSON or YAML; - is stdin."},
    {TEXT("type", 0, patch_type),
     .value = "merge|json",
     .def = "merge",
     .help = "A JSON merge patch (RFC 7396), or a JSON Patch (RFC 6902)."},
    {NAMESPACE},
    {IF_RV},
    {IF_UID},
    CONTENT,
};

const struct command cmd_patch = {
    .name = "patch",
    .summary = "Change parts of an object",
    .usage = "patch [RESOURCE/]NAME JSON\n"
             "patch [RESOURCE/]NAME -p JSON\n"
             "patch [RESOURCE/]NAME -f FILE",
    .details =
        "A merge patch (RFC 7396) is laid over the whole object: members are set, null removes\n"
        "one, arrays are replaced. A JSON Patch (RFC 6902) is an array of operations, all of\n"
        "which are done, or none: {\"op\":\"add\"|\"remove\"|\"replace\"|\"move\"|\"copy\"|\"test\", …}.\n"
        "metadata.resourceVersion and metadata.uid in a patch are preconditions.",
    .examples =
        "watchctl patch greeting '{\"spec\":{\"text\":\"hi\"}}'\n"
        "watchctl patch jobs/build -p '{\"metadata\":{\"labels\":{\"tier\":null}}}'\n"
        "watchctl patch jobs/build --type json '[{\"op\":\"remove\",\"path\":\"/spec/steps\"}]'\n"
        "watchctl patch jobs/build --subresource status '{\"status\":{\"phase\":\"Done\"}}'",
    OPTIONS(patch_options),
    .max_words = 3,
    .outputs = "text,name,json",
    .run = patch_run,
};

static const struct option delete_options[] = {
    {SELECTOR},
    {FIELD_SELECTOR},
    {FLAG("all", 0, all_objects), .help = "All objects of RESOURCE."},
    {TEXT("cascade", 0, cascade),
     .value = "background|orphan",
     .help = "What becomes of the objects whose only owner it is: they are deleted soon after (the "
             "default), or stay without the reference."},
    {NAMESPACE},
    {ALL_NAMESPACES},
    {IF_RV},
    {IF_UID},
    {IGNORE_NOT_FOUND},
    {FIELD_MANAGER},
    RESULT,
};

const struct command cmd_delete = {
    .name = "delete",
    .aliases = "rm",
    .summary = "Delete one object, or those of a selection",
    .usage = "delete [RESOURCE/]NAME\n"
             "delete RESOURCE -l SELECTOR\n"
             "delete RESOURCE --field-selector SELECTOR\n"
             "delete RESOURCE --all",
    .details =
        "A single word is a NAME; only with a selector or --all is it a RESOURCE, of which the objects\n"
        "in -n, or with -A in all namespaces, are deleted one by one. Each is told when it is done;\n"
        "to go on after an interruption, run it again. An object with finalizers is only marked\n"
        "for deletion, and goes when the last of them is taken away.",
    .examples = "watchctl delete greeting\n"
                "watchctl delete jobs/build -n ci --if-rv 97\n"
                "watchctl delete jobs -n ci -l state=done\n"
                "watchctl delete jobs --all -A --dry-run",
    OPTIONS(delete_options),
    .max_words = 2,
    .outputs = "text,name,json",
    .run = delete_run,
};

static const struct option transact_options[] = {
    {INPUT, .help = "Read the operations from FILE, JSON lines or YAML; - is stdin."},
    {NAMESPACE},
    RESULT,
};

const struct command cmd_transact = {
    .name = "transact",
    .summary = "Write several objects together: all or none",
    .usage = "transact -f FILE",
    .details =
        "FILE holds an operation a line, or YAML documents: a whole object to put, or\n"
        "{\"op\":\"put\"|\"create\"|\"update\"|\"patch\"|\"delete\"|\"check\",\"resource\":…,\n"
        "\"namespace\":…,\"name\":…,\"object\":{…} or \"patch\":{…}}. With \"resourceVersion\" or \"uid\"\n"
        "it demands that the object has these; a check, which changes nothing, without either\n"
        "demands that there is no such object. With metadata.generateName in place of a name the\n"
        "server completes it; a delete may have \"cascade\":\"orphan\". At most 100 operations,\n"
        "each of another object, with 1 MiB of documents. Watchers see all of it at once. When a\n"
        "demand fails nothing is changed, and the end is 4.",
    .examples = "watchctl transact -f move.jsonl\n"
                "watchctl transact -f move.jsonl -n ci --dry-run",
    OPTIONS(transact_options),
    .max_words = 0,
    .outputs = "text,name,json",
    .run = transact_run,
};

static const struct option undo_options[] = {
    {TEXT("to-rv", 0, to_rv),
     .value = "VERSION",
     .help = "Back to what was there at this version, not to what was before the last change."},
    {NAMESPACE},
    RESULT,
};

const struct command cmd_undo = {
    .name = "undo",
    .summary = "Put the version before the last change back",
    .usage = "undo [RESOURCE/]NAME [--to-rv VERSION]",
    .details = "As a new write, which is refused if somebody else writes in between. References to owners\n"
               "that are gone are left out, since they would have it deleted again. To undo a\n"
               "deletion makes the object again, to undo its creation deletes it; a second undo\n"
               "redoes.",
    .examples = "watchctl undo jobs/build\n"
                "watchctl undo jobs/build --to-rv 97",
    OPTIONS(undo_options),
    .max_words = 2,
    .outputs = "text,name,json",
    .run = undo_run,
};

static const struct option import_options[] = {{NAMESPACE}};

const struct command cmd_import = {
    .name = "import",
    .summary = "Write many objects from JSON lines",
    .usage = "import FILE|-",
    .details =
        "Each line is a whole object, or {\"op\":\"put\"|\"delete\",\"resource\":…,\"namespace\":…,\n"
        "\"name\":…,\"object\":{…}}; the resource of a whole object is told by its kind, as in put.\n"
        "What names no namespace goes to -n, else to \"default\". Many writes are under way at a\n"
        "time, but of one object never more than one, in the order of the lines, and nothing\n"
        "behind a definition of a resource before that is there. It goes on when the server is\n"
        "restarted meanwhile. A line that is refused, deleting what is not there included, is told\n"
        "with its number, and the rest goes on; the end is then 9.",
    .examples = "watchctl import objects.jsonl\n"
                "watchctl export all -A | watchctl import - --server other:7733",
    OPTIONS(import_options),
    .max_words = 1,
    .run = import_run,
};
