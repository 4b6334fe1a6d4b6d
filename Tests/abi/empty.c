/* A source file needs a declaration. */
typedef int nothing;
