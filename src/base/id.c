/* Names for runs: see id.h. */
#include "base/id.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define TIME_CHARACTERS   10
#define CHANCE_CHARACTERS 16

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

int id_make(int64_t unix_ms, char ret_id[ID_SIZE], struct cella_error *err)
{
    unsigned char chance[CHANCE_CHARACTERS]; /* five bits of each byte are used */
    /* So few bytes come at once and are not interrupted (getrandom(2)). */
    if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance)) {
        return error_set(err, CELLA_ERROR_HOST, errno, "the kernel gave no random bytes");
    }
    uint64_t time = (uint64_t)unix_ms;
    for (int i = TIME_CHARACTERS - 1; i >= 0; i--) {
        ret_id[i] = alphabet[time & 31];
        time >>= 5;
    }
    for (int i = 0; i < CHANCE_CHARACTERS; i++) {
        ret_id[TIME_CHARACTERS + i] = alphabet[chance[i] & 31];
    }
    ret_id[ID_SIZE - 1] = '\0';
    return 0;
}

int id_time(const char *id, int64_t *ret_unix_ms)
{
    int64_t time = 0;
    if (strlen(id) != ID_SIZE - 1 || strspn(id, alphabet) != ID_SIZE - 1) {
        return -1;
    }
    for (int i = 0; i < TIME_CHARACTERS; i++) {
        time = time << 5 | (strchr(alphabet, id[i]) - alphabet);
    }
    *ret_unix_ms = time;
    return 0;
}
