/*
 * What a file system answers, one observation a line: the test runs this on a native file system and
 * on a shared folder and compares. Usage: posix DIRECTORY (empty, as root)
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static const char *section = "";

static void say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s: %s\n", section, what, strerrorname_np(errno));
	else
		printf("%s: %s: %ld\n", section, what, result);
	fflush(stdout);
}

/* Of a call whose value is a descriptor or nothing: only whether it went well. */
static int ok(const char *what, int result)
{
	say(what, result < 0 ? -1 : 0);
	return result;
}

static void text(const char *what, const char *value)
{
	printf("%s: %s: %s\n", section, what, value);
	fflush(stdout);
}

static int make(const char *name, const char *content)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, content, strlen(content)) < 0)
		perror(name);
	return fd;
}

static void touch(const char *name) { close(make(name, "")); }

static const char *content(const char *name)
{
	static char buffer[4096];
	int fd = open(name, O_RDONLY);
	if (fd < 0)
		return strerrorname_np(errno);
	ssize_t length = read(fd, buffer, sizeof buffer - 1);
	close(fd);
	buffer[length < 0 ? 0 : length] = 0;
	return buffer;
}

static struct stat of(const char *name)
{
	struct stat st;
	memset(&st, 0, sizeof st);
	lstat(name, &st);
	return st;
}

/* Runs `body` as another user in a child, so that its rights are no concern of the rest. */
#define AS(user, body)                                                                          \
	do {                                                                                    \
		fflush(stdout);                                                                 \
		pid_t child = fork();                                                           \
		if (child == 0) {                                                               \
			if (setresgid(user, user, user) || setresuid(user, user, user))         \
				_exit(9);                                                       \
			body;                                                                   \
			_exit(0);                                                               \
		}                                                                               \
		waitpid(child, NULL, 0);                                                        \
	} while (0)

static void opening(void)
{
	section = "open";
	ok("missing", open("none", O_RDONLY));
	ok("create", open("f", O_CREAT | O_RDWR, 0640));
	say("its mode", of("f").st_mode);
	ok("exclusive again", open("f", O_CREAT | O_EXCL | O_RDWR, 0600));
	ok("folder to write", open(".", O_WRONLY));
	ok("file as a folder", open("f", O_DIRECTORY));
	ok("below a file", open("f/x", O_RDONLY));
	symlink("f", "l");
	ok("a link not followed", open("l", O_RDONLY | O_NOFOLLOW));
	ok("a link exclusively", open("l", O_CREAT | O_EXCL | O_RDWR, 0600));
	symlink("later", "dangling");
	ok("create through a dangling link", open("dangling", O_CREAT | O_RDWR, 0600));
	say("made the target", S_ISREG(of("later").st_mode));
	int fd = open("read-only-made", O_CREAT | O_RDWR, 0400);
	say("write to what was made read-only", write(fd, "x", 1));
	close(fd);
	close(make("t", "123456"));
	ok("truncate", open("t", O_WRONLY | O_TRUNC));
	say("size", of("t").st_size);
	umask(027);
	touch("masked");
	say("masked mode", of("masked").st_mode);
	umask(022);
	fd = make("a", "one");
	close(fd);
	fd = open("a", O_WRONLY | O_APPEND);
	lseek(fd, 0, SEEK_SET);
	say("append", write(fd, "two", 3));
	text("appended", content("a"));
	close(fd);
	ok("set-user-id mode", open("suid", O_CREAT | O_RDWR, 04755));
	say("mode", of("suid").st_mode);
	ok("path descriptor", open("f", O_PATH));
}

static void naming(void)
{
	char name[300];
	section = "names";
	memset(name, 'n', sizeof name);
	name[255] = 0;
	ok("255 bytes", open(name, O_CREAT | O_RDWR, 0600));
	say("remove it", unlink(name));
	memset(name, 'n', sizeof name);
	name[256] = 0;
	ok("256 bytes", open(name, O_CREAT | O_RDWR, 0600));
	say("folder of 256 bytes", mkdir(name, 0700));
	const char *names[] = { "line\nbreak", "tab\t", "\xff\xfe not UTF-8", "\xc3\xa9", "e\xcc\x81",
		"case", "CASE", "Case", " ", "-", "...", "back\\slash", "star*", "q?", "a:b", "\x01",
		"\xf0\x9f\x93\xa6", "\xe4\xb8\xad\xe6\x96\x87" };
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		close(make(names[i], names[i]));
	int found = 0;
	DIR *dir = opendir(".");
	for (struct dirent *entry; (entry = readdir(dir));)
		for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
			found += strcmp(entry->d_name, names[i]) == 0;
	closedir(dir);
	say("odd names listed", found);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		found -= strcmp(content(names[i]), names[i]) == 0;
	say("odd names without their content", found);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		found += unlink(names[i]);
	say("left", found);
	say("empty name", mkdir("", 0700));
	say("dot", mkdir(".", 0700));
	say("remove dot", rmdir("."));
	say("remove dot dot", rmdir("x/.."));
	char deep[PATH_MAX + 10];
	memset(deep, 'a', sizeof deep);
	for (int i = 100; i < PATH_MAX; i += 100)
		deep[i] = '/';
	deep[PATH_MAX + 1] = 0;
	say("path too long", access(deep, F_OK));
}

static void folders(void)
{
	section = "folders";
	say("make", mkdir("d", 0750));
	say("mode", of("d").st_mode);
	say("again", mkdir("d", 0750));
	say("below nothing", mkdir("none/d", 0750));
	touch("d/f");
	say("below a file", mkdir("d/f/g", 0750));
	say("remove with content", rmdir("d"));
	say("unlink a folder", unlink("d"));
	say("rmdir a file", rmdir("d/f"));
	say("unlink", unlink("d/f"));
	say("unlink again", unlink("d/f"));
	mkdir("d/s", 01777);
	say("sticky under umask", of("d/s").st_mode);
	say("chmod", chmod("d/s", 01777));
	say("sticky", of("d/s").st_mode);
	say("links of a folder with one", of("d").st_nlink);
	struct stat before = of("d");
	struct timespec pause = { 0, 20000000 };
	nanosleep(&pause, NULL);
	touch("d/new");
	struct stat after = of("d");
	say("its time changes with its content",
	    after.st_mtim.tv_sec != before.st_mtim.tv_sec || after.st_mtim.tv_nsec != before.st_mtim.tv_nsec);
	rmdir("d/s");
	unlink("d/new");
	int open_dir = open("d", O_RDONLY | O_DIRECTORY);
	say("remove while open", rmdir("d"));
	ok("make in a removed one", openat(open_dir, "x", O_CREAT | O_RDWR, 0600));
	close(open_dir);
	mkdir("many", 0755);
	char name[32];
	for (int i = 0; i < 300; i++) {
		sprintf(name, "many/%d", i);
		touch(name);
	}
	DIR *dir = opendir("many");
	int count = 0;
	long place = 0;
	char there[300] = "";
	for (struct dirent *entry; (entry = readdir(dir)); count++) {
		if (count == 150) {
			strcpy(there, entry->d_name);
			(void)there;
		}
		if (count == 149)
			place = telldir(dir);
	}
	say("listed", count);
	seekdir(dir, place);
	text("seekdir finds the same", strcmp(readdir(dir)->d_name, there) == 0 ? "yes" : "no");
	rewinddir(dir);
	touch("many/late");
	rewinddir(dir);
	int late = 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		late += strcmp(entry->d_name, "late") == 0;
	say("a new one after rewinddir", late);
	rewinddir(dir);
	int removed = 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			removed += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
	say("removed while listing", removed);
	closedir(dir);
	say("remove", rmdir("many"));
}

static void renaming(void)
{
	section = "rename";
	close(make("a", "a"));
	close(make("b", "b"));
	ino_t inode = of("a").st_ino;
	say("missing", rename("none", "x"));
	say("over a file", rename("a", "b"));
	text("content", content("b"));
	say("same inode", of("b").st_ino == inode);
	text("old name", content("a"));
	say("to itself", rename("b", "b"));
	mkdir("d", 0755);
	mkdir("d/e", 0755);
	say("folder into itself", rename("d", "d/e/d"));
	say("file over folder", rename("b", "d"));
	say("folder over file", rename("d", "b"));
	mkdir("full", 0755);
	touch("full/f");
	say("folder over a full one", rename("d", "full"));
	mkdir("empty", 0755);
	say("full folder over an empty one", rename("full", "empty"));
	say("content moved", S_ISREG(of("empty/f").st_mode));
	link("b", "b2");
	say("over its own other name", rename("b", "b2"));
	say("both stay", of("b").st_nlink);
	unlink("b2");
	say("trailing slash of a file", rename("b/", "c"));
	close(make("c", "c"));
	int fd = open("c", O_RDONLY);
	say("over an open file", rename("b", "c"));
	char byte = 0;
	say("the open one still reads", read(fd, &byte, 1));
	say("its own content", byte);
	struct stat st;
	fstat(fd, &st);
	say("without links", st.st_nlink);
	close(fd);
	close(make("e", "e"));
	say("no replace onto another", renameat2(AT_FDCWD, "c", AT_FDCWD, "e", RENAME_NOREPLACE));
	say("no replace onto nothing", renameat2(AT_FDCWD, "c", AT_FDCWD, "n", RENAME_NOREPLACE));
	say("exchange", renameat2(AT_FDCWD, "n", AT_FDCWD, "e", RENAME_EXCHANGE));
	text("first", content("n"));
	text("second", content("e"));
	say("exchange with nothing", renameat2(AT_FDCWD, "n", AT_FDCWD, "none", RENAME_EXCHANGE));
	say("exchange file and folder", renameat2(AT_FDCWD, "n", AT_FDCWD, "empty", RENAME_EXCHANGE));
	say("file is there", S_ISREG(of("empty").st_mode));
	say("folder's content is there", S_ISREG(of("n/f").st_mode));
	say("both flags", renameat2(AT_FDCWD, "n", AT_FDCWD, "e", RENAME_EXCHANGE | RENAME_NOREPLACE));
	fd = open("n/f", O_RDWR);
	rename("n", "elsewhere");
	say("write below a moved folder", write(fd, "xy", 2));
	close(fd);
	text("content", content("elsewhere/f"));
	mkdir("other", 0755);
	say("between folders", rename("elsewhere/f", "other/g"));
	text("content", content("other/g"));
	symlink("nowhere", "link");
	say("a link", rename("link", "other/link"));
	char target[100] = { 0 };
	readlink("other/link", target, 99);
	text("target", target);
}

static void linking(void)
{
	section = "links";
	int fd = make("f", "content");
	say("hard", link("f", "g"));
	say("count", of("f").st_nlink);
	say("same inode", of("f").st_ino == of("g").st_ino);
	say("onto an existing name", link("f", "g"));
	mkdir("d", 0755);
	say("of a folder", link("d", "e"));
	pwrite(fd, "CON", 3, 0);
	text("through the other name", content("g"));
	unlink("f");
	say("count after", of("g").st_nlink);
	unlink("g");
	struct stat st;
	fstat(fd, &st);
	say("count of an open nameless file", st.st_nlink);
	say("write to it", pwrite(fd, "z", 1, 7));
	char buffer[16] = { 0 };
	say("read from it", pread(fd, buffer, 15, 0));
	text("content", buffer);
	say("truncate it", ftruncate(fd, 2));
	fstat(fd, &st);
	say("size", st.st_size);
	say("chmod it", fchmod(fd, 0600));
	close(fd);
	say("symbolic", symlink("target/with/slashes", "s"));
	say("its length", of("s").st_size);
	say("onto an existing name", symlink("x", "s"));
	char target[PATH_MAX] = { 0 };
	say("read", readlink("s", target, sizeof target));
	text("target", target);
	say("read what is none", readlink("d", target, sizeof target));
	symlink("loop", "loop");
	ok("loop", open("loop", O_RDONLY));
	char longest[4000];
	memset(longest, 'x', sizeof longest);
	longest[3999] = 0;
	say("long target", symlink(longest, "long"));
	say("its length", of("long").st_size);
	symlink("d", "dl");
	touch("d/in");
	say("through a link to a folder", access("dl/in", F_OK));
	say("hard link of a link", linkat(AT_FDCWD, "s", AT_FDCWD, "s2", 0));
	say("is one", S_ISLNK(of("s2").st_mode));
	say("chmod through a dangling link", chmod("s", 0600));
}

static void sizes(void)
{
	char buffer[64] = { 0 };
	section = "sizes";
	int fd = make("f", "0123456789");
	say("shrink", ftruncate(fd, 4));
	say("grow", ftruncate(fd, 8));
	say("read", pread(fd, buffer, 64, 0));
	say("zeroes", memcmp(buffer, "0123\0\0\0\0", 8));
	say("by name", truncate("f", 2));
	say("size", of("f").st_size);
	say("of a folder", truncate(".", 0));
	say("negative", truncate("f", -1));
	say("far out", pwrite(fd, "end", 3, 10 * 1024 * 1024));
	say("size", of("f").st_size);
	say("hole reads", pread(fd, buffer, 8, 5 * 1024 * 1024));
	say("as zero", buffer[0]);
	say("beyond the end", pread(fd, buffer, 8, 100 * 1024 * 1024));
	say("across the end", pread(fd, buffer, 8, 10 * 1024 * 1024));
	say("seek to the end", lseek(fd, 0, SEEK_END));
	say("beyond 4 GiB", pwrite(fd, "x", 1, 5LL << 30));
	say("size in MiB", of("f").st_size >> 20);
	ftruncate(fd, 0);
	struct iovec parts[] = { { "ab", 2 }, { "cd", 2 }, { "ef", 2 } };
	say("writev", pwritev(fd, parts, 3, 0));
	text("content", content("f"));
	int out = make("copy", "");
	off_t from = 0;
	say("sendfile", sendfile(out, fd, &from, 6));
	text("content", content("copy"));
	loff_t in_at = 0, out_at = 6;
	say("copy_file_range", copy_file_range(fd, &in_at, out, &out_at, 6, 0));
	text("content", content("copy"));
	int read_only = open("f", O_RDONLY);
	say("write to a reader", write(read_only, "x", 1));
	say("truncate a reader", ftruncate(read_only, 0));
	int write_only = open("f", O_WRONLY);
	say("read from a writer", read(write_only, buffer, 1));
	say("write of nothing", write(write_only, "", 0));
	say("fsync", fsync(fd));
	say("fdatasync", fdatasync(fd));
	int folder = open(".", O_RDONLY);
	say("fsync of a folder", fsync(folder));
	say("posix_fallocate", posix_fallocate(fd, 0, 100));
	say("size", of("f").st_size);
	struct statvfs fs;
	say("statvfs", statvfs(".", &fs));
	say("longest name", fs.f_namemax);
	char *big = malloc(3 << 20);
	for (int i = 0; i < 3 << 20; i++)
		big[i] = i * 7;
	int file = make("big", "");
	say("3 MiB in one write", write(file, big, 3 << 20));
	char *back = malloc(3 << 20);
	say("in one read", pread(file, back, 3 << 20, 0));
	say("the same", memcmp(big, back, 3 << 20));
	int direct = open("big", O_RDONLY);
	posix_fadvise(direct, 0, 0, POSIX_FADV_DONTNEED);
	memset(back, 0, 3 << 20);
	say("read again", pread(direct, back, 3 << 20, 0));
	say("the same", memcmp(big, back, 3 << 20));
}

static void attributes(void)
{
	section = "attributes";
	touch("f");
	say("chmod", chmod("f", 0604));
	say("mode", of("f").st_mode);
	say("all bits", chmod("f", 07777));
	say("mode", of("f").st_mode);
	struct timespec times[2] = { { 1000000000, 123456000 }, { 1700000000, 654321000 } };
	say("utimensat", utimensat(AT_FDCWD, "f", times, 0));
	say("accessed", of("f").st_atim.tv_sec);
	say("to a microsecond", labs(of("f").st_atim.tv_nsec - 123456000) < 500);
	say("modified", of("f").st_mtim.tv_sec);
	say("to a microsecond", labs(of("f").st_mtim.tv_nsec - 654321000) < 500);
	struct timespec fine[2] = { { 1, 0 }, { 1700000000, 123456789 } };
	utimensat(AT_FDCWD, "f", fine, 0);
	say("single nanoseconds", of("f").st_mtim.tv_nsec);
	struct timespec old[2] = { { -100000, 0 }, { -100000, 0 } };
	say("before 1970", utimensat(AT_FDCWD, "f", old, 0));
	say("modified", -of("f").st_mtim.tv_sec);
	struct timespec part[2] = { { 0, UTIME_OMIT }, { 1234567, 0 } };
	say("only one", utimensat(AT_FDCWD, "f", part, 0));
	say("accessed", -of("f").st_atim.tv_sec);
	say("modified", of("f").st_mtim.tv_sec);
	say("now", utimensat(AT_FDCWD, "f", NULL, 0));
	say("modified just now", labs(of("f").st_mtim.tv_sec - time(NULL)) < 5);
	symlink("f", "l");
	say("of a link itself", utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW));
	say("modified", of("l").st_mtim.tv_sec);
	struct timespec before = of("f").st_mtim;
	struct timespec pause = { 0, 20000000 };
	nanosleep(&pause, NULL);
	int fd = open("f", O_WRONLY);
	write(fd, "x", 1);
	struct timespec after = of("f").st_mtim;
	say("modified by a write", after.tv_sec > before.tv_sec || after.tv_nsec > before.tv_nsec);
	close(fd);
	chmod("f", 04755);
	say("chown", chown("f", 1234, 5678));
	say("user", of("f").st_uid);
	say("group", of("f").st_gid);
	say("group alone", chown("f", -1, 99));
	say("user", of("f").st_uid);
	say("group", of("f").st_gid);
	say("of a link", lchown("l", 7, 8));
	say("user", of("l").st_uid);
	chown("f", 0, 0);
	chmod("f", 0640);
	say("may execute", access("f", X_OK));
	say("may read", access("f", R_OK | W_OK));
	say("exists", access("f", F_OK));
	say("missing", access("none", F_OK));
	int exec = make("script", "#!/bin/sh\nexit 7\n");
	close(exec);
	say("run without the right", system("./script 2>/dev/null") >> 8);
	chmod("script", 0755);
	say("run", system("./script") >> 8);
}

static void rights(void)
{
	section = "rights";
	chmod(".", 0755);
	close(make("secret", "s"));
	chmod("secret", 0600);
	chown("secret", 1000, 1000);
	close(make("public", "p"));
	chmod("public", 0644);
	chown("public", 1000, 1000);
	mkdir("dir", 0755);
	chown("dir", 1000, 1000);
	mkdir("sticky", 0777);
	chmod("sticky", 01777);
	chown("sticky", 1, 1);
	AS(1000, {
		ok("owner reads", open("secret", O_RDWR));
		say("owner chmods", chmod("public", 0640));
		say("owner gives away", chown("public", 1001, -1));
		say("owner makes in own folder", mkdir("dir/x", 0700));
		touch("sticky/mine");
		chmod("public", 0444);
		ok("write what is read-only", open("public", O_WRONLY));
		chmod("public", 0);
		ok("read what is forbidden", open("public", O_RDONLY));
		chmod("public", 0644);
		ok("run what cannot be", access("public", X_OK));
	});
	chown("sticky/mine", 1000, 1000);
	AS(1001, {
		ok("other reads a secret", open("secret", O_RDONLY));
		ok("other reads", open("public", O_RDONLY));
		ok("other writes", open("public", O_WRONLY));
		say("other chmods", chmod("public", 0666));
		say("other chowns", chown("public", 1001, 1001));
		say("other truncates", truncate("public", 0));
		say("other sets times", utimensat(AT_FDCWD, "public", NULL, 0));
		say("other makes in a folder", mkdir("dir/y", 0700));
		say("other removes from a folder", rmdir("dir/x"));
		say("other removes from a sticky one", unlink("sticky/mine"));
		say("other renames in a sticky one", rename("sticky/mine", "sticky/yours"));
		say("other may read", access("public", R_OK));
		say("other may write", access("public", W_OK));
	});
	say("root reads all", access("secret", R_OK | W_OK));
}

static void mapping(void)
{
	section = "mmap";
	int fd = make("f", "");
	ftruncate(fd, 3 * 4096);
	char *shared = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ok("shared", shared == MAP_FAILED ? -1 : 0);
	strcpy(shared + 4096, "written through memory");
	char buffer[64] = { 0 };
	pread(fd, buffer, 22, 4096);
	text("read", buffer);
	pwrite(fd, "by a call", 9, 8192);
	text("seen in memory", shared + 8192);
	say("msync", msync(shared, 3 * 4096, MS_SYNC));
	munmap(shared, 3 * 4096);
	close(fd);
	fd = open("f", O_RDONLY);
	memset(buffer, 0, sizeof buffer);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	pread(fd, buffer, 22, 4096);
	text("after closing", buffer);
	char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	private[0] = 'W';
	pread(fd, buffer, 1, 4096);
	say("private stays private", buffer[0]);
	ok("shared to write on a reader", mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	int both[2];
	pipe(both);
	fflush(stdout);
	int other = open("f", O_RDWR);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	if (fork() == 0) {
		int mine = open("f", O_RDWR);
		char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);
		strcpy(memory, "from a child");
		_exit(0);
	}
	wait(NULL);
	text("another process's memory", shared);
}

static void locking(void)
{
	section = "locks";
	int fd = make("f", "0123456789");
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 4 };
	say("fcntl", fcntl(fd, F_SETLK, &lock));
	fflush(stdout);
	if (fork() == 0) {
		int mine = open("f", O_RDWR);
		struct flock want = lock;
		say("another process the same", fcntl(mine, F_SETLK, &want));
		want.l_start = 6;
		say("another part", fcntl(mine, F_SETLK, &want));
		want.l_start = 0;
		want.l_len = 0;
		say("who has it", fcntl(mine, F_GETLK, &want));
		say("is the parent", want.l_pid == getppid());
		say("from", want.l_start);
		_exit(0);
	}
	wait(NULL);
	close(open("f", O_RDONLY));
	fflush(stdout);
	if (fork() == 0) {
		int mine = open("f", O_RDWR);
		say("closing any descriptor lets it go", fcntl(mine, F_SETLK, &lock));
		_exit(0);
	}
	wait(NULL);
	struct flock open_lock = lock;
	say("of the open file", fcntl(fd, F_OFD_SETLK, &open_lock));
	int second = open("f", O_RDWR);
	say("of another open file", fcntl(second, F_OFD_SETLK, &open_lock));
	say("flock", flock(fd, LOCK_EX));
	say("flock of another open file", flock(second, LOCK_EX | LOCK_NB));
	say("shared", flock(second, LOCK_SH | LOCK_NB));
	flock(fd, LOCK_SH);
	say("shared with a sharer", flock(second, LOCK_SH | LOCK_NB));
	close(fd);
	say("after the first has closed", flock(second, LOCK_EX | LOCK_NB));
}

static void special(void)
{
	section = "special";
	say("fifo", mkfifo("p", 0640));
	say("mode", of("p").st_mode);
	fflush(stdout);
	if (fork() == 0) {
		int writer = open("p", O_WRONLY);
		write(writer, "through", 7);
		_exit(0);
	}
	text("read", content("p"));
	wait(NULL);
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "s" };
	say("bind", bind(server, (struct sockaddr *)&address, sizeof address));
	say("mode", of("s").st_mode & S_IFMT);
	listen(server, 1);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	say("connect", connect(client, (struct sockaddr *)&address, sizeof address));
	ok("open a socket", open("s", O_RDONLY));
	DIR *dir = opendir(".");
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] == 's')
			say("listed as", entry->d_type);
	closedir(dir);
	say("plain by mknod", mknod("r", S_IFREG | 0600, 0));
	say("plain", S_ISREG(of("r").st_mode));
	say("device", mknod("dev", S_IFCHR | 0600, 0x103));
	ok("nameless", open(".", O_TMPFILE | O_RDWR, 0600));
	say("extended attribute", fsetxattr(open("r", O_RDWR), "user.x", "y", 1, 0));
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	struct { const char *name; void (*run)(void); } parts[] = { { "open", opening },
		{ "names", naming }, { "folders", folders }, { "rename", renaming },
		{ "links", linking }, { "sizes", sizes }, { "attributes", attributes },
		{ "rights", rights }, { "mmap", mapping }, { "locks", locking }, { "special", special } };
	chmod(".", 0755);
	for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
		char folder[64];
		sprintf(folder, "part-%s", parts[i].name);
		if (mkdir(folder, 0755) || chdir(folder))
			return 3;
		parts[i].run();
		if (chdir(".."))
			return 3;
	}
	return 0;
}
