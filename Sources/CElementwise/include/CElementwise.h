/* All of the module. */
#include "axes.h"
#include "elementwise.h"
#include "functions.h"
#include "windows.h"
