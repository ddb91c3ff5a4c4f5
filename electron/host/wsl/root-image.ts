/** The machine's system image as it is packaged with the app: a compressed tar with a known digest. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { StageFailure } from '../machine/machine.ts';

export interface RootImage {
  /** The path of a `.tar.zst`, `.tar.gz` or `.tar` file. */
  path: string;
  /** The file's SHA-256 from the image's manifest. */
  sha256: string;
}

/**
 * The image in a directory, which scripts/vm-image or the app's package made. Throws StageFailure when
 * it is missing.
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

/** The digest is checked before the use, so that a damaged image is never unpacked in part. */
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

/** A stream of the uncompressed tar, which every version of WSL accepts. `tell` gets each new percentage. */
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
  // The reader of the stream gets the same error.
  return pipeline(file, unpacker, () => {}) as unknown as Readable;
}
