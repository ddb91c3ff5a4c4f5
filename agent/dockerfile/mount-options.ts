/** `RUN --mount=type=cache,target=/x`: the options of mounts, which are read once their variables have values. */
import { readByteSize } from '../contract/byte-size.ts';
import { csvFields } from './csv.ts';
import { didYouMean } from './suggest.ts';

export const mountTypes = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
export type MountType = (typeof mountTypes)[number];
const sharings = ['shared', 'private', 'locked'] as const;
export type Sharing = (typeof sharings)[number];

export interface MountOptions {
  type: MountType;
  /** A stage, a named context or an image; empty for the build context. */
  from: string;
  source: string;
  target: string;
  readOnly: boolean;
  /** Of a tmpfs; 0 is the kernel's default. */
  sizeBytes: number;
  id: string;
  sharing: Sharing | undefined;
  required: boolean;
  /** The variable that a secret goes to. */
  env: string | undefined;
  mode: number | undefined;
  uid: number | undefined;
  gid: number | undefined;
}

/** What can be said before variables have values. Throws an Error. */
export function checkMount(text: string): void {
  for (const { key, value = '' } of optionsOf(text)) {
    // Which stages a stage needs must be known before anything is expanded.
    const dollar = value.indexOf('$');
    if (key === 'from' && dollar !== -1 && dollar !== value.length - 1)
      throw new Error(
        `'from' doesn't support variable expansion in --mount, define alias stage instead`,
      );
  }
}

/** The `from` of a mount, before anything is expanded. */
export function mountSource(text: string): string {
  return optionsOf(text).findLast(({ key }) => key === 'from')?.value ?? '';
}

/** Throws an Error that names the option. */
export function readMount(text: string, expand: (word: string) => string): MountOptions {
  const mount: MountOptions = {
    type: 'bind',
    from: '',
    source: '',
    target: '',
    readOnly: false,
    sizeBytes: 0,
    id: '',
    sharing: undefined,
    required: false,
    env: undefined,
    mode: undefined,
    uid: undefined,
    gid: undefined,
  };
  let isAccessGiven = false;
  for (const { key, value, field } of optionsOf(text)) {
    const set = setters[key];
    if (set === undefined)
      throw new Error(
        `unexpected key '${key}' in '${field}'${didYouMean(key, Object.keys(setters))}`,
      );
    if (value === undefined && !switches.includes(key))
      throw new Error(`invalid field '${field}' must be a key=value pair`);
    set(mount, value === undefined ? 'true' : expand(value), key);
    isAccessGiven ||= switches.includes(key) && key !== 'required';
  }
  if (!isAccessGiven) mount.readOnly = mount.type !== 'cache' && mount.type !== 'tmpfs';
  checkTogether(mount);
  return mount;
}

function optionsOf(text: string): { key: string; value?: string; field: string }[] {
  let fields: string[];
  try {
    fields = csvFields(text);
  } catch (error) {
    throw new Error(`failed to parse csv mounts: ${(error as Error).message}`);
  }
  return fields.map((field) => {
    const equals = field.indexOf('=');
    if (equals === -1) return { key: field.toLowerCase(), field };
    return { key: field.slice(0, equals).toLowerCase(), value: field.slice(equals + 1), field };
  });
}

/** Options that mean "yes" without a value. */
const switches = ['readonly', 'ro', 'readwrite', 'rw', 'required'];

type Setter = (mount: MountOptions, value: string, key: string) => void;

const setReadOnly: Setter = (mount, value, key) => {
  mount.readOnly = booleanOf(value, key);
};
const setReadWrite: Setter = (mount, value, key) => {
  mount.readOnly = !booleanOf(value, key);
};
const setSource: Setter = (mount, value) => {
  mount.source = value;
};
const setTarget: Setter = (mount, value) => {
  mount.target = value;
};

const setters: Record<string, Setter> = {
  type: (mount, value) => {
    mount.type = oneOf(mountTypes, value, 'mount type');
  },
  from: (mount, value) => {
    mount.from = value;
  },
  source: setSource,
  src: setSource,
  target: setTarget,
  dst: setTarget,
  destination: setTarget,
  readonly: setReadOnly,
  ro: setReadOnly,
  readwrite: setReadWrite,
  rw: setReadWrite,
  required: (mount, value, key) => {
    onlyFor(mount, ['secret', 'ssh'], key);
    mount.required = booleanOf(value, key);
  },
  size: (mount, value, key) => {
    onlyFor(mount, ['tmpfs'], key);
    const bytes = readByteSize(value);
    if (bytes === undefined) throw new Error(`invalid value for ${key}: ${value}`);
    mount.sizeBytes = bytes;
  },
  id: (mount, value) => {
    mount.id = value;
  },
  sharing: (mount, value) => {
    mount.sharing = oneOf(sharings, value, 'sharing value');
  },
  mode: (mount, value) => {
    mount.mode = numberOf(value, 8, 'mode');
  },
  uid: (mount, value) => {
    mount.uid = numberOf(value, 10, 'uid');
  },
  gid: (mount, value) => {
    mount.gid = numberOf(value, 10, 'gid');
  },
  env: (mount, value) => {
    mount.env = value;
  },
};

function checkTogether(mount: MountOptions): void {
  const { type, from, source, target, id, sharing, mode, uid, gid } = mount;
  if (type === 'bind' || type === 'tmpfs')
    for (const [name, value] of Object.entries({ mode, uid, gid }))
      if (value !== undefined) throw new Error(`${name} not allowed for "${type}" type mounts`);
  if (type === 'secret') {
    if (from !== '') throw new Error('secret mount should not have a from');
    if (sharing !== undefined) throw new Error('secret mount should not define sharing');
    if (source === '' && target === '' && id === '')
      throw new Error('invalid secret mount. one of source, target required');
    if (source !== '' && id !== '') throw new Error("both source and id can't be set");
  }
  if (sharing !== undefined && type !== 'cache')
    throw new Error(`invalid cache sharing set for ${type} mount`);
}

function onlyFor({ type }: MountOptions, types: readonly MountType[], key: string): void {
  if (!types.includes(type)) throw new Error(`unexpected key '${key}' for mount type '${type}'`);
}

function oneOf<Choice extends string>(
  choices: readonly Choice[],
  value: string,
  what: string,
): Choice {
  const choice = choices.find((candidate) => candidate === value.toLowerCase());
  if (choice !== undefined) return choice;
  throw new Error(`unsupported ${what} ${JSON.stringify(value)}${didYouMean(value, choices)}`);
}

function booleanOf(value: string, key: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw new Error(`invalid value for ${key}: ${value}`);
}

function numberOf(value: string, base: 8 | 10, key: string): number {
  const number = /^[0-9]+$/.test(value) ? Number.parseInt(value, base) : Number.NaN;
  const isWhole = base === 10 || /^[0-7]+$/.test(value);
  if (!isWhole || !(number <= 0xffff_ffff)) throw new Error(`invalid value ${value} for ${key}`);
  return number;
}
