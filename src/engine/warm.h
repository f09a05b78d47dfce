/*
 * What is made ahead: tells the keeper which pools to have, by what the runs want.
 *
 * A run wants a sandbox of its kind: by its plan, and where its language can be warmed by what its
 * zygote is made of too.  It gets one from that kind's pool when one is ready there; the engine
 * does not wait for that.
 */
#ifndef ENGINE_WARM_H
#define ENGINE_WARM_H

#include "base/attributes.h"
#include "demand/demand.h"
#include "engine/recipe.h"
#include "keeper/protocol.h"

#include <cella/cella.h>
#include <stdbool.h>

struct stage;
struct cella_engine;

struct warm {
    struct demand demand;
    struct warm_pool *pools[DEMAND_KINDS_MAX]; /* by the place of their kind; NULL: none was made */
    int timer;
};

/* `source` is what events of its timer point at. */
int warm_init(struct warm *warm, const struct cella_options *options, int epoll_fd, void *source,
              struct cella_error *err) MUST_CHECK;
void warm_done(struct warm *warm);

/* Which kind of sandbox the stage wants.  That it cannot be found out is no reason to refuse it. */
void warm_choose(struct stage *stage, const struct recipe *recipe);
/* It begins, and names its pool to the keeper; it is over. */
void warm_began(struct stage *stage);
void warm_ended(struct stage *stage);

/* At the end of each step of the engine. */
void warm_step(struct cella_engine *engine);
void warm_message(struct cella_engine *engine, const struct keeper_pool_state *state);

#endif
