/**
 * Cache keys. A key names an operation together with what it reads: the identity of each input, or the checksum of the
 * files that the operation reads of it. What differs from build to build without meaning anything (ids of sessions,
 * proxies, times) is no part of a key.
 */
import { createHash } from 'node:crypto';
import { clone, toBinary } from '@bufbuild/protobuf';
import {
  type ExecOp,
  type FileActionCopy,
  type FileOp,
  MountType,
  type Op,
  OpSchema,
} from '../llb/ops.ts';

/** What an operation reads of one input, where that is less than all of it. */
export interface ContentSelector {
  path: string;
  followLinks: boolean;
  wildcard: boolean;
  includePatterns: string[];
  excludePatterns: string[];
  requiredPaths: string[];
}

/** For each input: what is read of it, or undefined when the operation depends on all of it. */
export function contentSelectors({ op, inputs }: Op): (ContentSelector[] | undefined)[] {
  if (op.case === 'file') return inputs.map((_, index) => fileSelectors(op.value, index));
  if (op.case === 'exec') return inputs.map((_, index) => execSelectors(op.value, index));
  return inputs.map(() => undefined);
}

/** `inputs`: for each input its identity, or the checksum of what is read of it. */
export function cacheKey(op: Op, inputs: readonly string[]): string {
  const hash = createHash('sha256');
  hash.update(toBinary(OpSchema, withoutTransients(op)));
  for (const input of inputs) hash.update('\0').update(input);
  return hash.digest('hex');
}

function withoutTransients(op: Op): Op {
  const copy = clone(OpSchema, op);
  // The digests of inputs change with their names; their identity is hashed beside this.
  for (const input of copy.inputs) input.digest = '';
  delete copy.constraints;
  if (copy.op.case === 'exec') forgetTransients(copy.op.value);
  return copy;
}

function forgetTransients(exec: ExecOp): void {
  if (exec.meta !== undefined) {
    delete exec.meta.proxyEnv;
    // The address of a name changes from machine to machine (BuildKit's ExecOp.CacheMap).
    for (const host of exec.meta.extraHosts) host.IP = '';
  }
  for (const mount of exec.mounts) if (mount.mountType === MountType.CACHE) delete mount.cacheOpt;
}

/**
 * A mount that no later step sees is known by what lies at its selector. A mount with an output is not: the output has
 * the rest of the input too.
 */
function execSelectors({ mounts }: ExecOp, input: number): ContentSelector[] | undefined {
  const own = mounts.filter((mount) => Number(mount.input) === input);
  if (own.length === 0 || own.some(({ mountType }) => mountType !== MountType.BIND))
    return undefined;
  if (own.some((mount) => mount.dest === '/' || Number(mount.output) !== -1)) return undefined;
  return own.map(({ selector }) => whole(selector === '' ? '/' : selector));
}

function fileSelectors({ actions }: FileOp, input: number): ContentSelector[] | undefined {
  const selectors: ContentSelector[] = [];
  for (const { input: base, secondaryInput, action } of actions) {
    if (Number(base) === input) return undefined;
    if (Number(secondaryInput) !== input) continue;
    if (action.case !== 'copy') return undefined;
    selectors.push(copySelector(action.value));
  }
  // An input that only gives the names of users is read as a whole.
  return selectors.length === 0 ? undefined : selectors;
}

const copySelector = (copy: FileActionCopy): ContentSelector => ({
  path: copy.src,
  followLinks: copy.followSymlink,
  wildcard: copy.allowWildcard,
  includePatterns: copy.includePatterns,
  excludePatterns: copy.excludePatterns,
  requiredPaths: copy.requiredPaths,
});

export const whole = (path = '/'): ContentSelector => ({
  path,
  followLinks: true,
  wildcard: false,
  includePatterns: [],
  excludePatterns: [],
  requiredPaths: [],
});
