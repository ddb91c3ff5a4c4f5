// Maps so many huge pages of so many bytes without reserving them, and writes to each.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

int main(int count, char **arguments)
{
	if (count != 3)
		return 2;
	long pages = atol(arguments[1]), bytes = atol(arguments[2]);
	char *at = mmap(0, pages * bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return 1;
	for (long page = 0; page < pages; page++)
		at[page * bytes] = 1;
	return 0;
}
