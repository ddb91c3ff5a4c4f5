/**
 * What a machine is told when it starts: the host writes it at the start of a disk whose serial
 * number is `corten-seed`, and the guest reads it once. JSON in UTF-8, then NULs to the disk's end.
 */

export interface MachineSeed {
  version: 1;
  hostname: string;
  /** The SSH host key in OpenSSH's private form; the host made it and knows its public half. */
  hostKey: string;
  /** Lines as in authorized_keys. */
  authorizedKeys: string[];
  /** A name of the IANA database, such as `Europe/Berlin`. */
  timeZone?: string;
  /** Further arguments for the agent, such as `--registry-mirror`. */
  agentArguments?: string[];
}

export const seedDiskBytes = 64 * 1024;

/** Throws RangeError when it does not fit. */
export function seedDisk(seed: MachineSeed): Buffer {
  const text = Buffer.from(JSON.stringify(seed));
  if (text.length >= seedDiskBytes)
    throw new RangeError(
      `The machine's seed takes ${text.length} bytes; its disk has ${seedDiskBytes}.`,
    );
  return Buffer.concat([text, Buffer.alloc(seedDiskBytes - text.length)]);
}

/** Throws TypeError with what is wrong, for a disk that the host wrote in another form. */
export function readSeed(disk: Buffer): MachineSeed {
  const end = disk.indexOf(0);
  const text = disk.toString('utf8', 0, end === -1 ? disk.length : end);
  let seed: unknown;
  try {
    seed = JSON.parse(text);
  } catch (error) {
    throw new TypeError('The seed disk holds no JSON.', { cause: error });
  }
  check(seed);
  return seed;
}

function check(seed: unknown): asserts seed is MachineSeed {
  if (typeof seed !== 'object' || seed === null) throw new TypeError('The seed is no object.');
  const { version, hostname, hostKey, authorizedKeys, timeZone, agentArguments } = seed as Record<
    string,
    unknown
  >;
  if (version !== 1)
    throw new TypeError(
      `The seed is of version ${JSON.stringify(version)}; this image reads version 1.`,
    );
  // A name goes into a file of /proc and into prompts (hostname(7)).
  if (typeof hostname !== 'string' || !/^[a-z0-9]([a-z0-9-]{0,62})$/i.test(hostname))
    throw new TypeError('The seed has no usable hostname.');
  if (typeof hostKey !== 'string' || hostKey === '')
    throw new TypeError('The seed has no host key.');
  if (!isStrings(authorizedKeys)) throw new TypeError('The seed has no list of authorized keys.');
  if (timeZone !== undefined && typeof timeZone !== 'string')
    throw new TypeError("The seed's time zone is no text.");
  if (agentArguments !== undefined && !isStrings(agentArguments))
    throw new TypeError("The seed's arguments are no list of texts.");
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
