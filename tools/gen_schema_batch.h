/* The part of gen_schema.c that describes batches, by the tables of front/serve/batch_fields.h. */
#ifndef TOOLS_GEN_SCHEMA_BATCH_H
#define TOOLS_GEN_SCHEMA_BATCH_H

#include "front/serve/batch_fields.h"

/* ---- what comes in ---- */

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

/* ---- what goes out ---- */

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
