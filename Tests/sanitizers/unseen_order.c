/* Tells ThreadSanitizer of the order that others make by futexes of their own, which it cannot see and without which it would take
 * our accesses for races. Preloaded: both functions stand before those that they call. Nothing of ours is hidden by it.
 *
 *   - GNU OpenMP: what comes before a parallel region happens before it in each of its threads, and all of it before what follows.
 *     oneDNN and the library begin regions by this function alone.
 *   - The Swift runtime: a Mutex that is taken after waiting for it was given back by its last owner. The quick way, without waiting,
 *     is inlined in our own code, and seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

/* On the stack of the thread that begins the region. */
typedef struct region {
    void (*body)(void *);
    void *data;
    char begin, end;
} region;

static void run(void *argument) {
    region *own = argument;
    __tsan_acquire(&own->begin);
    own->body(own->data);
    __tsan_release(&own->end);
}

typedef void parallel(void (*body)(void *), void *data, unsigned thread_count, unsigned flags);

parallel GOMP_parallel;
void GOMP_parallel(void (*body)(void *), void *data, unsigned thread_count, unsigned flags) {
    static parallel *next;
    parallel *found = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (found == NULL) {
        *(void **)&found = dlsym(RTLD_NEXT, "GOMP_parallel");
        __atomic_store_n(&next, found, __ATOMIC_RELAXED);
    }
    if (__tsan_release == NULL) {
        found(body, data, thread_count, flags);
        return;
    }
    region own = {body, data, 0, 0};
    __tsan_release(&own.begin);
    found(run, &own, thread_count, flags);
    __tsan_acquire(&own.end);
}

/* Synchronization._MutexHandle._lockSlow(UInt32) */
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
typedef __attribute__((swiftcall)) void lock_slow(uint32_t state, __attribute__((swift_context)) void *mutex);

__attribute__((swiftcall)) void swift_mutex_lock_slow(uint32_t state, __attribute__((swift_context)) void *mutex) __asm__(LOCK_SLOW);
__attribute__((swiftcall)) void swift_mutex_lock_slow(uint32_t state, __attribute__((swift_context)) void *mutex) {
    static lock_slow *next;
    lock_slow *found = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (found == NULL) {
        *(void **)&found = dlsym(RTLD_NEXT, LOCK_SLOW);
        __atomic_store_n(&next, found, __ATOMIC_RELAXED);
    }
    found(state, mutex);
    if (__tsan_acquire != NULL) __tsan_acquire(mutex);
}
