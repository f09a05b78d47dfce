/*
 * See execute_code.h.
 *
 * How it works.  What looks like one of the wrappings is opened, and what comes out is looked at
 * again, a few times: models also put a literal into a block, and a block into a literal.  What
 * cannot be opened is code, and Python says what is wrong with it.
 *
 * Nothing that is good Python is changed: a program does not begin with a backtick, a literal with
 * that key does nothing, and a first line that is indented, or is the bare word `python`, fails.
 */
#include "front/serve/contracts/execute_code.h"

#include "base/hex.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WRAPPINGS_MAX 4   /* one in another */
#define DEPTH_MAX     100 /* of brackets in a literal */

struct text {
    const char *data;
    size_t size;
};

static bool is_space(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r' || letter == '\f';
}

static struct text trim(struct text text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

static struct text skip(struct text text, size_t size)
{
    return (struct text){text.data + size, text.size - size};
}

static size_t line_size(struct text text)
{
    const char *end = text.size > 0 ? memchr(text.data, '\n', text.size) : NULL;
    return end != NULL ? (size_t)(end - text.data) : text.size;
}

static bool is_text(struct text text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* ---- Markdown ---- */

static bool is_tag_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || (letter != '\0' && strchr("_+-.#", letter) != NULL);
}

static bool is_python(struct text tag)
{
    return is_text(tag, "python") || is_text(tag, "py") || is_text(tag, "python3") ||
           is_text(tag, "Python") || is_text(tag, "ipython");
}

/* Behind the name of a language at the beginning of a block: the word that its first line is, or
 * one of Python's with something behind it. */
static struct text skip_tag(struct text text)
{
    const size_t line = line_size(text);
    size_t size = 0;
    while (size < line && is_tag_letter(text.data[size])) {
        size++;
    }
    const struct text tag = {text.data, size};
    const struct text rest = {text.data + size, line - size};
    if (line < text.size && trim(rest).size == 0) {
        return skip(text, line + 1);
    }
    const bool is_inline = size < line && text.data[size] == ' ' && is_python(tag);
    return is_inline ? skip(text, size + 1) : text;
}

/* Whether it is one: then *text is what is in it. */
static bool open_block(struct text *text)
{
    struct text inner = trim(*text);
    size_t fence = 0;
    while (fence < inner.size && inner.data[fence] == '`') {
        fence++;
    }
    if (fence == 0) {
        return false;
    }
    inner = skip(inner, fence);
    while (inner.size > 0 && inner.data[inner.size - 1] == '`') {
        inner.size--;
    }
    *text = fence >= 3 ? skip_tag(inner) : inner;
    return true;
}

/* ---- literals ---- */

/* A place in a literal, and what was found in it. */
struct literal {
    struct text rest;
    struct buffer value; /* of the key that is looked for */
    bool found;
    bool failed; /* memory is short */
};

static void skip_spaces(struct literal *literal)
{
    while (literal->rest.size > 0 && is_space(literal->rest.data[0])) {
        literal->rest = skip(literal->rest, 1);
    }
}

static char peek(const struct literal *literal)
{
    char letter = '\0';
    if (literal->rest.size > 0) {
        letter = literal->rest.data[0];
    }
    return letter;
}

static bool take(struct literal *literal, char letter)
{
    skip_spaces(literal);
    if (peek(literal) != letter || letter == '\0') {
        return false;
    }
    literal->rest = skip(literal->rest, 1);
    return true;
}

static void put(struct buffer *out, const void *data, size_t size, bool *failed)
{
    *failed = *failed || buffer_add(out, data, size) < 0;
}

/* A half of a character, or what is none, is U+FFFD. */
static void put_code(struct buffer *out, uint32_t code, bool *failed)
{
    char bytes[4];
    if (code < 0x80) {
        bytes[0] = (char)code;
        put(out, bytes, 1, failed);
    } else if (code < 0x800) {
        bytes[0] = (char)(0xC0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3F));
        put(out, bytes, 2, failed);
    } else if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        put(out, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT), failed);
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xE0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (code & 0x3F));
        put(out, bytes, 3, failed);
    } else {
        bytes[0] = (char)(0xF0 | code >> 18);
        bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
        bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[3] = (char)(0x80 | (code & 0x3F));
        put(out, bytes, 4, failed);
    }
}

/* So many digits, or in octal at most so many.  Returns how many there were. */
static size_t read_digits(struct text text, size_t max, unsigned base, uint32_t *ret_code)
{
    size_t count = 0;
    *ret_code = 0;
    while (count < max && count < text.size && hex_value(text.data[count]) >= 0 &&
           (unsigned)hex_value(text.data[count]) < base) {
        *ret_code = *ret_code * base + (uint32_t)hex_value(text.data[count++]);
    }
    return count;
}

/* The second half of a character behind "\ud83d", as JSON writes those that are large. */
static bool join_halves(struct text text, uint32_t *code)
{
    uint32_t second = 0;
    if (*code < 0xD800 || *code > 0xDBFF || text.size < 6 || text.data[0] != '\\' ||
        text.data[1] != 'u' || read_digits(skip(text, 2), 4, 16, &second) != 4 || second < 0xDC00 ||
        second > 0xDFFF) {
        return false;
    }
    *code = 0x10000 + ((*code - 0xD800) << 10) + (second - 0xDC00);
    return true;
}

/* `text` begins behind the backslash.  Returns how many bytes of it belong to the escape. */
static size_t put_escape(struct buffer *out, struct text text, bool *failed)
{
    static const char names[] = "abfnrtv\\'\"/";
    static const char values[] = "\a\b\f\n\r\t\v\\'\"/";
    const char letter = text.data[0];
    const char *name = letter != '\0' ? strchr(names, letter) : NULL;
    const size_t wanted = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    uint32_t code = 0;
    if (name != NULL) {
        put(out, &values[name - names], 1, failed);
        return 1;
    }
    if (letter == '\n') {
        return 1; /* the line goes on */
    }
    if (wanted > 0 && read_digits(skip(text, 1), wanted, 16, &code) == wanted) {
        const bool joined = letter == 'u' && join_halves(skip(text, 1 + wanted), &code);
        put_code(out, code, failed);
        return 1 + wanted + (joined ? 6 : 0);
    }
    const size_t digits = read_digits(text, 3, 8, &code);
    if (digits > 0) {
        put_code(out, code, failed);
        return digits;
    }
    put(out, "\\", 1, failed); /* as Python has it: no escape */
    return 0;
}

/* The quotes that a string begins with: one or three.  0: there is none. */
static size_t quotes_at(struct text text)
{
    if (text.size == 0 || (text.data[0] != '\'' && text.data[0] != '"')) {
        return 0;
    }
    const char quote = text.data[0];
    return text.size >= 3 && text.data[1] == quote && text.data[2] == quote ? 3 : 1;
}

/* One string with its quotes, added to `out`.  False when there is none. */
static bool read_string(struct literal *literal, struct buffer *out)
{
    struct text rest = literal->rest;
    const bool has_prefix = rest.size > 1 && strchr("rRuU", rest.data[0]) != NULL &&
                            rest.data[0] != '\0' && quotes_at(skip(rest, 1)) > 0;
    const bool is_raw = has_prefix && (rest.data[0] == 'r' || rest.data[0] == 'R');
    rest = has_prefix ? skip(rest, 1) : rest;
    size_t quotes = quotes_at(rest);
    if (quotes == 0) {
        return false;
    }
    const char quote = rest.data[0];
    if (quotes == 3 && rest.size >= 3 && memchr(rest.data + 3, quote, rest.size - 3) == NULL) {
        quotes = 1; /* an empty one and what follows */
    }
    rest = skip(rest, quotes);
    while (rest.size > 0) {
        if (rest.data[0] == quote && (quotes == 1 || quotes_at(rest) == 3)) {
            literal->rest = skip(rest, quotes);
            return true;
        }
        if (rest.data[0] == '\\' && rest.size > 1) {
            if (is_raw) {
                put(out, rest.data, 2, &literal->failed);
                rest = skip(rest, 2);
            } else {
                rest = skip(rest, 1 + put_escape(out, skip(rest, 1), &literal->failed));
            }
            continue;
        }
        /* A line's end too, which neither language has here: models leave them as they are. */
        put(out, rest.data, 1, &literal->failed);
        rest = skip(rest, 1);
    }
    return false;
}

/* Strings that stand one behind the other are one. */
static bool read_strings(struct literal *literal, struct buffer *out)
{
    if (!read_string(literal, out)) {
        return false;
    }
    for (;;) {
        const struct text before = literal->rest;
        skip_spaces(literal);
        if (!read_string(literal, out)) {
            literal->rest = before;
            return true;
        }
    }
}

/* A number, a word, or brackets with whatever is in them. */
static bool skip_value(struct literal *literal)
{
    struct buffer unused;
    unsigned depth = 0;
    bool any = false;
    do {
        skip_spaces(literal);
        const char letter = peek(literal);
        buffer_init(&unused, 0);
        if (read_string(literal, &unused)) {
            buffer_done(&unused);
        } else if (letter == '\0' || letter == '\'' || letter == '"') {
            buffer_done(&unused);
            return false; /* it has no end */
        } else {
            buffer_done(&unused);
            if (depth == 0 && (letter == ',' || letter == '}')) {
                return any;
            }
            depth += letter == '{' || letter == '[' || letter == '(';
            depth -= depth > 0 && (letter == '}' || letter == ']' || letter == ')');
            literal->rest = skip(literal->rest, 1);
        }
        any = true;
    } while (depth < DEPTH_MAX);
    return false;
}

/* One key and its value. */
static bool read_member(struct literal *literal)
{
    struct buffer key;
    buffer_init(&key, 0);
    const bool has_key = read_strings(literal, &key) && take(literal, ':');
    const bool is_code =
        has_key && key.size > 0 && is_text((struct text){key.data, key.size}, "generated_code");
    buffer_done(&key);
    if (!has_key) {
        return false;
    }
    skip_spaces(literal);
    if (!is_code) {
        return skip_value(literal);
    }
    buffer_done(&literal->value); /* the last one counts */
    buffer_init(&literal->value, 0);
    literal->found = read_strings(literal, &literal->value);
    return literal->found;
}

/* Whether it is one with that key.  *ret_value is the caller's in any case. */
static bool open_literal(struct text text, struct buffer *ret_value, bool *failed)
{
    struct literal literal = {.rest = trim(text)};
    bool good = take(&literal, '{');
    buffer_init(&literal.value, 0);
    while (good) {
        skip_spaces(&literal);
        if (literal.found && peek(&literal) == '}') {
            break; /* behind a comma */
        }
        good = read_member(&literal);
        if (good && !take(&literal, ',')) {
            skip_spaces(&literal);
            good = peek(&literal) == '}';
            break;
        }
    }
    *ret_value = literal.value;
    *failed = *failed || literal.failed;
    return good && literal.found && literal.rest.size == 1; /* the last bracket */
}

/* ---- indentation ---- */

static size_t indent_of(struct text line)
{
    size_t size = 0;
    while (size < line.size && (line.data[size] == ' ' || line.data[size] == '\t')) {
        size++;
    }
    return size;
}

/* What all lines that are not empty begin with: its size. */
static size_t common_indent(struct text text)
{
    const size_t first = indent_of(text);
    const char *indent = text.data;
    size_t common = first;
    for (struct text rest = text; rest.size > 0;) {
        const struct text line = {rest.data, line_size(rest)};
        size_t size = 0;
        while (size < common && size < line.size && line.data[size] == indent[size]) {
            size++;
        }
        if (trim(line).size > 0) {
            common = size;
        }
        rest = skip(rest, line.size < rest.size ? line.size + 1 : line.size);
    }
    return common > 0 ? common : first; /* the first line alone is indented */
}

/* A first line that is indented is always an error: the indentation goes, of all lines where all
 * have it, else of the first. */
static int add_code(struct text text, struct buffer *code)
{
    struct text first = text;
    while (line_size(first) < first.size &&
           trim((struct text){first.data, line_size(first)}).size == 0) {
        first = skip(first, line_size(first) + 1);
    }
    if (indent_of(first) == 0) {
        return buffer_add(code, text.data, text.size);
    }
    const size_t common = common_indent(first);
    bool failed = false;
    bool is_first = true;
    for (struct text rest = first; rest.size > 0;) {
        const size_t size = line_size(rest);
        const size_t whole = size < rest.size ? size + 1 : size;
        const size_t indent = indent_of((struct text){rest.data, size});
        const size_t cut = indent >= common ? common : 0;
        const bool shared = is_first || cut > 0;
        put(code, rest.data + (shared ? cut : 0), whole - (shared ? cut : 0), &failed);
        is_first = false;
        rest = skip(rest, whole);
    }
    return failed ? -1 : 0;
}

/* "python" as a first line is what is left of a block whose fence was cut off. */
static struct text skip_bare_tag(struct text text)
{
    const struct text trimmed = trim(text);
    const size_t size = line_size(trimmed);
    const bool is_bare =
        size < trimmed.size && is_text(trim((struct text){trimmed.data, size}), "python");
    return is_bare ? skip(trimmed, size + 1) : text;
}

int execute_code_find(const char *text, size_t size, struct buffer *code)
{
    struct buffer held = {.data = NULL}, value;
    struct text rest = {text, size};
    bool failed = false;
    for (int i = 0; i < WRAPPINGS_MAX && !failed; i++) {
        if (open_literal(rest, &value, &failed)) {
            buffer_done(&held);
            held = value;
            rest = (struct text){held.data != NULL ? held.data : "", held.size};
            continue;
        }
        buffer_done(&value);
        if (!open_block(&rest)) {
            break;
        }
    }
    const int added = failed ? -1 : add_code(skip_bare_tag(rest), code);
    buffer_done(&held);
    return added;
}
