/**
 * Project quota: limits everything below a directory (quotactl(2), xfs_quota(8), "project"). A directory has a
 * project number, new entries inherit it, and the file system counts.
 */
import { hasErrno, libcCall, systemCall } from './libc.ts';

const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_XFLAG_PROJINHERIT = 0x200;
const PRJQUOTA = 2;
const fsxattrBytes = 28;

const ioctlMemory = libcCall('ioctl', ['int', 'ulong', 'void *']);
const quotactlFdCall = systemCall('quotactl_fd', 443, ['int', 'uint', 'uint', 'void *']);

/** Zero means not limited, in both file systems. */
export interface ProjectLimits {
  maxBytes: number;
  maxInodes: number;
}

export interface ProjectUsage extends ProjectLimits {
  usedBytes: number;
  usedInodes: number;
}

/** Commands and records of a family of file systems: XFS has its own. */
export interface QuotaDialect {
  setCommand: number;
  getCommand: number;
  encode(project: number, limits: ProjectLimits): Buffer;
  decode(record: Buffer): ProjectUsage;
  recordBytes: number;
}

/** The macro QCMD of linux/quota.h. */
const command = (code: number) => ((code << 8) | PRJQUOTA) >>> 0;
const number = (record: Buffer, offset: number) => Number(record.readBigUInt64LE(offset));

const basicBlockBytes = 512;
const blocks = (bytes: number, size: number) => BigInt(Math.floor(bytes / size));

/** Encodes struct fs_disk_quota (linux/dqblk_xfs.h), with blocks of 512 bytes. */
export const xfsQuota: QuotaDialect = {
  setCommand: command(0x5804),
  getCommand: command(0x5803),
  recordBytes: 112,
  encode(project, { maxBytes, maxInodes }) {
    const record = Buffer.alloc(112);
    record.writeInt8(1, 0); // FS_DQUOT_VERSION
    record.writeInt8(2, 1); // FS_PROJ_QUOTA
    // Soft and hard limits of inodes and blocks are equal, so that there is no grace period.
    record.writeUInt16LE(0x0f, 2);
    record.writeUInt32LE(project, 4);
    for (const offset of [8, 16])
      record.writeBigUInt64LE(blocks(maxBytes, basicBlockBytes), offset);
    for (const offset of [24, 32]) record.writeBigUInt64LE(BigInt(maxInodes), offset);
    return record;
  },
  decode: (record) => ({
    maxBytes: number(record, 8) * basicBlockBytes,
    maxInodes: number(record, 24),
    usedBytes: number(record, 40) * basicBlockBytes,
    usedInodes: number(record, 48),
  }),
};

const quotaBlockBytes = 1024;

/** Encodes struct if_dqblk (linux/quota.h), which ext4 uses, with limits in blocks of 1024 bytes. */
export const ext4Quota: QuotaDialect = {
  setCommand: command(0x800008),
  getCommand: command(0x800007),
  recordBytes: 72,
  encode(_project, { maxBytes, maxInodes }) {
    const record = Buffer.alloc(72);
    for (const offset of [0, 8]) record.writeBigUInt64LE(blocks(maxBytes, quotaBlockBytes), offset);
    for (const offset of [24, 32]) record.writeBigUInt64LE(BigInt(maxInodes), offset);
    record.writeUInt32LE(0x1 | 0x4, 64); // QIF_BLIMITS, QIF_ILIMITS
    return record;
  },
  decode: (record) => ({
    maxBytes: number(record, 0) * quotaBlockBytes,
    usedBytes: number(record, 16),
    maxInodes: number(record, 24),
    usedInodes: number(record, 40),
  }),
};

/** Sets the limits of a project. `fd` is any open file of the file system, but not O_PATH. */
export function setProjectLimits(
  dialect: QuotaDialect,
  fd: number,
  project: number,
  limits: ProjectLimits,
): void {
  quotactlFdCall(
    `limits of project ${project}`,
    fd,
    dialect.setCommand,
    project,
    dialect.encode(project, limits),
  );
}

/** Usage of a project; `undefined` when nothing was ever counted for it. */
export function getProjectUsage(
  dialect: QuotaDialect,
  fd: number,
  project: number,
): ProjectUsage | undefined {
  const record = Buffer.alloc(dialect.recordBytes);
  try {
    quotactlFdCall(`usage of project ${project}`, fd, dialect.getCommand, project, record);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  return dialect.decode(record);
}

/** Project of an open file or directory, 0 for none. */
export function projectOf(fd: number): number {
  const attributes = Buffer.alloc(fsxattrBytes);
  ioctlMemory('project of a directory', fd, FS_IOC_FSGETXATTR, attributes);
  return attributes.readUInt32LE(12);
}

/** Assigns an empty directory to a project, which new entries inherit. */
export function joinProject(fd: number, project: number): void {
  const attributes = Buffer.alloc(fsxattrBytes);
  ioctlMemory('project of a directory', fd, FS_IOC_FSGETXATTR, attributes);
  ioctlMemory('project of a directory', fd, FS_IOC_FSSETXATTR, inProject(attributes, project));
}

/** Changes project and inheritance in a struct fsxattr. */
export function inProject(attributes: Buffer, project: number): Buffer {
  const changed = Buffer.from(attributes);
  changed.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0);
  changed.writeUInt32LE(project, 12);
  return changed;
}
