/* What the connections of transport.c have none of. */
#include "front/serve/contracts/execute_sessions.h"
#include "front/serve/runs/batch.h"

#include <assert.h>

void batch_leave(struct batch *batch)
{
    assert(batch == NULL);
}

int batch_next(struct batch *batch, char **ret_text, size_t *ret_size)
{
    assert(batch == NULL);
    *ret_text = NULL;
    *ret_size = 0;
    return 0;
}

void execute_cell_leave(struct execute_cell *cell)
{
    assert(cell == NULL);
}
