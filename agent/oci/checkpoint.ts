/** The verbs `checkpoint` and `restore`, which only say that they are not supported. */
import { CortenError } from '../errors.ts';
import type { Options, Verb } from './command-line.ts';

/** Options of runc, so that callers get this error and not one about an unknown option. */
const flags = [
  ...[
    'leave-running',
    'tcp-established',
    'tcp-skip-in-flight',
    'link-remap',
    'ext-unix-sk',
    'shell-job',
  ],
  ...['lazy-pages', 'file-locks', 'pre-dump', 'auto-dedup', 'detach', 'no-subreaper', 'no-pivot'],
];
const texts = [
  ...[
    'image-path',
    'work-path',
    'parent-path',
    'status-fd',
    'page-server',
    'manage-cgroups-mode',
    'empty-ns',
  ],
  ...['console-socket', 'pid-file', 'bundle', 'lsm-profile', 'lsm-mount-context'],
];
const options: Options = Object.fromEntries([
  ...flags.map((name) => [name, { type: 'boolean' }] as const),
  ...texts.map((name) => [name, { type: 'string' }] as const),
]);

function refusing(name: string, about: string): Verb {
  return {
    takes: '<id>',
    about,
    options,
    run() {
      throw new CortenError(
        'unavailable',
        `${name} is not supported: this runtime has no CRIU, and leaves the container as it is`,
      );
    },
  };
}

export const checkpointVerb = refusing('checkpoint', 'write a container to disk (not supported)');
export const restoreVerb = refusing('restore', 'start a container from disk (not supported)');
