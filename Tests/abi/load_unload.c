/* load_unload LIBRARY: dlopen, a run, dlclose, a hundred times, with runs by several threads, on threads of the program's own, and
 * in forked children among them. An alarm ends what hangs. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <multipoint.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A function of the library. ISO C knows no conversion from an object pointer to a function's. */
static int find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    if (address == NULL) printf("no %s: %s\n", name, dlerror());
    return address != NULL;
}

static int fail(const char *what, multipoint_status status) {
    printf("%s: status %d\n", what, (int)status);
    return 1;
}

/* y = 2 x0 - x1 + 0.5 in float, by `threads` threads. In a child that was forked after a run with several threads such a run may
 * also be refused. */
static int run(void *library, int threads, int is_child) {
    multipoint_status (*layer_create)(const multipoint_layer_descriptor *, multipoint_layer **);
    multipoint_status (*plan_create)(const multipoint_layer *, const multipoint_plan_options *, multipoint_plan **);
    multipoint_status (*plan_execute)(const multipoint_plan *, const multipoint_tensor *, const multipoint_tensor *,
                                      const multipoint_tensor *, void *);
    void (*layer_destroy)(multipoint_layer *);
    void (*plan_destroy)(multipoint_plan *);
    if (!find(library, "multipoint_layer_create", &layer_create) || !find(library, "multipoint_plan_create", &plan_create) ||
        !find(library, "multipoint_plan_execute", &plan_execute) || !find(library, "multipoint_layer_destroy", &layer_destroy) ||
        !find(library, "multipoint_plan_destroy", &plan_destroy)) {
        return 1;
    }

    const float weights[] = {2, -1}, bias[] = {0.5f};
    multipoint_layer_descriptor descriptor;
    memset(&descriptor, 0, sizeof descriptor);
    descriptor.struct_size = sizeof descriptor;
    descriptor.op = MULTIPOINT_GEMM;
    descriptor.shape[0] = 1;
    descriptor.shape[1] = 2;
    descriptor.float_weights = weights;
    descriptor.bias = bias;
    multipoint_plan_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.threads = threads;
    multipoint_layer *layer = NULL;
    multipoint_plan *plan = NULL;
    multipoint_status status = layer_create(&descriptor, &layer);
    if (status != MULTIPOINT_OK) return fail("multipoint_layer_create", status);
    status = plan_create(layer, &options, &plan);
    if (status == MULTIPOINT_FORKED && is_child && threads > 1) {
        layer_destroy(layer);
        return 0;
    }
    if (status != MULTIPOINT_OK) return fail("multipoint_plan_create", status);

    float source[] = {3, 10.25f}, result[] = {0};
    const int64_t source_shape[] = {1, 2}, result_shape[] = {1, 1};
    const multipoint_tensor in = {source, sizeof source, MULTIPOINT_F32, 2, source_shape, NULL};
    const multipoint_tensor out = {result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
    status = plan_execute(plan, &in, NULL, &out, NULL);
    plan_destroy(plan);
    layer_destroy(layer);
    if (status == MULTIPOINT_FORKED && is_child && threads > 1) return 0;
    if (status != MULTIPOINT_OK) return fail("multipoint_plan_execute", status);
    if (result[0] != -3.75f) printf("-3.75 expected, found %g\n", (double)result[0]);
    return result[0] != -3.75f;
}

typedef struct work {
    pthread_t thread;
    void *library;
    const char *path;
    int threads, failures;
} work;

/* What a thread that the library has never seen does with it. */
static void *run_on_thread(void *argument) {
    work *own = argument;
    own->failures = run(own->library, own->threads, 0);
    return NULL;
}

static int run_on_new_threads(void *library) {
    work works[4];
    int failures = 0;
    for (int i = 0; i < 4; i++) {
        works[i] = (work){.library = library, .threads = 1 + i % 2};
        if (pthread_create(&works[i].thread, NULL, run_on_thread, &works[i]) != 0) return 1;
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(works[i].thread, NULL);
        failures += works[i].failures;
    }
    return failures;
}

/* A child uses what its parent has loaded, and loads it itself. */
static int run_in_child(void *library, const char *path) {
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) {
        alarm(20);
        void *again = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        int failures = again == NULL || run(library, 1, 1) || run(library, 2, 1) || run(again, 1, 1);
        failures += dlclose(library) != 0 || (again != NULL && dlclose(again) != 0);
        fflush(stdout);
        _exit(failures != 0);
    }
    int status = 0;
    if (process < 0 || waitpid(process, &status, 0) != process) return 1;
    if (WIFSIGNALED(status)) printf("the child ended by signal %d\n", WTERMSIG(status));
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Loaded, used and closed by a thread of its own, which then ends. */
static void *whole_round(void *argument) {
    work *own = argument;
    void *library = dlopen(own->path, RTLD_NOW | RTLD_LOCAL);
    own->failures = library == NULL || run(library, 2, 0) || dlclose(library) != 0;
    return NULL;
}

static int round_on_thread(const char *path) {
    work own = {.path = path};
    if (pthread_create(&own.thread, NULL, whole_round, &own) != 0) return 1;
    pthread_join(own.thread, NULL);
    return own.failures;
}

/* Round after round another kind of use. */
static int use(void *library, const char *path, int round) {
    switch (round % 10) {
    case 3: return run_on_new_threads(library);
    case 5: return run_in_child(library, path);
    case 7: return round_on_thread(path);
    default: return run(library, 1 + round % 2, 0);
    }
}

int main(int argument_count, char **arguments) {
    if (argument_count != 2) return 2;
    alarm(100);
    for (int round = 0; round < 100; round++) {
        void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            printf("%s\n", dlerror());
            return 1;
        }
        /* Before any run: a child of a process that has only loaded the library. */
        if (round == 0 && run_in_child(library, arguments[1]) != 0) return fail("in a child before any run", 0);
        if (use(library, arguments[1], round) != 0) {
            printf("in round %d\n", round);
            return 1;
        }
        if (dlclose(library) != 0) {
            printf("%s\n", dlerror());
            return 1;
        }
    }
    printf("loaded, used and unloaded 100 times\n");
    return 0;
}
