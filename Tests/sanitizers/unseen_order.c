/* Tells ThreadSanitizer of the order that others make by futexes of their own, which it cannot see and without which it would take
 * our accesses for races. Preloaded: these functions stand before those that they call. Nothing of ours is hidden by it.
 *
 *   - GNU OpenMP: what comes before a parallel region happens before it in each of its threads, and all of it before what follows.
 *     oneDNN and the library begin regions by this function alone.
 *   - The Swift runtime: a Mutex that is waited for was given back by its last owner. The quick way, when nobody waits, is inlined in
 *     our own code, and seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

/* The function of that name that stands behind ours. */
static void *behind(void **known, const char *name) {
    void *found = __atomic_load_n(known, __ATOMIC_RELAXED);
    if (found == NULL) {
        found = dlsym(RTLD_NEXT, name);
        __atomic_store_n(known, found, __ATOMIC_RELAXED);
    }
    return found;
}

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
    static void *known;
    parallel *found = (parallel *)behind(&known, "GOMP_parallel");
    if (__tsan_release == NULL) {
        found(body, data, thread_count, flags);
        return;
    }
    region own = {body, data, 0, 0};
    __tsan_release(&own.begin);
    found(run, &own, thread_count, flags);
    __tsan_acquire(&own.end);
}

/* Functions of the Swift runtime, which take `self` in a register of its own. */
#define MUTEX_HANDLE "$s15Synchronization12_MutexHandleV"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *mutex

/* _lockSlow(UInt32): waits until the mutex is free. */
#define LOCK_SLOW MUTEX_HANDLE "9_lockSlowyys6UInt32VF"
typedef SWIFT void lock_slow(uint32_t state, SELF);
SWIFT void swift_mutex_lock_slow(uint32_t state, SELF) __asm__(LOCK_SLOW);
SWIFT void swift_mutex_lock_slow(uint32_t state, SELF) {
    static void *known;
    ((lock_slow *)behind(&known, LOCK_SLOW))(state, mutex);
    if (__tsan_acquire != NULL) __tsan_acquire(mutex);
}

/* _tryLockSlow() -> Bool */
#define TRY_LOCK_SLOW MUTEX_HANDLE "12_tryLockSlowSbyF"
typedef SWIFT bool try_lock_slow(SELF);
SWIFT bool swift_mutex_try_lock_slow(SELF) __asm__(TRY_LOCK_SLOW);
SWIFT bool swift_mutex_try_lock_slow(SELF) {
    static void *known;
    bool is_mine = ((try_lock_slow *)behind(&known, TRY_LOCK_SLOW))(mutex);
    if (is_mine && __tsan_acquire != NULL) __tsan_acquire(mutex);
    return is_mine;
}

/* _unlockSlow(): gives the mutex to a thread that waits. */
#define UNLOCK_SLOW MUTEX_HANDLE "11_unlockSlowyyF"
typedef SWIFT void unlock_slow(SELF);
SWIFT void swift_mutex_unlock_slow(SELF) __asm__(UNLOCK_SLOW);
SWIFT void swift_mutex_unlock_slow(SELF) {
    static void *known;
    if (__tsan_release != NULL) __tsan_release(mutex);
    ((unlock_slow *)behind(&known, UNLOCK_SLOW))(mutex);
}
