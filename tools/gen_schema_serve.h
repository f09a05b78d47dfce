/*
 * The part of gen_schema.c that describes what the server alone has: problems, and batches, by the
 * tables of front/serve/runs/batch_fields.h.
 */
#ifndef TOOLS_GEN_SCHEMA_SERVE_H
#define TOOLS_GEN_SCHEMA_SERVE_H

#include "front/serve/runs/batch_fields.h"

/* ---- problems ---- */

SCHEMA(PROBLEM_TYPE)
{
    (void)field;
    json_t *schema = must(json_pack("{s:[s]}", "enum", "about:blank"));
    for (int kind = CELLA_ERROR_CALLER; kind <= CELLA_ERROR_BUG; kind++) {
        append(json_object_get(schema, "enum"),
               json_sprintf(ERROR_PROBLEM_TYPE "%s",
                            error_kind_info((enum cella_error_kind)kind)->name));
    }
    return schema;
}

SCHEMA(HTTP_STATUS)
{
    (void)field;
    return must(json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", 400, "maximum", 599));
}

/* RFC 9457; engine/wire.c writes it. */
static json_t *problem_schema(void)
{
    static const struct field fields[] = {
        {"type", schema_PROBLEM_TYPE, 0, "who must act; about:blank: what the status says"},
        {"title", schema_TEXT, 0, "the type in words"},
        {"status", schema_HTTP_STATUS, 0, "of the answer"},
        {"detail", schema_TEXT, 0, "what is wrong"},
        {"field", schema_TEXT_OR_NULL, 0, "path to the field of the request that is wrong"},
        {"hint", schema_TEXT_OR_NULL, 0, "what to do about it"},
    };
    return whole("A problem", object_of(fields, ARRAY_LENGTH(fields), ARRAY_LENGTH(fields)));
}

/* ---- a batch as it comes in ---- */

SCHEMA(REQUEST)
{
    static const struct field fields[] = {REQUEST_FIELDS(REQUEST_ROW)};
    (void)field;
    return object_of(fields, ARRAY_LENGTH(fields), 0);
}

SCHEMA(TESTS)
{
    static const struct field fields[] = {BATCH_TEST_FIELDS(REQUEST_ROW)};
    json_t *schema = array_of(object_of(fields, ARRAY_LENGTH(fields), 0));
    set(schema, "minItems", json_integer(1));
    set(schema, "maxItems", json_integer(field->max));
    return schema;
}

SCHEMA(COMPARISON_MODE)
{
#define MODE_WORD(word, meaning) add_word(schema, word);
    (void)field;
    json_t *schema = one_of_words();
    BATCH_MODES(MODE_WORD)
    return schema;
}

SCHEMA(TOLERANCE)
{
    (void)field;
    return must(json_pack("{s:s, s:i}", "type", "number", "minimum", 0));
}

SCHEMA(COMPARISON)
{
    static const struct field fields[] = {BATCH_COMPARISON_FIELDS(REQUEST_ROW)};
    (void)field;
    return object_of(fields, ARRAY_LENGTH(fields), 0);
}

SCHEMA(COUNT)
{
    return must(json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", 1, "maximum",
                          (int)field->max));
}

static json_t *batch_schema(void)
{
    static const struct field fields[] = {BATCH_FIELDS(REQUEST_ROW)};
    return whole("A batch for Cella", object_of(fields, ARRAY_LENGTH(fields), 2));
}

/* ---- what becomes of it ---- */

SCHEMA(VERDICT)
{
#define VERDICT_WORD(id, word, meaning) add_word(schema, word);
    (void)field;
    json_t *schema = one_of_words();
    BATCH_VERDICTS(VERDICT_WORD)
    return schema;
}

SCHEMA(VERDICTS)
{
    return must(json_pack("{s:s, s:o, s:o}", "type", "object", "propertyNames",
                          schema_VERDICT(field), "additionalProperties", schema_SIZE(field)));
}

SCHEMA(PIECE)
{
    return schema_TEXT(field);
}

SCHEMA(EXCERPT)
{
    return schema_TEXT(field);
}

SCHEMA(COMPILE_TEXT)
{
    return schema_COMPILE(field);
}

SCHEMA(RUN_TEXT)
{
    static const struct field fields[] = {RESULT_SUMMARY_FIELDS(RESULT_ROW)};
    (void)field;
    return or_null(object_of(fields, ARRAY_LENGTH(fields), ARRAY_LENGTH(fields)));
}

OBJECT_SCHEMA(FIGURES_MS, BATCH_FIGURES_FIELDS)
OBJECT_SCHEMA(SUMMARY, BATCH_SUMMARY_FIELDS)
OBJECT_SCHEMA(one_difference, BATCH_DIFFERENCE_FIELDS)
OBJECT_SCHEMA(one_check, BATCH_CHECKER_FIELDS)

SCHEMA(DIFFERENCE)
{
    return or_null(schema_one_difference(field));
}

SCHEMA(CHECKED)
{
    return or_null(schema_one_check(field));
}

OBJECT_SCHEMA(one_outcome, BATCH_OUTCOME_FIELDS)

SCHEMA(TEST_OUTCOMES)
{
    return array_of(schema_one_outcome(field));
}

static json_t *batch_result_schema(void)
{
    static const struct field fields[] = {BATCH_RESULT_FIELDS(RESULT_ROW)};
    return whole("What became of a batch",
                 object_of(fields, ARRAY_LENGTH(fields), ARRAY_LENGTH(fields)));
}

#endif
