/* See reload.h. */
#include "front/serve/settings/reload.h"

#include "front/serve/contracts/piston.h"
#include "front/serve/http/tls.h"
#include "front/serve/log.h"
#include "front/serve/records/history.h"
#include "front/serve/server.h"

#include <cella/host.h>

static void tell(const char *key, const char *text, bool changed)
{
    if (changed) {
        log_line("%s is now %s", key, text[0] != '\0' ? text : "what it is by default");
    } else {
        log_write(LOG_LEVEL_WARNING, NULL, "%s stays as it is until the server is started again",
                  key);
    }
}

/* The same file again too: somebody may have moved it away. */
static int open_audit(struct audit *audit, const struct settings *settings, struct cella_error *err)
{
    if (settings->audit == NULL) {
        audit_close(audit);
        return 0;
    }
    return audit_open(audit, settings->audit, err);
}

/* Fails before anything was changed. */
static int open_log(const struct settings *settings, struct cella_error *err)
{
    if (settings->log == NULL) {
        log_close();
        return 0;
    }
    const int opened = log_open(settings->log, err);
    if (opened > 0) {
        log_line("goes on in a new file");
    }
    return opened < 0 ? -1 : 0;
}

static void apply(struct server *server)
{
    const struct settings *settings = server->settings;
    log_set_format((enum log_format)settings->log_format);
    history_set_bounds(server->history, settings->history_bytes, (unsigned)settings->history_days);
}

/* Apart from the settings: of both, what is wrong leaves what was there. */
static void read_languages(struct server *server)
{
    struct cella_error err;
    if (server->engine == NULL) {
        return; /* the next one reads them */
    }
    if (cella_engine_read_languages(server->engine, &err) < 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "the languages stay as they were: %s%s%s", err.text,
                  err.hint[0] != '\0' ? "; " : "", err.hint);
        return;
    }
    piston_names_destroy(server->piston); /* made of them, at the next request */
    server->piston = NULL;
    log_line("has read its languages again");
}

static int take_fresh(struct server *server, struct cella_error *err)
{
    struct settings fresh;
    struct tls_host *tls = NULL;
    if (settings_read(server->settings->words, &fresh, err) < 0) {
        return -1;
    }
    const int result = tls_host_open(fresh.tls_certificate, fresh.tls_key, &tls, err) < 0 ||
                               open_audit(&server->audit, &fresh, err) < 0
                           ? -1
                           : open_log(&fresh, err);
    if (result == 0) {
        struct tls_host *before = server->tls;
        server->tls = tls; /* for new connections; it may be another in the same files */
        tls = before;
        settings_take(server->settings, &fresh, tell);
        apply(server);
        log_line("has read its configuration again");
        report_server(server, AUDIT_SETTINGS_READ, NULL);
    }
    tls_host_close(tls);
    settings_done(&fresh);
    return result;
}

/* What was there goes on, in files of the same names. */
static void keep(struct server *server, const struct cella_error *why)
{
    struct cella_error err;
    if (open_log(server->settings, &err) < 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "goes on in this file: %s", err.text);
    }
    if (open_audit(&server->audit, server->settings, &err) < 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "%s; the one before goes on", err.text);
    }
    log_write(LOG_LEVEL_ERROR, NULL, "the configuration stays as it was: %s%s%s", why->text,
              why->hint[0] != '\0' ? "; " : "", why->hint);
}

void reload(struct server *server)
{
    struct cella_error err;
    const bool was_ready = server->state == SERVER_READY;
    if (was_ready) {
        notify_reloading(&server->notify);
    }
    if (take_fresh(server, &err) < 0) {
        keep(server, &err);
    }
    read_languages(server);
    if (was_ready) {
        notify_send(&server->notify, "READY=1", NULL);
    }
}
