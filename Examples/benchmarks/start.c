/* start LIBRARY NETWORK [ROUNDS]: how long a program waits for its first answer. Every round is a process of its own, which loads
 * the library, opens the network, makes a session of one thread and runs one image of zeros. Prints the library's size, and the
 * shortest and the middle time of each step in milliseconds. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <multipoint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { step_count = 5, most_rounds = 1000 };
static const char *const step_names[step_count] = {"dlopen", "open the network", "make a session", "first run", "all of it"};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static void find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    if (address == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    memcpy(function, &address, sizeof address);
}

typedef multipoint_status (*describe_function)(const multipoint_model *, size_t, multipoint_value_info *);

/* Memory of zeros for an image of input or output number 0. Its numbers live as long as the process. */
static multipoint_tensor image(const multipoint_model *model, describe_function describe) {
    static multipoint_value_info infos[2];
    static int used;
    multipoint_value_info *info = &infos[used++];
    info->struct_size = sizeof *info;
    if (describe(model, 0, info) != MULTIPOINT_OK) exit(1);
    size_t count = 1;
    for (int axis = 0; axis < info->rank; axis++) {
        if (info->dimensions[axis] < 0) info->dimensions[axis] = 1;
        count *= (size_t)info->dimensions[axis];
    }
    return (multipoint_tensor){calloc(count, 4), count * 4, MULTIPOINT_F32, info->rank, info->dimensions, NULL};
}

static int measure(const char *path, const char *network, double times[step_count]) {
    double start = now(), last = start;
    int step = 0;
#define STEP_ENDS (times[step++] = now() - last, last = now())
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    multipoint_status (*model_open)(const char *, const multipoint_model_options *, multipoint_model **);
    multipoint_status (*session_create)(const multipoint_model *, const multipoint_session_options *, multipoint_session **);
    multipoint_status (*session_run)(multipoint_session *, const multipoint_tensor *, size_t, const multipoint_tensor *, size_t);
    const char *(*last_error)(void);
    describe_function model_input, model_output;
    find(library, "multipoint_model_open", &model_open);
    find(library, "multipoint_session_create", &session_create);
    find(library, "multipoint_session_run", &session_run);
    find(library, "multipoint_last_error", &last_error);
    find(library, "multipoint_model_input", &model_input);
    find(library, "multipoint_model_output", &model_output);
    STEP_ENDS;

    multipoint_model *model = NULL;
    multipoint_session *session = NULL;
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 1, .threads = 1};
    multipoint_status status = model_open(network, NULL, &model);
    STEP_ENDS;
    if (status == MULTIPOINT_OK) status = session_create(model, &options, &session);
    STEP_ENDS;
    if (status == MULTIPOINT_OK) {
        multipoint_tensor input = image(model, model_input), output = image(model, model_output);
        status = session_run(session, &input, 1, &output, 1);
    }
    STEP_ENDS;
    times[step] = now() - start;
    if (status != MULTIPOINT_OK) fprintf(stderr, "%s\n", last_error());
    return status != MULTIPOINT_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argument_count, char **arguments) {
    static double times[step_count][most_rounds];
    int rounds = argument_count > 3 ? atoi(arguments[3]) : 50;
    struct stat file;
    if (argument_count < 3 || rounds < 1 || rounds > most_rounds || stat(arguments[1], &file) != 0) {
        fprintf(stderr, "usage: %s LIBRARY NETWORK [ROUNDS, 1 to %d]\n", arguments[0], most_rounds);
        return 2;
    }
    for (int round = 0; round < rounds; round++) {
        int ends[2];
        double own[step_count];
        if (pipe(ends) != 0) return 1;
        pid_t process = fork();
        if (process == 0) {
            int failed = measure(arguments[1], arguments[2], own);
            _exit(failed || write(ends[1], own, sizeof own) != (ssize_t)sizeof own);
        }
        int status = 1;
        close(ends[1]);
        if (process < 0 || read(ends[0], own, sizeof own) != (ssize_t)sizeof own) return 1;
        close(ends[0]);
        if (waitpid(process, &status, 0) != process || status != 0) return 1;
        for (int step = 0; step < step_count; step++) times[step][round] = own[step];
    }
    printf("%-18s %12lld bytes\n", "library", (long long)file.st_size);
    for (int step = 0; step < step_count; step++) {
        qsort(times[step], (size_t)rounds, sizeof(double), ascending);
        printf("%-18s %12.2f ms shortest %10.2f ms middle\n", step_names[step], times[step][0], times[step][rounds / 2]);
    }
    return 0;
}
