/*
 * See asyncapi.h.  Divisions: messages; channels and operations.
 *
 * How it works: an event of a run is a message of two channels, in the one as data, in the other as
 * a frame, which is an object with a "type".
 */
#include "front/serve/api/asyncapi.h"

#include "front/serve/api/document.h"
#include "front/serve/api/events.h"
#include "front/serve/runs/batches.h"
#include "front/serve/runs/interactive.h"
#include "front/serve/runs/runs.h"

enum form {
    FORM_DATA,    /* what the schema says */
    FORM_MEMBERS, /* a frame, in which stands what the schema says */
    FORM_MEMBER, /* a frame with a member of its type's name, of which the schema says what it is */
};

struct message {
    const char *name;
    const char *schema;
    const char *meaning;
    enum form form;
};

#define IN_DATA(id, name, schema, form, meaning)  {name, schema, meaning, FORM_DATA},
#define IN_FRAME(id, name, schema, form, meaning) {name, schema, meaning, FORM_##form},
#define IN_BATCH(id, name, schema, meaning)       {name, schema, meaning, FORM_DATA},

static const struct message events[] = {EVENTS(IN_DATA)};
static const struct message batch_events[] = {BATCH_EVENTS(IN_BATCH)};
static const struct message told[] = {EVENTS(IN_FRAME){
    "problem", "Problem", "there is no run, or a frame was wrong; nothing follows", FORM_MEMBER}};
static const struct message taken[] = {
    {"request", "Request", "the first message: what is to be run", FORM_DATA}, INPUTS(IN_FRAME)};
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static void add_channel(struct document *document, const char *name, const char *address,
                        const char *title);
static void add_operation(struct document *document, const char *name, const char *action,
                          const char *channel, const char *summary);
static void add_messages(struct document *document, const char *channel, const char *operation,
                         const struct message *messages, size_t count);

int asyncapi_json(char **ret_json, size_t *ret_size, struct cella_error *err)
{
    struct document document = {.root = json_object()};
    json_t *root = document.root;
    json_t *info =
        document_info("What runs and batches tell on their way, and what is said to them.");
    document_set(&document, info, "license",
                 json_pack("{s:s, s:s}", "name", "Apache License 2.0", "url",
                           "https://www.apache.org/licenses/LICENSE-2.0"));
    document_set(&document, root, "asyncapi", json_string("3.0.0"));
    document_set(&document, root, "info", info);
    document_set(&document, root, "defaultContentType", json_string("application/json"));
    document_set(&document, root, "components",
                 json_pack("{s:o}", "schemas", document_schemas(&document)));
    add_channel(&document, "runs", RUNS, "Server-sent events of a run");
    add_operation(&document, "events", "send", "runs",
                  "Answers POST " RUNS " with `Accept: text/event-stream`: of each event its name, "
                  "and its data in one line");
    add_messages(&document, "runs", "events", events, COUNT_OF(events));
    add_channel(&document, "batches", BATCHES, "Server-sent events of a batch");
    add_operation(&document, "batch_events", "send", "batches",
                  "Answers POST " BATCHES " with `Accept: text/event-stream`, as events of a run");
    add_messages(&document, "batches", "batch_events", batch_events, COUNT_OF(batch_events));
    add_channel(&document, "interactive", RUNS "/interactive", "A run by WebSocket");
    add_operation(&document, "tell", "send", "interactive", "Text messages, as a run goes on");
    add_messages(&document, "interactive", "tell", told, COUNT_OF(told));
    add_operation(&document, "take", "receive", "interactive",
                  "Text messages: a request, then input. A binary message is standard input as it "
                  "is");
    add_messages(&document, "interactive", "take", taken, COUNT_OF(taken));
    return document_end(&document, ret_json, ret_size, err);
}

/* ---- messages ---- */

static json_t *schema_of(const struct document *document, const char *name)
{
    return json_object_get(
        json_object_get(json_object_get(document->root, "components"), "schemas"), name);
}

/* What the schema says, with the type before it. */
static json_t *make_frame(struct document *document, const struct message *message)
{
    json_t *frame = json_deep_copy(schema_of(document, message->schema));
    json_t *required = json_object_get(frame, "required");
    if (json_object_set_new(json_object_get(frame, "properties"), "type",
                            json_pack("{s:s}", "const", message->name)) < 0 ||
        json_array_insert_new(required, 0, json_string("type")) < 0) {
        document->failed = true;
    }
    return frame;
}

static json_t *make_nesting_frame(const struct message *message)
{
    return json_pack("{s:s, s:{s:{s:s}, s:o}, s:[s, s], s:b}", "type", "object", "properties",
                     "type", "const", message->name, message->name,
                     document_reference(message->schema), "required", "type", message->name,
                     "additionalProperties", 0);
}

static json_t *make_payload(struct document *document, const struct message *message)
{
    switch (message->form) {
    case FORM_DATA:
        return document_reference(message->schema);
    case FORM_MEMBERS:
        return make_frame(document, message);
    case FORM_MEMBER:
        return make_nesting_frame(message);
    }
    return NULL;
}

/* ---- channels and operations ---- */

static void add_channel(struct document *document, const char *name, const char *address,
                        const char *title)
{
    document_set(document, document_object(document, document->root, "channels"), name,
                 json_pack("{s:s, s:s, s:{}}", "address", address, "title", title, "messages"));
}

static void add_operation(struct document *document, const char *name, const char *action,
                          const char *channel, const char *summary)
{
    document_set(document, document_object(document, document->root, "operations"), name,
                 json_pack("{s:s, s:{s:o}, s:s, s:[]}", "action", action, "channel", "$ref",
                           json_sprintf("#/channels/%s", channel), "summary", summary, "messages"));
}

static void add_messages(struct document *document, const char *channel, const char *operation,
                         const struct message *messages, size_t count)
{
    json_t *channels = json_object_get(document->root, "channels");
    json_t *operations = json_object_get(document->root, "operations");
    json_t *all = json_object_get(json_object_get(channels, channel), "messages");
    json_t *list = json_object_get(json_object_get(operations, operation), "messages");
    for (size_t i = 0; i < count; i++) {
        const struct message *message = &messages[i];
        document_set(document, all, message->name,
                     json_pack("{s:s, s:s, s:o}", "name", message->name, "summary",
                               message->meaning, "payload", make_payload(document, message)));
        document_append(
            document, list,
            json_pack("{s:o}", "$ref",
                      json_sprintf("#/channels/%s/messages/%s", channel, message->name)));
    }
}
