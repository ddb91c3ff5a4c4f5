/** Translates an error of this computer's file calls into Linux's number for it (errno(3)). */
const linuxErrno: Record<string, number> = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOVERFLOW: 75,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  ENOTSUP: 95,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EDQUOT: 122,
};

const EIO = 5;

export class LinuxError extends Error {
  readonly code: string;

  constructor(code: keyof typeof linuxErrno) {
    super(code);
    this.code = code;
  }
}

/** An error without a Linux counterpart becomes EIO. */
export function linuxErrnoOf(error: unknown): number {
  const { code } = error as NodeJS.ErrnoException;
  return linuxErrno[code ?? ''] ?? EIO;
}
