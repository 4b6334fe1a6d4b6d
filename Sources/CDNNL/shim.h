/* oneDNN's C API, in the words of its third generation whichever is installed, and the calls of GNU OpenMP with which a thread chooses
 * its own thread count and shares oneDNN's worker threads. Debian's and Ubuntu's libdnnl are built on GNU OpenMP. */
#ifndef MULTIPOINT_CDNNL_SHIM_H
#define MULTIPOINT_CDNNL_SHIM_H

#include <cpuid.h>
#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
#include "generation3.h"
#else
#include "generation2.h"
#endif

/* omp.h comes with the compiler, not with the library; these are its declarations (OpenMP 5.0, sections 3.2.1, 3.2.3).
 * Both concern the calling thread only. */
extern void omp_set_num_threads(int);
extern int omp_get_max_threads(void);

/* What `#pragma omp parallel` compiles to (libgomp ABI GOMP_4.0): runs `body(data)` once in each of `threads` threads. */
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);

/* Whether the CPU has SSE4.1, the least that oneDNN's integer kernels need (CPUID leaf 1, ECX bit 19). */
static inline int multipoint_cpu_has_sse41(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) != 0;
}

#endif
