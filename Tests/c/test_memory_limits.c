/* Files that are too large for the memory that there is: under every limit of the address space (RLIMIT_AS) a file is opened and run, or
 * refused with OUT_OF_MEMORY. Swift ends the process where malloc has nothing for it, so what a file decides the size of has to be asked
 * for before. A child process per limit: one that ends by a signal is a failure. With TESTS_ALL=1 files of up to 200 MB, under more limits. */
#define _GNU_SOURCE
#include "check.h"
#include "packed_file.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char path[] = "limited.multipoint";

/* MARK: files */

static void *allocate(size_t count) {
    void *memory = calloc(count > 0 ? count : 1, 1);
    if (memory == NULL) exit(2);
    return memory;
}

__attribute__((format(printf, 1, 2))) static char *text(const char *format, ...) {
    va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    const int count = vsnprintf(NULL, 0, format, values);
    char *result = allocate((size_t)count + 1);
    vsnprintf(result, (size_t)count + 1, format, again);
    va_end(values);
    va_end(again);
    return result;
}

/* x [N, `in`...] -> one node -> y [N, `out`...] */
static char *graph_of(const char *in, const char *out, const char *node) {
    return text("{'operator_set':17,'inputs':[{'name':'x','dtype':'float32','shape':['N',%s]}],"
                "'outputs':[{'name':'y','dtype':'float32','shape':['N',%s]}],'nodes':[%s],"
                "'values':{'x':{'scale':0.5,'zero_point':2}}}", in, out, node);
}

static const char gemm_node[] = "{'name':'w','operator':'Gemm','inputs':['x'],'outputs':['y'],'layer':'w'}";

/* A float layer of 4 n^2 bytes. */
static byte_string float_file(size_t n) {
    char *shape = text("[%zu,%zu]", n, n), *size = text("%zu", n);
    packed_tensor tensor = {"w.weight", "F32", shape, allocate(4 * n * n), 4 * n * n};
    char *layers = text("[{'name':'w','operator':'Gemm','shape':%s}]", shape), *graph = graph_of(size, size, gemm_node);
    byte_string file = packed_file_make(&tensor, 1, layers, graph, NULL);
    free((void *)tensor.data), free(layers), free(graph), free(shape), free(size);
    return file;
}

/* A layer of n channels with one point each of m 4-bit codes. */
static byte_string packed_file(size_t n, size_t m) {
    const size_t stride = (m + 1) / 2;
    unsigned char *points = allocate(n);
    float *scales = allocate(4 * n);
    signed char book[16];
    for (int i = 0; i < 16; i++) book[i] = (signed char)(2 * i - 15);
    for (size_t i = 0; i < n; i++) points[i] = 1, scales[i] = 0.25f;
    char *vector = text("[%zu]", n), *codes = text("[%zu,%zu]", n, stride), *in = text("%zu", m), *out = text("%zu", n);
    packed_tensor tensors[] = {
        {"w.points", "U8", vector, points, n}, {"w.codes.0", "U8", codes, allocate(n * stride), n * stride},
        {"w.codebook.0", "I8", "[16]", book, 16}, {"w.scales", "F32", vector, scales, 4 * n},
    };
    char *layers = text("[{'name':'w','operator':'Gemm','shape':[%zu,%zu],'input':{'scale':0.5,'zero_point':2}}]", n, m);
    char *graph = graph_of(in, out, gemm_node);
    byte_string file = packed_file_make(tensors, 4, layers, graph, NULL);
    free((void *)tensors[1].data), free(points), free(scales), free(vector), free(codes), free(in), free(out), free(layers), free(graph);
    return file;
}

static byte_string square_packed_file(size_t n) { return packed_file(n, n); }
static byte_string narrow_packed_file(size_t n) { return packed_file(n * n / 8, 1); }

/* A constant of 4 n^2 bytes. */
static byte_string constant_file(size_t n) {
    float *values = allocate(4 * n * n);
    for (size_t i = 0; i < n * n; i++) values[i] = (float)(i % 7);
    char *shape = text("[1,%zu,%zu]", n, n), *sizes = text("%zu,%zu", n, n);
    packed_tensor tensor = {"k", "F32", shape, values, 4 * n * n};
    char *graph = graph_of(sizes, sizes,
                           "{'name':'k','operator':'Constant','inputs':[],'outputs':['k'],'attributes':{'value':'k'}},"
                           "{'name':'a','operator':'Add','inputs':['x','k'],'outputs':['y']}");
    byte_string file = packed_file_make(&tensor, 1, "[]", graph, NULL);
    free(values), free(shape), free(sizes), free(graph);
    return file;
}

/* As much JSON as can be: n^2 / 256 layers of one weight. */
static byte_string layers_file(size_t n) {
    const size_t count = n * n / 256;
    const float one = 1;
    packed_tensor *tensors = allocate(count * sizeof *tensors);
    char *layers = allocate(80 * count + 3), *end = layers;
    for (size_t i = 0; i < count; i++) {
        tensors[i] = (packed_tensor){text("l%zu.weight", i), "F32", "[1,1]", &one, 4};
        end += sprintf(end, "%c{'name':'l%zu','operator':'Gemm','shape':[1,1]}", i > 0 ? ',' : '[', i);
    }
    *end = ']';
    byte_string file = packed_file_make(tensors, count, layers, NULL, NULL);
    for (size_t i = 0; i < count; i++) free((void *)tensors[i].name);
    free(tensors), free(layers);
    return file;
}

/* A shape of n^2 / 8 ones. */
static byte_string numbers_file(size_t n) {
    const size_t count = n * n / 8;
    const float one = 1;
    char *shape = allocate(2 * count + 2);
    for (size_t i = 0; i < count; i++) memcpy(shape + 2 * i, i > 0 ? ",1" : "[1", 2);
    shape[2 * count] = ']';
    packed_tensor tensor = {"w.weight", "F32", shape, &one, 4};
    byte_string file = packed_file_make(&tensor, 1, "[{'name':'w','operator':'Gemm','shape':[1,1]}]", NULL, NULL);
    free(shape);
    return file;
}

/* A chain of n^2 / 512 nodes, each of which does something else than the one before. */
static byte_string nodes_file(size_t n) {
    const size_t count = n * n / 512;
    char *nodes = allocate(100 * count + 100), *end = nodes;
    for (size_t i = 0; i < count; i++) {
        char in[24] = "x";
        if (i > 0) snprintf(in, sizeof in, "v%zu", i - 1);
        end += sprintf(end, "{'operator':'%s','inputs':['%s'],'outputs':['v%zu']},", i % 2 ? "Sin" : "Cos", in, i);
    }
    sprintf(end, "{'operator':'Abs','inputs':['v%zu'],'outputs':['y']}", count - 1);
    char *graph = graph_of("4", "4", nodes);
    byte_string file = packed_file_make(NULL, 0, "[]", graph, NULL);
    free(nodes), free(graph);
    return file;
}

/* MARK: under a limit */

/* What a child found: where there was too little memory, or 0. Anything else is a failure. */
enum { fine = 0, no_memory = 1, wrong = 100 };

static int outcome(multipoint_status status) {
    if (status == MULTIPOINT_OK) return fine;
    if (status == MULTIPOINT_OUT_OF_MEMORY && multipoint_last_error()[0] != '\0') return no_memory;
    return wrong + (int)status;
}

static int show_layers(const multipoint_model *model) {
    multipoint_layer_info info = {.struct_size = sizeof info};
    multipoint_rows rows = {.struct_size = sizeof rows};
    for (size_t i = 0; i < multipoint_model_layer_count(model) && i < 3; i++) {
        multipoint_layer *layer = NULL;
        if (multipoint_model_layer(model, i, &info) != MULTIPOINT_OK) return wrong;
        multipoint_status status = multipoint_layer_from_model(model, info.name, &layer);
        if (status == MULTIPOINT_OK && !info.is_float) status = multipoint_layer_rows(layer, &rows);
        int result = outcome(status);
        multipoint_layer_destroy(layer);
        if (result != fine) return result;
    }
    return fine;
}

static size_t byte_count(const multipoint_value_info *value) {
    size_t count = 4;
    for (int32_t i = 1; i < value->rank; i++) count *= (size_t)value->dimensions[i];
    return count;
}

static int run(multipoint_session *session, const multipoint_model *model) {
    multipoint_value_info in = {.struct_size = sizeof in}, out = {.struct_size = sizeof out};
    if (multipoint_model_input(model, 0, &in) != MULTIPOINT_OK || multipoint_model_output(model, 0, &out) != MULTIPOINT_OK) return wrong;
    in.dimensions[0] = out.dimensions[0] = 1;
    void *image = calloc(byte_count(&in), 1), *result = calloc(byte_count(&out), 1);
    if (image == NULL || result == NULL) return no_memory; /* the test's own */
    multipoint_tensor input = {image, byte_count(&in), MULTIPOINT_F32, in.rank, in.dimensions, NULL};
    multipoint_tensor output = {result, byte_count(&out), MULTIPOINT_F32, out.rank, out.dimensions, NULL};
    return outcome(multipoint_session_run(session, &input, 1, &output, 1));
}

static int use(byte_string file, int is_path) {
    multipoint_model *model = NULL;
    int result = outcome(is_path ? multipoint_model_open(path, NULL, &model)
                                 : multipoint_model_open_memory(file.bytes, file.count, NULL, &model));
    if (result == fine) result = show_layers(model);
    if (result == fine && multipoint_model_has_graph(model)) {
        multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 1, .threads = 1};
        multipoint_session *session = NULL;
        result = outcome(multipoint_session_create(model, &options, &session));
        if (result == fine) result = run(session, model);
        multipoint_session_destroy(session);
    }
    multipoint_model_destroy(model);
    return result;
}

static size_t address_space(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    if (file == NULL || fscanf(file, "%zu", &pages) != 1) exit(2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What became of a file with so many bytes more than the process has at its start; an exit status, or minus the signal's number. */
static int in_child(byte_string file, int is_path, size_t more) {
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) {
        alarm(60);
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(2);
        const rlim_t limit = address_space() + more;
        const struct rlimit limits = {limit, limit};
        if (setrlimit(RLIMIT_AS, &limits) != 0) _exit(2);
        _exit(use(file, is_path));
    }
    int status = 0;
    if (process < 0 || waitpid(process, &status, 0) != process) exit(2);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_limits(const char *name, byte_string file, int limits, multipoint_status valid) {
    FILE *written = fopen(path, "wb");
    if (written == NULL || fwrite(file.bytes, 1, file.count, written) != file.count || fclose(written) != 0) exit(2);
    const int expected = valid == MULTIPOINT_OK ? fine : wrong + (int)valid;
    for (int is_path = 0; is_path < 2; is_path++) {
        /* Up to where there is enough. */
        size_t enough = 1 << 24;
        while (enough < (size_t)1 << 36 && in_child(file, is_path, enough) == no_memory) enough *= 2;
        int refused = 0, opened = 0;
        for (int i = 0; i <= limits; i++) {
            const size_t more = enough / (size_t)limits * (size_t)i;
            const int result = in_child(file, is_path, more);
            refused += result == no_memory;
            opened += result == expected;
            if (!CHECK(result == no_memory || result == expected)) printf("    %s, %zu bytes more: %d\n", name, more, result);
        }
        CHECK(refused > 0 && opened > 0);
        printf("%-14s %-6s %9zu bytes, %d limits up to %zu MiB: %d out of memory, %d fine\n", name, is_path ? "path" : "memory",
               file.count, limits + 1, enough >> 20, refused, opened);
    }
    unlink(path);
}

int main(void) {
    const char *all = getenv("TESTS_ALL");
    const int is_long = all != NULL && strcmp(all, "1") == 0;
    const struct { const char *name; byte_string (*make)(size_t); size_t size; multipoint_status valid; } kinds[] = {
        {"float weights", float_file, 7000, MULTIPOINT_OK}, {"codes", square_packed_file, 7000, MULTIPOINT_OK},
        {"channels", narrow_packed_file, 3000, MULTIPOINT_OK}, {"a constant", constant_file, 3000, MULTIPOINT_OK},
        {"layers", layers_file, 3000, MULTIPOINT_OK}, {"numbers", numbers_file, 3000, MULTIPOINT_BAD_FORMAT},
        {"nodes", nodes_file, 1000, MULTIPOINT_OK},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        byte_string file = kinds[i].make(is_long ? kinds[i].size : 1000);
        test_limits(kinds[i].name, file, is_long ? 100 : 16, kinds[i].valid);
        byte_string_free(file);
    }
    return check_summary("memory limits");
}
