/*
 * A library that an engine must not load from a container (CVE-2019-14271): it creates the file /trapped in the root
 * directory of the process that loads it. It needs no C library, so programs of any C library can load it.
 */
static long call(long number, long a, long b, long c) {
#if defined(__x86_64__)
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
#endif
}

#if defined(__x86_64__)
enum { MKDIRAT = 258, AT_CURRENT = -100 };
#else
enum { MKDIRAT = 34, AT_CURRENT = -100 };
#endif

__attribute__((constructor)) static void spring(void) { call(MKDIRAT, AT_CURRENT, (long)"/trapped", 0700); }
