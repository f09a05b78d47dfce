/*
 * The languages of this host.  Interpreters are asked for their versions, which takes seconds: so a
 * process apart does it, one at a time, for all who wait for it meanwhile.
 *
 * An exchange that waits is handled by its route once more when the list is there, or is told why
 * it cannot be had.
 */
#ifndef SERVE_LANGUAGES_H
#define SERVE_LANGUAGES_H

struct exchange;
struct languages;
struct server;

/* The list, as cella_languages_json() has it, for those who have waited and are handled now; else
 * NULL. */
const char *languages_list(const struct server *server);
/* What cannot wait is answered. */
void languages_wait(struct exchange *exchange);
/* The server goes, and nobody waits.  NULL is fine. */
void languages_destroy(struct languages *languages);

#endif
