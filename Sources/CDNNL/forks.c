/* What must not be in progress when the process is forked. */
#define _GNU_SOURCE
#include "CDNNL.h"

#include <pthread.h>

/* Held for reading by whoever would leave a lock behind in the child; a fork holds it for writing. */
static pthread_rwlock_t fork_lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static int forks;

void onednn_forks_wait(void) { pthread_rwlock_rdlock(&fork_lock); }
void onednn_forks_may(void) { pthread_rwlock_unlock(&fork_lock); }
int onednn_forks(void) { return __atomic_load_n(&forks, __ATOMIC_RELAXED); }

static void before(void) { pthread_rwlock_wrlock(&fork_lock); }
static void after_in_parent(void) { pthread_rwlock_unlock(&fork_lock); }

/* Held by a thread of the parent's, which has another number here: it cannot be given back. */
static void after_in_child(void) {
    const pthread_rwlock_t fresh = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    fork_lock = fresh;
    __atomic_fetch_add(&forks, 1, __ATOMIC_RELAXED);
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(before, after_in_parent, after_in_child); }
