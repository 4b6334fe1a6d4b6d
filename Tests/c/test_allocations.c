/* A run allocates nothing of its own: every allocation of the process goes through the functions below, which look who asks. oneDNN
 * makes some small blocks in every call; they are all freed when the run returns. */
#define _GNU_SOURCE
#include "check.h"
#include "libc_allocator.h"
#include "packed_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>

static uintptr_t library_start, library_end;
static int is_watching;
/* While watching: from the library's own code, which holds the Swift runtime too; by anybody; given back. */
static int of_library, allocated, freed, locks_of_library;

static void note(const void *caller) {
    if (!is_watching) return;
    allocated++;
    if ((uintptr_t)caller >= library_start && (uintptr_t)caller < library_end) of_library++;
}

void *malloc(size_t size) {
    note(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    note(__builtin_return_address(0));
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    note(__builtin_return_address(0));
    if (is_watching && block != NULL) freed++;
    return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    note(__builtin_return_address(0));
    *block = __libc_memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}

void free(void *block) {
    if (is_watching && block != NULL) freed++;
    __libc_free(block);
}

/* Nor does a run take a lock that another session could hold. */
int pthread_mutex_lock(pthread_mutex_t *mutex) {
    static int (*next)(pthread_mutex_t *);
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    uintptr_t caller = (uintptr_t)__builtin_return_address(0);
    if (is_watching && caller >= library_start && caller < library_end) locks_of_library++;
    return next(mutex);
}

static int find_library(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    if (strstr(info->dlpi_name, "libmultipoint.so") == NULL) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        library_start = info->dlpi_addr + part->p_vaddr;
        library_end = library_start + part->p_memsz;
    }
    return 1;
}

static multipoint_status run(multipoint_session *session, int64_t batch, const int64_t *strides) {
    static float images[4][8], results[4][2];
    const int64_t image_shape[] = {batch, 2, 2, 2}, result_shape[] = {batch, 2};
    multipoint_tensor input = {images, (size_t)batch * 32, MULTIPOINT_F32, 4, image_shape, strides};
    multipoint_tensor output = {results, (size_t)batch * 8, MULTIPOINT_F32, 2, result_shape, NULL};
    return multipoint_session_run(session, &input, 1, &output, 1);
}

static void check_runs(multipoint_session *session, const int64_t *batches, int count, const int64_t *strides) {
    int failures = 0;
    of_library = allocated = freed = locks_of_library = 0;
    is_watching = 1;
    for (int i = 0; i < 100; i++) failures += run(session, batches[i % count], strides) != MULTIPOINT_OK;
    is_watching = 0;
    CHECK(failures == 0);
    CHECK(of_library == 0);
    CHECK(locks_of_library == 0);
    if (!CHECK(allocated == freed)) printf("    %d blocks allocated, %d freed\n", allocated, freed);
}

static void test_runs(multipoint_model *model, int32_t threads) {
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 4, .threads = threads};
    multipoint_session *session = NULL;
    if (!CHECK_OK(multipoint_session_create(model, &options, &session))) return;
    const int64_t batches[] = {4, 1, 3, 2};
    const int64_t channels_last[] = {8, 1, 4, 2};
    /* The first run of a size compiles it. */
    for (int i = 0; i < 4; i++) {
        CHECK_OK(run(session, batches[i], NULL));
        CHECK_OK(run(session, batches[i], channels_last));
    }
    check_runs(session, batches, 1, NULL);
    check_runs(session, batches, 4, NULL);
    check_runs(session, batches, 4, channels_last);
    multipoint_session_destroy(session);
}

/* The test itself: compiling does allocate, and is seen to. */
static void test_that_allocations_are_seen(multipoint_model *model) {
    multipoint_session *session = NULL;
    of_library = 0;
    is_watching = 1;
    multipoint_status status = multipoint_session_create(model, NULL, &session);
    is_watching = 0;
    CHECK(status == MULTIPOINT_OK);
    CHECK(of_library > 0);
    multipoint_session_destroy(session);
}

int main(void) {
    dl_iterate_phdr(find_library, NULL);
    if (!CHECK(library_end > library_start)) return check_summary("allocations");
    byte_string file = sample_network();
    multipoint_model *model = NULL;
    if (!CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, NULL, &model))) return check_summary("allocations");
    test_that_allocations_are_seen(model);
    test_runs(model, 1);
    test_runs(model, 2);
    multipoint_model_destroy(model);
    byte_string_free(file);
    return check_summary("allocations");
}
