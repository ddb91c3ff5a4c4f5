/**
 * The guest image that is packaged with the app is copied into the machine's directory and its digests
 * are checked, so that after an update of the app the image before still exists.
 */
import { createHash } from 'node:crypto';
import {
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { StageFailure } from '../machine/machine.ts';

export interface GuestImage {
  digest: string;
  kernel: string;
  initrd: string;
  root: string;
  kernelArguments: string[];
}

interface ManifestFile {
  bytes: number;
  sha256: string;
}

/** The files of scripts/vm-image that a start needs. */
interface Manifest {
  files: Record<string, ManifestFile>;
  kernelArguments?: string[];
}

const buildAdvice = 'Install the app again; from a checkout, run scripts/vm-image.';

/** An image's digest is that of its manifest, which contains the digests of its files. */
export function imageDigestOf(directory: string): string {
  const path = join(directory, 'manifest.json');
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (error) {
    throw new StageFailure(
      `The machine's system image is missing: ${(error as Error).message}`,
      buildAdvice,
      { cause: error },
    );
  }
}

/** Copies and checks an image that is not there yet. Rejects with StageFailure, and leaves no partial copy. */
export async function installImage(source: string, images: string): Promise<GuestImage> {
  const digest = imageDigestOf(source);
  const target = join(images, digest);
  if (existsSync(target) && isWhole(target)) return installedImage(images, digest);
  const draft = `${target}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true, mode: 0o700 });
  try {
    const { files } = manifestIn(source);
    for (const name of bootFiles(Object.keys(files)))
      await copyChecked(join(source, name), join(draft, name), files[name]!);
    await copyFile(join(source, 'manifest.json'), join(draft, 'manifest.json'));
    await rm(target, { recursive: true, force: true });
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (error instanceof StageFailure) throw error;
    throw new StageFailure(
      `The machine's system image cannot be copied to ${images}: ${(error as Error).message}`,
      'Free some space on that disk, and check that the directory belongs to you.',
      { cause: error },
    );
  }
  return installedImage(images, digest);
}

export function hasImage(images: string, digest: string): boolean {
  return existsSync(join(images, digest)) && isWhole(join(images, digest));
}

export function installedImage(images: string, digest: string): GuestImage {
  const directory = join(images, digest);
  const { files, kernelArguments } = manifestIn(directory);
  const names = Object.keys(files);
  const at = (...candidates: string[]) => {
    const name = candidates.find((each) => names.includes(each));
    if (name === undefined)
      throw new StageFailure(
        `The machine's system image has no ${candidates.join(' or ')}.`,
        buildAdvice,
      );
    return join(directory, name);
  };
  return {
    digest,
    kernel: at('vmlinux', 'Image'),
    initrd: at('initrd'),
    root: at('root.erofs'),
    kernelArguments: kernelArguments ?? [],
  };
}

/** Removes the images that the record no longer names. */
export async function removeOtherImages(
  images: string,
  kept: readonly (string | undefined)[],
): Promise<void> {
  for (const name of readdirSync(images))
    if (!kept.includes(name)) await rm(join(images, name), { recursive: true, force: true });
}

/** WSL's root tar and the SBOM are in the same directory, but a boot does not need them. */
function bootFiles(names: string[]): string[] {
  return names.filter((name) => ['vmlinux', 'Image', 'initrd', 'root.erofs'].includes(name));
}

function manifestIn(directory: string): Manifest {
  const path = join(directory, 'manifest.json');
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    if (typeof manifest.files !== 'object') throw new Error('it names no files');
    return manifest;
  } catch (error) {
    throw new StageFailure(
      `The list ${path} of the machine's system image cannot be read: ${(error as Error).message}`,
      buildAdvice,
      { cause: error },
    );
  }
}

/** Compares sizes only, since the digests were checked at the copy, and reading all again would slow each start. */
function isWhole(directory: string): boolean {
  try {
    const { files } = manifestIn(directory);
    return bootFiles(Object.keys(files)).every(
      (name) => statSync(join(directory, name)).size === files[name]?.bytes,
    );
  } catch {
    return false;
  }
}

/** The digest is computed from the copy, since the copy will run. A release packages the file compressed. */
async function copyChecked(from: string, to: string, expected: ManifestFile): Promise<void> {
  const packed = `${from}.zst`;
  if (existsSync(packed) && !existsSync(from)) await unpack(packed, to);
  else await copyFile(from, to, constants.COPYFILE_FICLONE);
  const hash = createHash('sha256');
  await pipeline(createReadStream(to), hash);
  const found = hash.digest('hex');
  if (found !== expected.sha256)
    throw damaged(
      `${from} is not what its list says: its digest is sha256:${found.slice(0, 16)}…, and sha256:${expected.sha256.slice(0, 16)}… was expected.`,
    );
}

async function unpack(packed: string, to: string): Promise<void> {
  try {
    await pipeline(
      createReadStream(packed),
      createZstdDecompress(),
      createWriteStream(to, { mode: 0o600 }),
    );
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw /ZSTD|Z_BUF/.test(code) ? damaged(`${packed} cannot be unpacked: ${message}.`) : error;
  }
}

function damaged(what: string): StageFailure {
  return new StageFailure(what, `It is damaged or was changed. ${buildAdvice}`);
}
