/* The routes that tell what there is, and run nothing. */
#ifndef SERVE_INFORMATION_H
#define SERVE_INFORMATION_H

struct exchange;

void information_health(struct exchange *exchange);
void information_readiness(struct exchange *exchange);
void information_version(struct exchange *exchange);
void information_metrics(struct exchange *exchange);
void information_pools(struct exchange *exchange);
void information_languages(struct exchange *exchange);
void information_policies(struct exchange *exchange);
void information_openapi(struct exchange *exchange);
void information_asyncapi(struct exchange *exchange);

#endif
