/* load_unload LIBRARY: dlopen, a run, dlclose, a hundred times, with a run by several threads among them. */
#include <dlfcn.h>
#include <multipoint.h>
#include <stdio.h>
#include <string.h>

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

/* y = 2 x0 - x1 + 0.5 in float, by `threads` threads. */
static int run(void *library, int threads) {
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
    if (status != MULTIPOINT_OK) return fail("multipoint_plan_create", status);

    float source[] = {3, 10.25f}, result[] = {0};
    const int64_t source_shape[] = {1, 2}, result_shape[] = {1, 1};
    const multipoint_tensor in = {source, sizeof source, MULTIPOINT_F32, 2, source_shape, NULL};
    const multipoint_tensor out = {result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
    status = plan_execute(plan, &in, NULL, &out, NULL);
    plan_destroy(plan);
    layer_destroy(layer);
    if (status != MULTIPOINT_OK) return fail("multipoint_plan_execute", status);
    if (result[0] != -3.75f) printf("-3.75 expected, found %g\n", (double)result[0]);
    return result[0] != -3.75f;
}

int main(int argument_count, char **arguments) {
    if (argument_count != 2) return 2;
    for (int round = 0; round < 100; round++) {
        void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            printf("%s\n", dlerror());
            return 1;
        }
        if (run(library, 1 + round % 2) != 0) {
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
