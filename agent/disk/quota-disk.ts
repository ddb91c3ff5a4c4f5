/**
 * Spaces are projects of the state file system, which counts and limits them itself: XFS with `prjquota`, or ext4
 * with its `project` and `quota` features and `prjquota`. Nothing is mounted, and every limit can be changed or
 * removed at any time.
 *
 * The project number is an attribute of the directory; the highest one in use is found at the start.
 */
import { constants, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskLimits, SpaceUsage } from '../contract/limits.ts';
import { CortenError } from '../errors.ts';
import { O_DIRECTORY, O_NOFOLLOW, withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import {
  ext4Quota,
  getProjectUsage,
  joinProject,
  type ProjectLimits,
  type ProjectUsage,
  projectOf,
  setProjectLimits,
  xfsQuota,
} from '../kernel/project-quota.ts';
import type { DiskDriver, MakeSpace, OpenSpace, SpaceDirectory } from './disk.ts';

/** Calls of project quota on one file system. Tests use a fake, since few kernels support it. */
export interface Projects {
  projectOf(fd: number): number;
  join(fd: number, project: number): void;
  limit(fd: number, project: number, limits: ProjectLimits): void;
  usage(fd: number, project: number): ProjectUsage | undefined;
}

export function projectsOf(kind: 'xfs-quota' | 'ext4-quota'): Projects {
  const dialect = kind === 'xfs-quota' ? xfsQuota : ext4Quota;
  return {
    projectOf,
    join: joinProject,
    limit: (fd, project, limits) => setProjectLimits(dialect, fd, project, limits),
    usage: (fd, project) => getProjectUsage(dialect, fd, project),
  };
}

export interface QuotaOptions {
  kind: 'xfs-quota' | 'ext4-quota';
  projects: Projects;
  /** Directories whose children may contain a space named `disk`. */
  parents: string[];
  /** First project number of this agent, so that two agents on one file system use different ones. */
  firstProject: number;
}

export class QuotaDisk implements DiskDriver {
  readonly kind: 'xfs-quota' | 'ext4-quota';
  readonly freeOfCost = true;
  readonly #projects: Projects;
  #next: number;

  constructor({ kind, projects, parents, firstProject }: QuotaOptions) {
    this.kind = kind;
    this.#projects = projects;
    const used = parents
      .flatMap((parent) => spacesIn(parent))
      .map((space) => this.#projectOf(space));
    this.#next = Math.max(firstProject - 1, ...used) + 1;
  }

  async prepare(limits: DiskLimits, directories: readonly SpaceDirectory[]): Promise<MakeSpace> {
    return (space) => {
      mkdirSync(space, { mode: 0o700 });
      try {
        withDirectory(space, (fd) => this.#begin(fd, limits));
        // Directories are created after the project is set, because only later entries inherit it.
        for (const { name, mode } of directories) mkdirSync(join(space, name), { mode });
      } catch (error) {
        rmSync(space, { recursive: true, force: true });
        throw error;
      }
    };
  }

  open(space: string): OpenSpace {
    return { path: space, mountFd: undefined, close() {} };
  }

  attach(): void {}

  detach(): void {}

  /** Accepts every change. */
  check(): void {}

  update(space: string, _before: DiskLimits, after: DiskLimits): void {
    withDirectory(space, (fd) =>
      this.#projects.limit(fd, this.#projects.projectOf(fd), numbersOf(after)),
    );
  }

  usage(space: string): SpaceUsage {
    return withDirectory(space, (fd) => {
      const usage = this.#projects.usage(fd, this.#projects.projectOf(fd));
      return {
        usedBytes: usage?.usedBytes ?? 0,
        maxBytes: usage?.maxBytes || undefined,
        usedInodes: usage?.usedInodes ?? 0,
        maxInodes: usage?.maxInodes || undefined,
      };
    });
  }

  async remove(space: string): Promise<void> {
    try {
      // The limit is removed first: without the directory nobody knows its project any more.
      withDirectory(space, (fd) =>
        this.#projects.limit(fd, this.#projects.projectOf(fd), numbersOf({})),
      );
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    await rm(space, { recursive: true, force: true });
  }

  close(): void {}

  #begin(fd: number, limits: DiskLimits): void {
    const project = this.#free(fd);
    this.#projects.join(fd, project);
    this.#projects.limit(fd, project, numbersOf(limits));
  }

  /** Next project number without any use, because other programs of the machine may use some too. */
  #free(fd: number): number {
    for (let tried = 0; tried < 10_000; tried++) {
      const project = this.#next++;
      const usage = this.#projects.usage(fd, project);
      if (!usage?.usedInodes && !usage?.maxBytes && !usage?.maxInodes) return project;
    }
    throw new CortenError(
      'unavailable',
      `no free project number from ${this.#next - 10_000} on: xfs_quota -x -c 'report -p' shows who uses them`,
    );
  }

  #projectOf(space: string): number {
    return withDirectory(space, (fd) => this.#projects.projectOf(fd));
  }
}

const numbersOf = ({ maxBytes, maxInodes }: DiskLimits): ProjectLimits => ({
  maxBytes: maxBytes ?? 0,
  maxInodes: maxInodes ?? 0,
});

function withDirectory<T>(path: string, use: (fd: number) => T): T {
  return withFd(openSync(path, constants.O_RDONLY | O_DIRECTORY | O_NOFOLLOW), use);
}

function spacesIn(parent: string): string[] {
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(parent, name))
    .filter((directory) => readdirSync(directory).includes('disk'))
    .map((directory) => join(directory, 'disk'));
}
