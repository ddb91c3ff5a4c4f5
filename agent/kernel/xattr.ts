/** Extended attributes (xattr(7)) by descriptor, O_PATH descriptors included. */
import { hasErrno, libcCall } from './libc.ts';

// The f*xattr calls refuse O_PATH descriptors with EBADF. The path through /proc/self/fd means the very file of the
// descriptor, whatever its name is now (open(2), O_PATH). On a thread with namespaces of its own `/proc/self` is
// still this process, whose threads share descriptors.
const setxattrCall = libcCall('setxattr', ['str', 'str', 'void *', 'size_t', 'int']);
const getxattrCall = libcCall('getxattr', ['str', 'str', 'void *', 'size_t'], 'long');
const listxattrCall = libcCall('listxattr', ['str', 'void *', 'size_t'], 'long');

/** The kernel's limit of a value and of a list of names (XATTR_SIZE_MAX, XATTR_LIST_MAX). */
const maxBytes = 65536;

/** For the kernel's answers: a buffer made for each file takes longer than the call. */
const answer = Buffer.alloc(maxBytes);

const pathOf = (fd: number) => `/proc/self/fd/${fd}`;

/** Sets an attribute of the file of `fd`. Not for symbolic links, which would be followed. */
export function setXattr(fd: number, name: string, value: Uint8Array): void {
  setxattrCall(name, pathOf(fd), name, value, value.length, 0);
}

/** Value of an attribute; `undefined` when it is absent or the file system has none. */
export function getXattr(fd: number, name: string): Buffer | undefined {
  try {
    const length = getxattrCall(name, pathOf(fd), name, answer, answer.length);
    return Buffer.from(answer.subarray(0, length));
  } catch (error) {
    if (hasErrno(error, 'ENODATA', 'ENOTSUP', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

/** Names of all attributes; none when the file system has no attributes. */
export function listXattrs(fd: number): string[] {
  try {
    const length = listxattrCall(undefined, pathOf(fd), answer, answer.length);
    return answer
      .toString('utf8', 0, length)
      .split('\0')
      .filter((name) => name !== '');
  } catch (error) {
    if (hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) return [];
    throw error;
  }
}
