/* What there is at which path. */
#ifndef SERVE_ROUTES_H
#define SERVE_ROUTES_H

struct exchange;

/* With the head alone: whether this client may ask, and whether there is what it asks for.  -1 when
 * not, which is answered. */
int routes_check(struct exchange *exchange) __attribute__((warn_unused_result));
/* With all of the request: answers, now or later. */
void routes_handle(struct exchange *exchange);
/* Of a body that is too large. */
void routes_refuse_size(struct exchange *exchange);

#endif
