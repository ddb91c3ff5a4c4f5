/** The machine's system as the app brings it: a packed tar, whose digest is known. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { StageFailure } from '../machine/machine.ts';

export interface RootImage {
  /** `wsl.tar.zst`, `.tar.gz` or `.tar`. */
  path: string;
  /** Of that file, as the image's manifest has it. */
  sha256: string;
}

/**
 * What scripts/vm-image built for this kind of processor, or the app's package holds. Throws
 * StageFailure when it is missing.
 */
export function shippedRoot(directory: string): () => RootImage {
  return () => {
    const name = 'wsl.tar.zst';
    try {
      const text = readFileSync(join(directory, 'manifest.json'), 'utf8');
      const sha256 = (JSON.parse(text) as Manifest).files[name]?.sha256;
      if (sha256 === undefined) throw new Error(`manifest.json names no ${name}`);
      return { path: join(directory, name), sha256 };
    } catch (error) {
      throw new StageFailure(
        `The machine's system is missing in ${directory}: ${(error as Error).message}`,
        'Install the app again; from a checkout, run scripts/vm-image.',
        { cause: error },
      );
    }
  };
}

interface Manifest {
  files: Record<string, { sha256: string } | undefined>;
}

/** Read once before it is used: half of a broken system must not be unpacked. */
export async function verifyRoot({ path, sha256 }: RootImage, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(path, { signal })) hash.update(piece);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new StageFailure(
      `The machine's system cannot be read: ${(error as Error).message}`,
      'Install the app again.',
      { cause: error },
    );
  }
  const found = hash.digest('hex');
  if (found !== sha256)
    throw new StageFailure(
      `The machine's system ${path} is damaged: its SHA-256 is ${found}, not ${sha256}.`,
      'Install the app again, from a download whose digest you have checked.',
    );
}

/** The plain tar, which every version of WSL unpacks. `tell`: the percentage that was read, each time it is another. */
export function openRoot({ path }: RootImage, tell: (percent: number) => void): Readable {
  const file = Readable.from(told(path, tell), { objectMode: false });
  if (path.endsWith('.zst')) return unpacked(file, createZstdDecompress());
  if (path.endsWith('.gz')) return unpacked(file, createGunzip());
  return file;
}

async function* told(path: string, tell: (percent: number) => void): AsyncGenerator<Buffer> {
  const { size } = statSync(path);
  let [readBytes, last] = [0, 0];
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
    readBytes += piece.length;
    const percent = Math.floor((100 * readBytes) / size);
    if (percent !== last) tell(percent);
    last = percent;
    yield piece;
  }
}

function unpacked(file: Readable, unpacker: NodeJS.ReadWriteStream & Readable): Readable {
  // Whoever reads gets the error; there is nothing else to do with it here.
  return pipeline(file, unpacker, () => {}) as unknown as Readable;
}
