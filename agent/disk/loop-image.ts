/**
 * Creates file systems by copying: mkfs makes one per form, its few blocks that are not zero are kept in memory, and
 * every further one is these blocks in a new sparse file.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CortenError } from '../errors.ts';
import { dataRanges } from '../kernel/copy-file.ts';
import { ext4BlockBytes } from '../kernel/ext4.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { SpaceDirectory } from './disk.ts';
import { bytesPerInode, type ImagePlan, inodeBytes } from './loop-plan.ts';

const run = promisify(execFile);

/** A form: file systems of one size with the same directories. */
export interface ImageForm {
  key: string;
  /** Creates an image at a path. Synchronous and quick; leaves nothing when it throws. */
  write(path: string): void;
}

interface Template {
  bytes: number;
  pieces: { offset: number; data: Buffer }[];
}

/** A template takes some 200 KiB, and few sizes are used. */
const mostTemplates = 16;

interface ImageFacts {
  /** Whether images can grow later, to at most `stateBytes`. */
  growsOnline: boolean;
  stateBytes: number;
  /** Copies of the superblock in an image that does not grow. Default: none, because the content is expendable. */
  superblockCopies?: 2;
  /** Whether directories get project quotas, if the kernel supports them. */
  projects?: boolean;
}

export class LoopImages {
  readonly #directory: string;
  readonly #facts: ImageFacts;
  readonly #templates = new Map<string, Promise<Template>>();
  #last = 0;

  /** `directory` must be empty and used by nothing else; mkfs works in it. */
  constructor(directory: string, facts: ImageFacts) {
    this.#directory = directory;
    this.#facts = facts;
  }

  /** Prepares a form, whose first call runs mkfs. */
  async prepare(plan: ImagePlan, directories: readonly SpaceDirectory[]): Promise<ImageForm> {
    const key = JSON.stringify([plan, directories]);
    const known = this.#templates.get(key) ?? this.#make(plan, directories);
    // The most recently used form is last in the map.
    this.#templates.delete(key);
    this.#templates.set(key, known);
    const [oldest] = this.#templates.keys();
    if (this.#templates.size > mostTemplates && oldest !== undefined)
      this.#templates.delete(oldest);
    try {
      const template = await known;
      return { key, write: (path) => writeImage(template, path) };
    } catch (error) {
      this.#templates.delete(key);
      throw error;
    }
  }

  async #make(plan: ImagePlan, directories: readonly SpaceDirectory[]): Promise<Template> {
    const place = join(this.#directory, String(++this.#last));
    const image = join(place, 'image');
    const content = join(place, 'content');
    mkdirSync(content, { recursive: true, mode: 0o700 });
    try {
      for (const { name, mode } of directories) {
        mkdirSync(join(content, name));
        chmodSync(join(content, name), mode);
      }
      await makeImage(image, plan, this.#facts, ['-d', content]);
      return readTemplate(image, plan.bytes);
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  }
}

/** Creates a file system in a sparse file, which is new or empty, with mkfs.ext4(8). */
export async function makeImage(
  path: string,
  plan: ImagePlan,
  facts: ImageFacts,
  more: readonly string[] = [],
): Promise<void> {
  closeSync(openSync(path, 'a', 0o600));
  truncateSync(path, plan.bytes);
  await makeFilesystem([...formOptions(plan, facts), ...more, path]);
}

/**
 * Options of mkfs are complete, so that the machine's mke2fs.conf has no effect. Nothing is zeroed, since a hole
 * reads as zeros; there is no orphan file, whose blocks every mount would read; metadata is together at the front, so
 * that the file has few extents.
 */
function formOptions({ journalBytes, inodes }: ImagePlan, facts: ImageFacts): string[] {
  const growth = facts.growsOnline ? 'resize_inode' : 'sparse_super2';
  const extended = [
    'assume_storage_prezeroed=1,lazy_itable_init=0,nodiscard,root_owner=0:0,packed_meta_blocks=1',
    facts.growsOnline
      ? `resize=${Math.floor(facts.stateBytes / ext4BlockBytes)}`
      : `num_backup_sb=${facts.superblockCopies ?? 0}`,
    ...(facts.projects ? ['quotatype=prjquota'] : []),
  ];
  const all = [features, growth, ...(facts.projects ? ['quota', 'project'] : [])];
  return [
    ...['-q', '-F', '-t', 'ext4', '-b', String(ext4BlockBytes), '-m', '0'],
    ...['-I', String(inodeBytes), '-i', String(bytesPerInode)],
    ...['-O', `none,${all}`, '-E', extended.join()],
    ...['-J', `size=${journalBytes / 1024 / 1024}`],
    ...(inodes === undefined ? [] : ['-N', String(inodes)]),
  ];
}

const features =
  'has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,metadata_csum,sparse_super,large_file,huge_file,dir_nlink,extra_isize';

/** PATH with the sbin directories, which contain mkfs on Debian. */
export const searchPath = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

async function makeFilesystem(parameters: string[]): Promise<void> {
  try {
    await run('mkfs.ext4', parameters, { env: { PATH: searchPath, LC_ALL: 'C' } });
  } catch (error) {
    if (hasErrno(error, 'ENOENT'))
      throw new CortenError(
        'unavailable',
        'disk limits need mkfs.ext4 on this machine, whose file system has no project quota: install the package e2fsprogs',
        { cause: error },
      );
    throw error;
  }
}

function readTemplate(path: string, bytes: number): Template {
  const fd = openSync(path, 'r');
  try {
    const pieces = [...dataRanges(fd, bytes)].flatMap(({ start, end }) => {
      const data = Buffer.alloc(end - start);
      readSync(fd, data, 0, data.length, start);
      return filledParts(data).map(([from, to]) => ({
        offset: start + from,
        data: Buffer.from(data.subarray(from, to)),
      }));
    });
    return { bytes, pieces };
  } finally {
    closeSync(fd);
  }
}

/** Ranges of blocks that are not all zeros. */
function filledParts(data: Buffer): [from: number, to: number][] {
  const parts: [number, number][] = [];
  const zeros = Buffer.alloc(ext4BlockBytes);
  for (let from = 0; from < data.length; from += ext4BlockBytes) {
    const to = Math.min(from + ext4BlockBytes, data.length);
    if (data.subarray(from, to).equals(zeros.subarray(0, to - from))) continue;
    const last = parts.at(-1);
    if (last?.[1] === from) last[1] = to;
    else parts.push([from, to]);
  }
  return parts;
}

function writeImage({ bytes, pieces }: Template, path: string): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    ftruncateSync(fd, bytes);
    for (const { offset, data } of pieces)
      for (let done = 0; done < data.length; )
        done += writeSync(fd, data, done, data.length - done, offset + done);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}
