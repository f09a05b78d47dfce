/*
 * Finding a report, and its frames: see report.h.
 */
#include "diagnose/report.h"

#include "diagnose/sources.h"
#include "diagnose/text.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_KEPT_FIRST (DIAGNOSE_FRAMES_MAX / 2)

/* ---- the text ---- */

void report_text_init(struct report_text *text)
{
    *text = (struct report_text){.read = {false, false}};
    buffer_init(&text->streams[RESULT_STDOUT], 0);
    buffer_init(&text->streams[RESULT_STDERR], 0);
}

void report_text_done(struct report_text *text)
{
    buffer_done(&text->streams[RESULT_STDOUT]);
    buffer_done(&text->streams[RESULT_STDERR]);
}

/* The beginning and the end of a stream, with an empty line for what is between. */
static const struct buffer *text_of(const struct diagnose_case *it, struct report_text *text,
                                    enum result_stream stream)
{
    const struct buffer *kept = &it->stage->streams[stream].kept;
    struct buffer *out = &text->streams[stream];
    size_t head = kept->size;
    size_t tail = 0;
    if (text->read[stream]) {
        return out;
    }
    text->read[stream] = true;
    if (kept->size > DIAGNOSE_HEAD_MAX + DIAGNOSE_TAIL_MAX) {
        head = DIAGNOSE_HEAD_MAX;
        tail = DIAGNOSE_TAIL_MAX;
    }
    if (text_add_clean(out, kept->data, head) < 0 ||
        (tail > 0 && (buffer_add_string(out, "\n\n") < 0 ||
                      text_add_clean(out, kept->data + kept->size - tail, tail) < 0))) {
        buffer_done(out); /* memory is short: nothing is found in nothing */
    }
    return out;
}

/* ---- the report ---- */

static bool rule_applies(const struct diagnose_case *it, const struct errors_rule *rule)
{
    size_t i = 0;
    while (i < rule->exit_code_count && rule->exit_codes[i] != it->stage->exit_code) {
        i++;
    }
    return (rule->stages & (unsigned)it->which) != 0 &&
           (rule->exit_code_count == 0 || i < rule->exit_code_count);
}

static void take_parts(const struct errors_rule *rule, struct report *ret_report)
{
    ret_report->rule = rule;
    for (size_t i = 0; i < ERRORS_GROUP_COUNT; i++) {
        const char *name = errors_group_names[i];
        ret_report->parts[i] = pattern_group(rule->match, name, strlen(name));
    }
}

bool report_find(const struct diagnose_case *it, const struct errors_rule *rule,
                 struct report_text *text, const struct pattern_budget *budget,
                 struct report *ret_report)
{
    if (!rule_applies(it, rule)) {
        return false;
    }
    const struct buffer *in =
        text_of(it, text, rule->stream == ERRORS_ON_STDOUT ? RESULT_STDOUT : RESULT_STDERR);
    size_t from = 0;
    size_t found = 0; /* where the last one begins that was found; `in->size`: there is none */
    for (found = in->size; pattern_find(rule->match, in->data, in->size, from, budget);) {
        struct pattern_piece whole = pattern_group(rule->match, "", 0);
        found = (size_t)(whole.data - in->data);
        from = found + whole.size;
        if (rule->take == ERRORS_TAKE_FIRST || whole.size == 0) {
            break;
        }
    }
    /* Once more: what was looked for behind it has taken the place of its groups. */
    if (found == in->size || !pattern_find(rule->match, in->data, in->size, found, budget)) {
        return false;
    }
    take_parts(rule, ret_report);
    return true;
}

/* ---- frames ---- */

/* One, still as pieces of the report and of the sources. */
struct frame {
    struct source_place place;
    struct pattern_piece function;
    uint32_t line, column;
};

/* In the order of the report; when there are more than fit, those in the middle are dropped. */
struct frames {
    struct frame items[DIAGNOSE_FRAMES_MAX];
    size_t count;
};

static void frames_add(struct frames *frames, const struct frame *frame)
{
    if (frames->count == DIAGNOSE_FRAMES_MAX) {
        struct frame *middle = &frames->items[FRAMES_KEPT_FIRST];
        memmove(middle, middle + 1,
                (DIAGNOSE_FRAMES_MAX - FRAMES_KEPT_FIRST - 1) * sizeof(*middle));
        frames->count--;
    }
    frames->items[frames->count++] = *frame;
}

static void frames_reverse(struct frames *frames)
{
    for (size_t i = 0; i < frames->count / 2; i++) {
        struct frame frame = frames->items[i];
        frames->items[i] = frames->items[frames->count - 1 - i];
        frames->items[frames->count - 1 - i] = frame;
    }
}

static struct pattern_piece group_of(const struct pattern *pattern, enum errors_group group)
{
    return pattern_group(pattern, errors_group_names[group], strlen(errors_group_names[group]));
}

/* The column of a caret below a line of source.  Some languages strip that line before they show
 * it, so it is looked for in the file's own. */
static uint32_t caret_column(struct pattern_piece shown, struct pattern_piece caret,
                             struct pattern_piece source)
{
    struct pattern_piece inner = text_trim(shown);
    if (caret.data == NULL || inner.size == 0) {
        return 0;
    }
    size_t indent = text_characters(shown.data, (size_t)(inner.data - shown.data));
    size_t real_indent = indent;
    const char *there =
        source.data == NULL ? NULL : memmem(source.data, source.size, inner.data, inner.size);
    if (there != NULL) {
        real_indent = text_characters(source.data, (size_t)(there - source.data));
    }
    size_t before = text_characters(caret.data, caret.size) + real_indent;
    return before >= indent && before - indent < UINT32_MAX ? (uint32_t)(before - indent) + 1 : 0;
}

/* The file that is named, or the entry, when it is none of the request's and the rule says so. */
static struct source_place find_place(const struct diagnose_case *it,
                                      const struct errors_rule *rule, struct pattern_piece file)
{
    struct source_place place = source_find(it->sources, file);
    const char *entry = it->sources->entry;
    if (place.file == NULL && rule->file != NULL && entry != NULL) {
        place = source_find(it->sources, (struct pattern_piece){entry, strlen(entry)});
    }
    return place;
}

/* What the groups of the last match of a pattern say: a rule's own, or its frame's. */
static struct frame take_frame(const struct diagnose_case *it, const struct errors_rule *rule,
                               const struct pattern *pattern)
{
    struct pattern_piece column = group_of(pattern, ERRORS_GROUP_COLUMN);
    struct frame frame = {
        .place = find_place(it, rule, text_trim(group_of(pattern, ERRORS_GROUP_FILE))),
        .function = text_trim(group_of(pattern, ERRORS_GROUP_FUNCTION)),
        .line = text_number(group_of(pattern, ERRORS_GROUP_LINE)),
        .column = text_number(column),
    };
    if (column.size > 0) {
        frame.column += rule->first_column == 0;
    } else {
        frame.column = caret_column(group_of(pattern, ERRORS_GROUP_SHOWN),
                                    group_of(pattern, ERRORS_GROUP_CARET),
                                    source_line(frame.place.file, frame.line));
    }
    return frame;
}

static void find_frames(const struct diagnose_case *it, const struct report *report,
                        const struct pattern_budget *budget, struct frames *frames)
{
    struct pattern *pattern = report->rule->frame;
    struct pattern_piece in = report->parts[ERRORS_GROUP_FRAMES];
    size_t from = 0;
    while (in.size > 0 && pattern_find(pattern, in.data, in.size, from, budget)) {
        struct pattern_piece whole = pattern_group(pattern, "", 0);
        struct frame frame = take_frame(it, report->rule, pattern);
        frames_add(frames, &frame);
        from = (size_t)(whole.data - in.data) + whole.size;
        if (whole.size == 0) {
            break;
        }
    }
    if (report->rule->innermost == ERRORS_INNERMOST_LAST) {
        frames_reverse(frames);
    }
}

/* ---- the place that the report itself names ---- */

static bool is_same_place(const struct frame *a, const struct frame *b)
{
    return a->line == b->line && a->place.name.size == b->place.name.size &&
           (a->place.name.size == 0 ||
            memcmp(a->place.name.data, b->place.name.data, a->place.name.size) == 0);
}

/* In front of the frames, unless it is the first of them. */
static void add_own_place(struct frames *frames, const struct frame *own)
{
    struct frame *first = &frames->items[0];
    if (frames->count > 0 && is_same_place(first, own)) {
        first->column = own->column != 0 ? own->column : first->column;
        return;
    }
    frames->count -= frames->count == DIAGNOSE_FRAMES_MAX;
    memmove(first + 1, first, frames->count * sizeof(*first));
    *first = *own;
    frames->count++;
}

/* From the line where a function is called to the line in it. */
static void move_functions(struct frames *frames)
{
    for (size_t i = 0; i < frames->count; i++) {
        bool is_outermost = i + 1 == frames->count;
        frames->items[i].function =
            is_outermost ? (struct pattern_piece){NULL, 0} : frames->items[i + 1].function;
    }
}

/* ---- into the diagnosis ---- */

static int set_text(char **ret_text, struct pattern_piece piece, size_t max)
{
    *ret_text = text_copy(piece.size > 0 ? piece : (struct pattern_piece){NULL, 0}, max);
    return *ret_text == NULL && piece.size > 0 ? -1 : 0;
}

/* A request's files hold anything. */
static int set_source(char **ret_text, struct pattern_piece line)
{
    CLEANUP(buffer_done) struct buffer clean;
    buffer_init(&clean, 0);
    size_t size = line.size < DIAGNOSE_SOURCE_MAX ? line.size : DIAGNOSE_SOURCE_MAX;
    if (line.data == NULL) {
        return 0;
    }
    if (text_add_clean(&clean, line.data, size) < 0) {
        return -1;
    }
    return set_text(ret_text, (struct pattern_piece){clean.data, clean.size}, DIAGNOSE_SOURCE_MAX);
}

static int set_frame(const struct frame *frame, struct result_frame *ret_frame)
{
    ret_frame->line = frame->line;
    if (set_text(&ret_frame->file, frame->place.name, DIAGNOSE_FILE_MAX) < 0 ||
        set_text(&ret_frame->function, frame->function, DIAGNOSE_FUNCTION_MAX) < 0) {
        return -1;
    }
    return set_source(&ret_frame->source, source_line(frame->place.file, frame->line));
}

/* The innermost in the workspace, else the innermost of all. */
static const struct frame *main_frame(const struct frames *frames)
{
    for (size_t i = 0; i < frames->count; i++) {
        if (frames->items[i].place.in_workspace) {
            return &frames->items[i];
        }
    }
    return &frames->items[0];
}

int report_place(const struct diagnose_case *it, const struct report *report,
                 const struct pattern_budget *budget, struct result_diagnosis *diagnosis)
{
    struct frames frames = {.count = 0};
    struct frame own;
    if (report->rule->frame != NULL) {
        find_frames(it, report, budget, &frames);
    }
    own = take_frame(it, report->rule, report->rule->match);
    if (own.line != 0 || report->parts[ERRORS_GROUP_FILE].size > 0 ||
        (frames.count == 0 && own.function.size > 0)) {
        add_own_place(&frames, &own);
    }
    if (report->rule->functions == ERRORS_FUNCTIONS_CALLED) {
        move_functions(&frames);
    }
    if (frames.count == 0) {
        return 0;
    }
    diagnosis->frames = calloc(frames.count, sizeof(*diagnosis->frames));
    if (diagnosis->frames == NULL) {
        return -1;
    }
    diagnosis->frame_count = frames.count;
    for (size_t i = 0; i < frames.count; i++) {
        if (set_frame(&frames.items[i], &diagnosis->frames[i]) < 0) {
            return -1;
        }
    }
    const struct frame *place = main_frame(&frames);
    diagnosis->line = place->line;
    diagnosis->column = place->column;
    return set_text(&diagnosis->file, place->place.name, DIAGNOSE_FILE_MAX);
}
