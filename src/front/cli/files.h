/*
 * Files of the caller's: reading one whole within a limit, writing collected ones.
 */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>

struct file_bytes {
    char *data; /* malloc'ed; `size` bytes and a NUL */
    size_t size;
    bool executable;
};
void file_bytes_done(struct file_bytes *bytes);

/* For reading, CELLA_ERROR_CALLER when it is not there or a directory. */
int file_open(const char *path, struct cella_error *err) __attribute__((warn_unused_result));

/* Reads all of `path`, or of standard input when it is "-": CELLA_ERROR_CALLER when it is larger
 * than `max`, a directory, or cannot be read. */
int file_read(const char *path, size_t max, struct file_bytes *ret_bytes, struct cella_error *err)
    __attribute__((warn_unused_result));

/* Likewise of an open file, from where it stands; `name` is for what is said of it. */
int file_read_all(int fd, const char *name, size_t max, struct file_bytes *ret_bytes,
                  struct cella_error *err) __attribute__((warn_unused_result));

/* Whether file_write_collected() has a chance, before a run is spent on finding out: `directory`
 * can be written into, or be made where it is missing.  CELLA_ERROR_CALLER when not. */
int file_check_directory(const char *directory, struct cella_error *err)
    __attribute__((warn_unused_result));

/* Writes the result's files beneath `directory`, which is made when it is not there.  A file that
 * exists is replaced only with `force`.  Nothing outside `directory` is ever touched.  Goes on
 * after a failure, reports each, and returns -1 when there was one. */
int file_write_collected(const struct cella_result *result, const char *directory, bool force);

#endif
