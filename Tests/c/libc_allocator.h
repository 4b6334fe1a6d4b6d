/* glibc's allocator, for programs that put functions of their own in front of it. */
#ifndef LIBC_ALLOCATOR_H
#define LIBC_ALLOCATOR_H

#include <stddef.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

#endif
