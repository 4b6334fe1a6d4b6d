/* How many threads there can be. */
#include "CDNNL.h"

#include <pthread.h>
#include <stdlib.h>

static _Thread_local int had = 1;

int onednn_threads_had(void) { return had; }
void onednn_threads_have(int count) { had = count; }

/* Threads that exist until all that are wanted do. */
static void *wait_for_all(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

int onednn_threads_possible(int count) {
    pthread_t *threads = count > 0 ? malloc((size_t)count * sizeof *threads) : NULL;
    if (!threads) return 0;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    int created = 0;
    pthread_mutex_lock(&gate);
    while (created < count && pthread_create(&threads[created], NULL, wait_for_all, &gate) == 0) created++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < created; i++) pthread_join(threads[i], NULL);
    free(threads);
    return created;
}
