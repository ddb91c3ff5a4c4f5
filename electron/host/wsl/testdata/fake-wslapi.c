/*
 * A stand-in for wslapi.dll: the two questions, as the documentation has their arguments
 * (https://learn.microsoft.com/windows/win32/api/wslapi/). Only "corten" is registered. The last name
 * that was asked for is kept, to see that it arrived as UTF-16.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uchar.h>

static char16_t asked[256];

static int is_corten(const char16_t *name)
{
	static const char16_t known[] = u"corten";
	size_t length = 0;
	while (name[length] != 0 && length < 255)
		length++;
	memcpy(asked, name, length * sizeof *name);
	asked[length] = 0;
	return length == 6 && memcmp(name, known, sizeof known) == 0;
}

const char16_t *fake_asked(void)
{
	return asked;
}

/* BOOL */
int WslIsDistributionRegistered(const char16_t *name)
{
	return is_corten(name);
}

/* HRESULT; the flags are WSL_DISTRIBUTION_FLAGS_ENABLE_INTEROP | …_ENABLE_DRIVE_MOUNTING. */
int32_t WslGetDistributionConfiguration(const char16_t *name, uint32_t *version, uint32_t *uid,
					int32_t *flags, void **variables, uint32_t *count)
{
	if (!is_corten(name))
		return (int32_t)0x80070002; /* HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND) */
	*version = 2;
	*uid = 1000;
	*flags = 0x5;
	*variables = NULL;
	*count = 0;
	return 0;
}
