/** Encodes struct sched_attr in its first version (include/uapi/linux/sched/types.h, sched_setattr(2)). */

export const schedulerBytes = 48;

export interface SchedulerAttributes {
  policy: number;
  flags: bigint;
  nice: number;
  priority: number;
  /** In nanoseconds, as the next two; for SCHED_OTHER it is the time slice (Linux 6.12). */
  runtime: bigint;
  deadline: bigint;
  period: bigint;
}

/** SCHED_OTHER with default values. */
export const ordinary: SchedulerAttributes = {
  policy: 0,
  flags: 0n,
  nice: 0,
  priority: 0,
  runtime: 0n,
  deadline: 0n,
  period: 0n,
};

export function encodeScheduler(attributes: SchedulerAttributes): Buffer {
  const bytes = Buffer.alloc(schedulerBytes);
  bytes.writeUInt32LE(schedulerBytes, 0);
  bytes.writeUInt32LE(attributes.policy, 4);
  bytes.writeBigUInt64LE(attributes.flags, 8);
  bytes.writeInt32LE(attributes.nice, 16);
  bytes.writeUInt32LE(attributes.priority, 20);
  bytes.writeBigUInt64LE(attributes.runtime, 24);
  bytes.writeBigUInt64LE(attributes.deadline, 32);
  bytes.writeBigUInt64LE(attributes.period, 40);
  return bytes;
}

export function decodeScheduler(bytes: Buffer): SchedulerAttributes {
  return {
    policy: bytes.readUInt32LE(4),
    flags: bytes.readBigUInt64LE(8),
    nice: bytes.readInt32LE(16),
    priority: bytes.readUInt32LE(20),
    runtime: bytes.readBigUInt64LE(24),
    deadline: bytes.readBigUInt64LE(32),
    period: bytes.readBigUInt64LE(40),
  };
}
