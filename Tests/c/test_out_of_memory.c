/* Every allocation of C and C++ code fails in turn, once by itself and once with all that follow: of the C library for us, of oneDNN and
 * of our own memory that a file decides the size of. The call returns OUT_OF_MEMORY with a message, changes nothing, loses nothing of
 * ours, and works right after.
 *
 * Two kinds are not failed in this process. Swift's allocations end it: that is how its runtime is made (see test_swift_gives_up), and why
 * the library asks for memory before (test_memory_limits.c). So does what oneDNN 2 gets from posix_memalign for its objects: it writes
 * through the NULL. */
#define _GNU_SOURCE
#include "check.h"
#include "libc_allocator.h"
#include "packed_file.h"
#include "sample_layers.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* MARK: who allocates */

/* In libmultipoint, aligned_alloc is what we call ourselves; all else there is the Swift runtime's. */
enum owner { OTHERS, SWIFT, OURS, ONEDNN, ONEDNN_OBJECTS, C_LIBRARY, CXX_LIBRARY, OWNERS };
static const char *const owner_names[OWNERS] = {"others", "Swift", "ours", "oneDNN", "oneDNN's objects", "C library", "C++ library"};

static struct { const char *name; enum owner owner; uintptr_t start, end; } libraries[] = {
    {"libmultipoint.so", SWIFT, 0, 0}, {"libdnnl.so", ONEDNN, 0, 0}, {"libc.so", C_LIBRARY, 0, 0}, {"libstdc++.so", CXX_LIBRARY, 0, 0},
};
enum { library_count = sizeof libraries / sizeof libraries[0] };

static int find_libraries(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    for (int library = 0; library < library_count; library++) {
        if (strstr(info->dlpi_name, libraries[library].name) == NULL) continue;
        for (int i = 0; i < info->dlpi_phnum; i++) {
            const ElfW(Phdr) *part = &info->dlpi_phdr[i];
            if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
            libraries[library].start = info->dlpi_addr + part->p_vaddr;
            libraries[library].end = libraries[library].start + part->p_memsz;
        }
    }
    return 0;
}

static enum owner owner_of(const void *caller) {
    for (int library = 0; library < library_count; library++) {
        if ((uintptr_t)caller >= libraries[library].start && (uintptr_t)caller < libraries[library].end) return libraries[library].owner;
    }
    return OTHERS;
}

/* Who called operator new, which calls malloc. */
static const void *caller_of_new;

static enum owner owner_of_malloc(const void *caller) {
    enum owner owner = owner_of(caller);
    return owner == CXX_LIBRARY && caller_of_new != NULL ? owner_of(caller_of_new) : owner;
}

/* Aligned memory. `of_library`: whose it is if libmultipoint asks for it. */
static enum owner owner_of_call(const void *caller, enum owner of_library) {
    enum owner owner = owner_of(caller);
    if (owner == SWIFT) return of_library;
    return owner == ONEDNN ? ONEDNN_OBJECTS : owner;
}

/* MARK: blocks that are not given back */

enum { table_size = 1 << 16 };
static struct { void *block; enum owner owner; } table[table_size];
static void *const given_back = (void *)&table;

static size_t place(const void *block) { return ((uintptr_t)block >> 4) * 0x9E3779B97F4A7C15u >> 48; }

static void remember(void *block, enum owner owner) {
    if (block == NULL) return;
    size_t at = place(block);
    while (table[at].block != NULL && table[at].block != given_back) at = (at + 1) % table_size;
    table[at].block = block;
    table[at].owner = owner;
}

static void forget(void *block) {
    for (size_t at = place(block); table[at].block != NULL; at = (at + 1) % table_size) {
        if (table[at].block == block) {
            table[at].block = given_back;
            return;
        }
    }
}

/* MARK: failing */

static int is_watching, fails_on;
static unsigned failing_owners; /* bits */
static long allocations, failing, failures; /* of these owners; which one fails, 0 for none */
static long counts[OWNERS];

static int fails(enum owner owner) {
    if (!is_watching) return 0;
    counts[owner]++;
    if (!(failing_owners >> owner & 1)) return 0;
    allocations++;
    int is_failing = failing != 0 && (allocations == failing || (fails_on && allocations > failing));
    failures += is_failing;
    return is_failing;
}

static void *allocated(void *block, enum owner owner) {
    if (is_watching) remember(block, owner);
    return block;
}

static void *no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size) {
    enum owner owner = owner_of_malloc(__builtin_return_address(0));
    return fails(owner) ? no_memory() : allocated(__libc_malloc(size), owner);
}

void *calloc(size_t count, size_t size) {
    enum owner owner = owner_of_malloc(__builtin_return_address(0));
    return fails(owner) ? no_memory() : allocated(__libc_calloc(count, size), owner);
}

void *realloc(void *block, size_t size) {
    enum owner owner = owner_of_malloc(__builtin_return_address(0));
    if (fails(owner)) return no_memory();
    forget(block);
    return allocated(__libc_realloc(block, size), owner);
}

static void *aligned(size_t alignment, size_t size, enum owner owner) {
    return fails(owner) ? no_memory() : allocated(__libc_memalign(alignment, size), owner);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return aligned(alignment, size, owner_of_call(__builtin_return_address(0), OURS));
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *found = aligned(alignment, size, owner_of_call(__builtin_return_address(0), SWIFT));
    if (found != NULL) *block = found;
    return found == NULL ? ENOMEM : 0;
}

void free(void *block) {
    if (block != NULL) forget(block);
    __libc_free(block);
}

/* operator new(size_t) */
void *_Znwm(size_t size) {
    static void *(*next)(size_t);
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "_Znwm");
    const void *outer = caller_of_new;
    caller_of_new = __builtin_return_address(0);
    void *block = next(size);
    caller_of_new = outer; /* where it throws, the next one sets it anew */
    return block;
}

/* MARK: the calls */

/* What the call that failed said. */
static char message[512];

static void keep_message(void) { snprintf(message, sizeof message, "%s", multipoint_last_error()); }

static byte_string file;
static multipoint_model *model;
static multipoint_layer *layer;
static multipoint_plan *plan;
static multipoint_session *session;

/* A handle value that no call may change when it fails. */
static char untouched_object;
#define UNTOUCHED ((void *)&untouched_object)

/* The end of a watched call: where it failed, it left the output alone. */
static void check_end(multipoint_status status, const void *output) {
    is_watching = 0;
    CHECK((output == UNTOUCHED) == (status != MULTIPOINT_OK));
}

static multipoint_status open_memory(void) {
    multipoint_model *made = UNTOUCHED;
    is_watching = 1;
    multipoint_status status = multipoint_model_open_memory(file.bytes, file.count, NULL, &made);
    check_end(status, made);
    if (status == MULTIPOINT_OK) multipoint_model_destroy(made);
    return status;
}

static multipoint_status open_path(void) {
    multipoint_model *made = UNTOUCHED;
    is_watching = 1;
    multipoint_status status = multipoint_model_open("memory.multipoint", NULL, &made);
    check_end(status, made);
    if (status == MULTIPOINT_OK) multipoint_model_destroy(made);
    return status;
}

static multipoint_status describe(void) {
    multipoint_layer_info info = {.struct_size = sizeof info};
    multipoint_value_info value = {.struct_size = sizeof value};
    multipoint_session_info made = {.struct_size = sizeof made};
    multipoint_step_info step = {.struct_size = sizeof step};
    is_watching = 1;
    multipoint_status status = multipoint_model_layer(model, 1, &info);
    if (status == MULTIPOINT_OK) status = multipoint_model_input(model, 0, &value);
    if (status == MULTIPOINT_OK) status = multipoint_model_output(model, 0, &value);
    if (status == MULTIPOINT_OK) status = multipoint_layer_describe(layer, &info);
    if (status == MULTIPOINT_OK) status = multipoint_session_describe(session, &made);
    if (status == MULTIPOINT_OK) status = multipoint_session_step(session, 0, &step);
    is_watching = 0;
    return status;
}

static multipoint_status create_layer(void) {
    layer_parts parts;
    conv_1x1(&parts);
    multipoint_layer *made = UNTOUCHED;
    is_watching = 1;
    multipoint_status status = multipoint_layer_create(&parts.descriptor, &made);
    check_end(status, made);
    if (status == MULTIPOINT_OK) multipoint_layer_destroy(made);
    return status;
}

/* The first call decodes them. */
static multipoint_status show_rows(void) {
    layer_parts parts;
    conv_1x1(&parts);
    multipoint_layer *made = NULL;
    if (multipoint_layer_create(&parts.descriptor, &made) != MULTIPOINT_OK) return MULTIPOINT_INTERNAL_ERROR;
    multipoint_rows rows = {.struct_size = sizeof rows};
    is_watching = 1;
    multipoint_status status = multipoint_layer_rows(made, &rows);
    is_watching = 0;
    if (status == MULTIPOINT_OK) CHECK(rows.row_count == 3 && rows.values[0] == 1 && rows.values[1] == -1);
    multipoint_layer_destroy(made);
    return status;
}

static multipoint_status create_plan(multipoint_plan **made) {
    multipoint_plan_options options = {.struct_size = sizeof options, .height = 2, .width = 2, .threads = 1};
    return multipoint_plan_create(layer, &options, made);
}

static multipoint_status create_and_destroy_plan(void) {
    multipoint_plan *made = UNTOUCHED;
    is_watching = 1;
    multipoint_status status = create_plan(&made);
    check_end(status, made);
    if (status == MULTIPOINT_OK) multipoint_plan_destroy(made);
    return status;
}

/* 0.875 a - 0.125 b + 1 and 2 (a - b), as packed_file.h works them out. */
static multipoint_status execute(multipoint_plan *with) {
    static const float expected[8] = {1.8125f, 2.6875f, 3.5f, 4.5f, 1, 3, 4, 8};
    float result[8] = {0};
    const int64_t shape[] = {1, 2, 2, 2};
    multipoint_tensor source = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, shape, NULL};
    multipoint_tensor destination = {result, sizeof result, MULTIPOINT_F32, 4, shape, NULL};
    is_watching = 1;
    multipoint_status status = multipoint_plan_execute(with, &source, NULL, &destination, NULL);
    is_watching = 0;
    if (status == MULTIPOINT_OK) CHECK_FLOATS(result, expected, 8);
    return status;
}

static multipoint_status execute_new_plan(void) {
    multipoint_plan *made = NULL;
    if (create_plan(&made) != MULTIPOINT_OK) return MULTIPOINT_INTERNAL_ERROR;
    multipoint_status status = execute(made);
    multipoint_plan_destroy(made);
    return status;
}

static multipoint_status execute_plan(void) { return execute(plan); }

static multipoint_status pack(void) {
    const float matrix[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    multipoint_packing *made = UNTOUCHED;
    is_watching = 1;
    multipoint_status status = multipoint_packing_create(matrix, 2, 4, NULL, &made);
    check_end(status, made);
    if (status == MULTIPOINT_OK) multipoint_packing_destroy(made);
    return status;
}

static multipoint_status create(multipoint_session **made) {
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 4, .threads = 1};
    return multipoint_session_create(model, &options, made);
}

static multipoint_status create_session(void) {
    multipoint_session *made = UNTOUCHED;
    is_watching = 1;
    multipoint_status status = create(&made);
    check_end(status, made);
    if (status == MULTIPOINT_OK) multipoint_session_destroy(made);
    return status;
}

static multipoint_status run(multipoint_session *with, int64_t batch) {
    float images[4][8], results[4][2] = {{0}};
    for (int64_t i = 0; i < batch; i++) memcpy(images[i], sample_image, sizeof sample_image);
    const int64_t image_shape[] = {batch, 2, 2, 2}, result_shape[] = {batch, 2};
    multipoint_tensor input = {images, (size_t)batch * 32, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor output = {results, (size_t)batch * 8, MULTIPOINT_F32, 2, result_shape, NULL};
    is_watching = 1;
    multipoint_status status = multipoint_session_run(with, &input, 1, &output, 1);
    is_watching = 0;
    if (status == MULTIPOINT_OK) CHECK_FLOATS(results[batch - 1], sample_result, 2);
    return status;
}

/* Compiles: the batch size is new. */
static multipoint_status first_run(void) {
    multipoint_session *made = NULL;
    if (create(&made) != MULTIPOINT_OK) return MULTIPOINT_INTERNAL_ERROR;
    multipoint_status status = run(made, 2);
    /* A run of the size that was compiled before works as ever. */
    if (status != MULTIPOINT_OK) {
        keep_message();
        failing = 0;
        CHECK(run(made, 4) == MULTIPOINT_OK);
    }
    multipoint_session_destroy(made);
    return status;
}

static multipoint_status later_run(void) { return run(session, 4); }

static multipoint_status profile(void) {
    multipoint_step_profile step = {.struct_size = sizeof step};
    multipoint_session *made = NULL;
    const long wanted = failing;
    failing = 0;
    if (create(&made) != MULTIPOINT_OK) return MULTIPOINT_INTERNAL_ERROR;
    if (multipoint_session_start_profile(made) != MULTIPOINT_OK || run(made, 4) != MULTIPOINT_OK) return MULTIPOINT_INTERNAL_ERROR;
    failing = wanted;
    allocations = 0;
    is_watching = 1;
    multipoint_status status = multipoint_session_profile_step(made, 0, &step);
    is_watching = 0;
    multipoint_session_destroy(made);
    return status;
}

/* MARK: each in turn */

static const struct { const char *name; multipoint_status (*call)(void); } calls[] = {
    {"open from memory", open_memory}, {"open from a file", open_path}, {"describe", describe}, {"create layer", create_layer},
    {"show rows", show_rows}, {"create plan", create_and_destroy_plan}, {"first execution", execute_new_plan},
    {"later execution", execute_plan}, {"pack", pack}, {"create session", create_session}, {"first run", first_run},
    {"later run", later_run}, {"profile", profile},
};
enum { call_count = sizeof calls / sizeof calls[0] };

static int call_named(const char *name) {
    int index = 0;
    while (strcmp(calls[index].name, name) != 0) index++;
    return index;
}

/* The library's handles and what it keeps are as before; oneDNN loses what it held when an allocation threw. */
static long lost_by(int others) {
    long lost = 0;
    for (size_t at = 0; at < table_size; at++) {
        if (table[at].block == NULL || table[at].block == given_back) continue;
        int is_other = table[at].owner == ONEDNN || table[at].owner == ONEDNN_OBJECTS;
        lost += is_other == others;
    }
    return lost;
}

/* Sets how many primitives oneDNN keeps for a second use. */
static int (*set_cache_capacity)(int);
static int cache_capacity;

static multipoint_status call_with_failure(int index, long number, int and_all_later) {
    /* Else what was compiled before is found there. */
    set_cache_capacity(0);
    set_cache_capacity(cache_capacity);
    memset(table, 0, sizeof table);
    message[0] = '\0';
    allocations = failures = 0;
    failing = number;
    fails_on = and_all_later;
    multipoint_status status = calls[index].call();
    failing = 0;
    if (message[0] == '\0') keep_message();
    return status;
}

static void fail_each(int index, int and_all_later) {
    long number = 0, refused = 0, tolerated = 0, lost = 0;
    for (;;) {
        number++;
        /* What is made once, such as type metadata for an error, is no loss the second time. */
        call_with_failure(index, number, and_all_later);
        multipoint_status status = call_with_failure(index, number, and_all_later);
        if (failures == 0) {
            CHECK(status == MULTIPOINT_OK);
            break;
        }
        if (status == MULTIPOINT_OK) tolerated++;
        else if (CHECK(status == MULTIPOINT_OUT_OF_MEMORY && strstr(message, "memory") != NULL)) refused++;
        else printf("    %s, allocation %ld: %s, \"%s\"\n", calls[index].name, number, multipoint_status_string(status), message);
        /* The message is kept until the next call. */
        multipoint_layer_info info = {.struct_size = sizeof info};
        CHECK_OK(multipoint_layer_describe(layer, &info));
        if (cache_capacity == 0 && !CHECK(lost_by(0) == 0)) printf("    %s, allocation %ld: %ld blocks lost\n", calls[index].name, number, lost_by(0));
        lost += lost_by(1);
        if (!CHECK(calls[index].call() == MULTIPOINT_OK)) printf("    %s, after allocation %ld\n", calls[index].name, number);
    }
    printf("%-17s %-8s %4ld failures: %ld refused, %ld done without; %ld blocks lost by oneDNN\n", calls[index].name,
           and_all_later ? "and all" : "one", number - 1, refused, tolerated, lost);
}

/* How many there are of whom in a call that works. */
static void count_allocations(int index) {
    memset(counts, 0, sizeof counts);
    CHECK(call_with_failure(index, 0, 0) == MULTIPOINT_OK);
    printf("%-17s", calls[index].name);
    for (int owner = SWIFT; owner < OWNERS; owner++) printf(" %s %ld,", owner_names[owner], counts[owner]);
    printf(" others %ld\n", counts[OTHERS]);
}

/* What the manual says of memory that Swift cannot get: the process ends, whatever the call. */
static void test_swift_gives_up(void) {
    fflush(stdout);
    for (long number = 1; number <= 3; number++) {
        pid_t process = fork();
        if (process == 0) {
            if (freopen("/dev/null", "w", stderr) == NULL) _exit(2);
            failing_owners = 1u << SWIFT;
            call_with_failure(0, number, 0);
            _exit(0);
        }
        int status = 0;
        CHECK(process > 0 && waitpid(process, &status, 0) == process);
        CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGILL));
    }
}

/* How a process ends in which one allocation of these two owners fails: each in a child of its own. With TESTS_ALL=1. */
static void count_ends(enum owner owner) {
    static const int signals[] = {SIGABRT, SIGILL, SIGSEGV};
    static const char *const signal_names[] = {"SIGABRT", "SIGILL", "SIGSEGV"};
    failing_owners = 1u << owner;
    for (int index = 0; index < call_count; index++) {
        memset(counts, 0, sizeof counts);
        CHECK(call_with_failure(index, 0, 0) == MULTIPOINT_OK);
        const long count = counts[owner];
        long ends[3] = {0}, refused = 0, tolerated = 0;
        for (long number = 1; number <= count; number++) {
            fflush(stdout);
            pid_t process = fork();
            if (process == 0) {
                alarm(30);
                if (freopen("/dev/null", "w", stderr) == NULL) _exit(2);
                _exit((int)call_with_failure(index, number, 0));
            }
            int status = 0, is_known = 0;
            if (process < 0 || waitpid(process, &status, 0) != process) exit(2);
            if (WIFEXITED(status)) {
                refused += WEXITSTATUS(status) == MULTIPOINT_OUT_OF_MEMORY;
                tolerated += WEXITSTATUS(status) == MULTIPOINT_OK;
                is_known = WEXITSTATUS(status) == MULTIPOINT_OUT_OF_MEMORY || WEXITSTATUS(status) == MULTIPOINT_OK;
            }
            for (int i = 0; i < 3; i++) {
                if (!WIFSIGNALED(status) || WTERMSIG(status) != signals[i]) continue;
                ends[i]++;
                is_known = 1;
            }
            if (!CHECK(is_known)) printf("    %s, %s, allocation %ld: %x\n", calls[index].name, owner_names[owner], number, (unsigned)status);
        }
        if (count == 0) continue;
        printf("%-17s %s: %ld failures: %ld refused, %ld done without", calls[index].name, owner_names[owner], count, refused, tolerated);
        for (int i = 0; i < 3; i++) printf(", %ld %s", ends[i], signal_names[i]);
        printf("\n");
    }
}

static int prepare(void) {
    file = sample_network();
    FILE *written = fopen("memory.multipoint", "wb");
    if (written == NULL || fwrite(file.bytes, 1, file.count, written) != file.count || fclose(written) != 0) return 0;
    *(void **)&set_cache_capacity = dlsym(RTLD_DEFAULT, "dnnl_set_primitive_cache_capacity");
    return set_cache_capacity != NULL &&
           multipoint_model_open_memory(file.bytes, file.count, NULL, &model) == MULTIPOINT_OK &&
           multipoint_layer_from_model(model, "conv", &layer) == MULTIPOINT_OK && create_plan(&plan) == MULTIPOINT_OK &&
           create(&session) == MULTIPOINT_OK;
}

int main(void) {
    dl_iterate_phdr(find_libraries, NULL);
    for (int library = 0; library < library_count; library++) CHECK(libraries[library].end > libraries[library].start);
    if (!CHECK(prepare())) return check_summary("out of memory");
    failing_owners = 1u << OURS | 1u << ONEDNN | 1u << C_LIBRARY | 1u << CXX_LIBRARY;
    for (int index = 0; index < call_count; index++) {
        CHECK(calls[index].call() == MULTIPOINT_OK);
        count_allocations(index);
        fail_each(index, 0);
        fail_each(index, 1);
    }
    /* A primitive that could not be made is not taken from the cache the next time. */
    cache_capacity = 1024;
    fail_each(call_named("create plan"), 0);
    fail_each(call_named("create session"), 0);
    cache_capacity = 0;
    test_swift_gives_up();
    const char *all = getenv("TESTS_ALL");
    if (all != NULL && strcmp(all, "1") == 0) {
        count_ends(SWIFT);
        count_ends(ONEDNN_OBJECTS);
    }
    multipoint_session_destroy(session);
    multipoint_plan_destroy(plan);
    multipoint_layer_destroy(layer);
    multipoint_model_destroy(model);
    byte_string_free(file);
    unlink("memory.multipoint");
    return check_summary("out of memory");
}
