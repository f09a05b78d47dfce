/*
 * The settings of the server, declared once: the options and variables of `cella serve`, the keys
 * of its configuration file, what they may be, their defaults and docs come from this table.
 *
 * A setting NAME is the option --NAME, the variable CELLA_NAME and the key `NAME`, with '_' for '-'
 * in the last two.  To add one, add a row; to use it, read `settings->field`.
 */
#ifndef FRONT_SETTINGS_H
#define FRONT_SETTINGS_H

/* S(x, id, name, field, kind, fallback, min, max, change, argument, completion, help)
 *
 *   kind      LISTEN  addresses, in a list; may be given several times
 *             PATH    of a file or directory, const char *; NULL when it is not given
 *             SIZE    bytes, uint64_t ("512m")
 *             TIME    milliseconds, uint64_t ("1m30s")
 *             COUNT   uint64_t
 *             WORD    one of those in `argument`, "text|json": its index, unsigned
 *   fallback  the default, as one would write it; "": what front/places.h says, else none
 *   min, max  of SIZE, TIME and COUNT, both allowed
 *   change    LIVE: reading the configuration again changes it; BOUND: likewise, but not from or to
 *             nothing at all; START: it needs another start
 *   help      one clause; the default is added to it
 *
 * `x` is handed on to S: whoever makes something of the rows may need a macro of his own in it. */
#define SETTINGS(S, x)                                                                             \
    S(x, LISTEN, "listen", listen, LISTEN, "127.0.0.1:8420", 0, 0, START, "ADDRESS", NONE,         \
      "listen on this address and port, a loopback one where there are no keys, or 'none'; "       \
      "repeatable")                                                                                \
    S(x, TLS_CERTIFICATE, "tls-certificate", tls_certificate, PATH, "", 0, 0, LIVE, "FILE", FILE,  \
      "speak TLS by TCP, with this certificate and those above it, in PEM")                        \
    S(x, TLS_KEY, "tls-key", tls_key, PATH, "", 0, 0, LIVE, "FILE", FILE,                          \
      "the key of --tls-certificate, in PEM")                                                      \
    S(x, SOCKET, "socket", socket, PATH, "", 0, 0, START, "PATH", FILE,                            \
      "listen on this Unix socket (/run/cella/serve.sock for root, else below $XDG_RUNTIME_DIR)")  \
    S(x, STATE, "state", state, PATH, "", 0, 0, START, "DIR", DIRECTORY,                           \
      "keep what must not be forgotten in DIR (/var/lib/cella for root, else below "               \
      "$XDG_STATE_HOME)")                                                                          \
    S(x, WORKSPACE, "workspace", workspace, PATH, "", 0, 0, START, "DIR", DIRECTORY,               \
      "programs of /execute work in DIR, and what they leave there stays")                         \
    S(x, SESSION_MEMORY, "session-memory", session_memory_bytes, SIZE, "1g", 64U << 20,            \
      UNITS_SIZE_MAX, LIVE, "SIZE", NONE, "memory of a session of /execute, such as 4g")           \
    S(x, SESSION_IDLE, "session-idle", session_idle_ms, TIME, "10m", 1000, 86400000, LIVE, "TIME", \
      NONE, "how long such a session is kept when nothing is asked of it")                         \
    S(x, POOL_MEMORY, "pool-memory", pool_memory_bytes, SIZE, "512m", 0, UNITS_SIZE_MAX, START,    \
      "SIZE", NONE, "memory for what is made ahead of need, such as 1g; 0: nothing is")            \
    S(x, COMPILE_CACHE, "compile-cache", compile_cache_bytes, SIZE, "256m", 0, UNITS_SIZE_MAX,     \
      START, "SIZE", NONE, "room on the disk for compiled programs, such as 1g; 0: none is kept")  \
    S(x, HISTORY, "history", history_bytes, SIZE, "256m", 0, UNITS_SIZE_MAX, BOUND, "SIZE", NONE,  \
      "room for what is remembered of runs, such as 1g; 0: nothing is")                            \
    S(x, HISTORY_DAYS, "history-days", history_days, COUNT, "30", 1, 36500, LIVE, "COUNT", NONE,   \
      "how many days it is remembered")                                                            \
    S(x, QUEUE_TIME, "queue-time", queue_ms, TIME, "1m", 0, 86400000, LIVE, "TIME", NONE,          \
      "how long a run that somebody waits for may wait for room before it is refused")             \
    S(x, DRAIN_TIME, "drain-time", drain_ms, TIME, "1m", 0, 86400000, LIVE, "TIME", NONE,          \
      "how long runs may go on when the server is told to end, such as 10s")                       \
    S(x, LOG, "log", log, PATH, "", 0, 0, LIVE, "FILE", FILE,                                      \
      "append to FILE what otherwise goes to standard error")                                      \
    S(x, AUDIT, "audit", audit, PATH, "", 0, 0, LIVE, "FILE", FILE,                                \
      "append to FILE who did what, as a JSON object on each line")                                \
    S(x, AUDIT_FAILURE, "audit-failure", audit_failure, WORD, "continue", 0, 0, LIVE,              \
      "continue|refuse", NONE, "what becomes of runs while that file cannot be written")           \
    S(x, OTLP_ENDPOINT, "otlp-endpoint", otlp_endpoint, PATH, "", 0, 0, START, "URL", NONE,        \
      "send traces to this collector, such as http://127.0.0.1:4318 (else "                        \
      "$OTEL_EXPORTER_OTLP_ENDPOINT)")                                                             \
    S(x, LOG_FORMAT, "log-format", log_format, WORD, "text", 0, 0, LIVE, "text|json", NONE,        \
      "lines of the log as text, or as a JSON object each")

#endif
