/* Writing a pack: see pack_writer.h. */
#include "engine/pack_writer.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* From this size on a payload is written from where it lies instead of being copied first. */
#define DIRECT_SIZE_MIN ((size_t)32 * 1024)

/* The batch is written out when it has grown to this. */
#define BATCH_SIZE ((size_t)64 * 1024)

/* Bytes that are copied at one time. */
#define COPY_SIZE ((size_t)1024 * 1024)

/* A record that is added to the batch whole is smaller than this and its own limits allow. */
#define BATCH_SIZE_MAX ((size_t)1024 * 1024)

void pack_writer_init(struct pack_writer *writer)
{
    writer->fd = -1;
    buffer_init(&writer->batch, BATCH_SIZE_MAX);
}

void pack_writer_done(struct pack_writer *writer)
{
    fd_close(&writer->fd);
    buffer_done(&writer->batch);
}

static int flush(struct pack_writer *writer, struct cella_error *err)
{
    if (writer->fd < 0 &&
        (writer->fd = memfd_create("cella-pack", MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a file in memory");
    }
    if (fd_write_full(writer->fd, writer->batch.data, writer->batch.size) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot write a file in memory");
    }
    writer->batch.size = 0;
    return 0;
}

/* A piece of a record's payload. */
static int add_payload(struct pack_writer *writer, const void *data, size_t size,
                       struct cella_error *err)
{
    if (size < DIRECT_SIZE_MIN) {
        return buffer_add(&writer->batch, data, size) < 0 ? error_set_memory(err) : 0;
    }
    if (flush(writer, err) < 0) {
        return -1;
    }
    if (fd_write_full(writer->fd, data, size) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot write a file in memory");
    }
    return 0;
}

/* A record whose payload is two pieces, each of which may be empty. */
static int add_record(struct pack_writer *writer, const struct pack_header *header,
                      const void *first, size_t first_size, const void *second,
                      struct cella_error *err)
{
    static const char zeros[8] = {0};
    size_t padding = (size_t)(pack_record_size(header->size) - sizeof(*header) - header->size);
    if (buffer_add(&writer->batch, header, sizeof(*header)) < 0) {
        return error_set_memory(err);
    }
    if (add_payload(writer, first, first_size, err) < 0 ||
        add_payload(writer, second, (size_t)header->size - first_size, err) < 0 ||
        add_payload(writer, zeros, padding, err) < 0) {
        return -1;
    }
    return writer->batch.size >= BATCH_SIZE ? flush(writer, err) : 0;
}

int pack_writer_add_word(struct pack_writer *writer, enum pack_type type, const char *word,
                         struct cella_error *err)
{
    /* With its NUL: the reader uses the word where it lies. */
    const struct pack_header header = {.type = type, .size = strlen(word) + 1};
    return add_record(writer, &header, word, (size_t)header.size, "", err);
}

int pack_writer_add_file(struct pack_writer *writer, const char *path, const void *data,
                         size_t size, unsigned mode, struct cella_error *err)
{
    size_t path_size = strlen(path);
    const struct pack_header header = {
        .type = PACK_FILE,
        .mode = mode,
        .path_size = (uint32_t)path_size, /* below PACK_PATH_MAX: every path was checked */
        .size = path_size + size,         /* both lie in memory, so the sum fits */
    };
    return add_record(writer, &header, path, path_size, data, err);
}

int pack_writer_copy(const struct pack_writer *writer, struct buffer *out, struct cella_error *err)
{
    const off_t written = writer->fd < 0 ? 0 : lseek(writer->fd, 0, SEEK_CUR);
    for (off_t at = 0; at < written;) {
        const size_t left = (size_t)(written - at);
        const size_t piece = left < COPY_SIZE ? left : COPY_SIZE;
        char *room = buffer_reserve(out, piece);
        const ssize_t got = room == NULL ? -1 : pread(writer->fd, room, piece, at);
        if (got <= 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot read a file in memory");
        }
        buffer_commit(out, (size_t)got);
        at += got;
    }
    return buffer_add(out, writer->batch.data, writer->batch.size) < 0 ? error_set_memory(err) : 0;
}

int pack_writer_seal(struct pack_writer *writer, int *ret_fd, struct cella_error *err)
{
    const struct pack_header end = {.type = PACK_END};
    if (add_record(writer, &end, "", 0, "", err) < 0 || flush(writer, err) < 0) {
        return -1;
    }
    if (fcntl(writer->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) <
        0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot seal a file in memory");
    }
    *ret_fd = take_fd(&writer->fd);
    return 0;
}
