/** Reads a pasted `docker run` line into a form. What the form has no place for is named, never lost silently. */
import { parseBytes } from '../../messages/format.ts';
import { emptyForm, type Form, type RestartChoice, rowKey } from './form.ts';
import { quoteWord, splitWords } from './shell-words.ts';

export interface ParsedRun {
  form: Form;
  /** Flags and values that were not understood, as they were written. */
  ignored: string[];
}

// biome-ignore lint/suspicious/noConfusingVoidType: a setter that cannot fail returns nothing.
type Setter = (form: Form, value: string) => boolean | void;

const list =
  (field: 'labels' | 'addCapabilities' | 'dropCapabilities' | 'tmpfs'): Setter =>
  (form, value) =>
    void form[field].push(value);

const text =
  (field: 'name' | 'user' | 'hostname' | 'workingDirectory' | 'cpuset' | 'network'): Setter =>
  (form, value) => {
    form[field] = value;
  };

const number =
  (field: 'cpus' | 'pids' | 'cpuShares'): Setter =>
  (form, value) => {
    const parsed = Number(value);
    if (!Number.isFinite(parsed)) return false;
    // -1 and 0 ask for no limit.
    form[field] = parsed > 0 ? parsed : undefined;
  };

const bytes =
  (field: 'memoryBytes' | 'memoryWithSwapBytes'): Setter =>
  (form, value) => {
    const parsed = value === '-1' ? -1 : parseBytes(value, 'b');
    if (parsed === undefined) return false;
    form[field] = parsed;
  };

/** Flags that take a value; false means that the value was not understood. */
const valueFlags: Record<string, Setter> = {
  '--name': text('name'),
  '-e': addEnv,
  '--env': addEnv,
  '-p': addPort,
  '--publish': addPort,
  '-v': addVolume,
  '--volume': addVolume,
  '--mount': addMount,
  '--tmpfs': list('tmpfs'),
  '--network': text('network'),
  '--net': text('network'),
  '--restart': setRestart,
  '--cpus': number('cpus'),
  '-c': number('cpuShares'),
  '--cpu-shares': number('cpuShares'),
  '--cpuset-cpus': text('cpuset'),
  '-m': bytes('memoryBytes'),
  '--memory': bytes('memoryBytes'),
  '--memory-swap': bytes('memoryWithSwapBytes'),
  '--pids-limit': number('pids'),
  '--entrypoint': (form, value) => {
    form.entrypoint = quoteWord(value);
  },
  '-u': text('user'),
  '--user': text('user'),
  '-w': text('workingDirectory'),
  '--workdir': text('workingDirectory'),
  '-h': text('hostname'),
  '--hostname': text('hostname'),
  '-l': list('labels'),
  '--label': list('labels'),
  '--cap-add': list('addCapabilities'),
  '--cap-drop': list('dropCapabilities'),
  '--security-opt': addSecurityOption,
  '--userns': setRoot,
  '--storage-opt': addStorageOption,
};

/** Flags that stand alone; those that change nothing here are understood too. */
const signs: Record<string, (form: Form) => void> = {
  '-d': () => {},
  '--detach': () => {},
  '-i': (form) => {
    form.openStdin = true;
  },
  '--interactive': (form) => {
    form.openStdin = true;
  },
  '-t': (form) => {
    form.terminal = true;
  },
  '--tty': (form) => {
    form.terminal = true;
  },
  '--rm': (form) => {
    form.autoRemove = true;
  },
  '--init': (form) => {
    form.init = true;
  },
  '--read-only': (form) => {
    form.readOnlyRootfs = true;
  },
  '--privileged': (form) => {
    form.privileged = true;
  },
};

/** Flags of `docker run` that take a value and that the form has no place for. */
const otherValueFlags = new Set(
  `--add-host --annotation -a --attach --blkio-weight --blkio-weight-device --cgroup-parent --cgroupns --cidfile
  --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime --cpuset-mems --detach-keys --device --device-cgroup-rule
  --device-read-bps --device-read-iops --device-write-bps --device-write-iops --dns --dns-option --dns-search
  --domainname --env-file --expose --gpus --group-add --health-cmd --health-interval --health-retries
  --health-start-period --health-timeout --ip --ip6 --ipc --label-file --link --log-driver --log-opt --mac-address
  --memory-reservation --memory-swappiness --network-alias --oom-score-adj --pid --platform --pull --runtime
  --shm-size --stop-signal --stop-timeout --sysctl --ulimit --uts --volume-driver
  --volumes-from`.split(/\s+/),
);

/** Undefined: this is no `docker run` line. */
export function parseRunLine(line: string): ParsedRun | undefined {
  const words = splitWords(line);
  if (words[0] === '$' || words[0] === 'sudo') words.shift();
  const program = words.shift();
  if (!program || !['docker', 'podman', 'nerdctl'].includes(program)) return undefined;
  if (words[0] === 'container') words.shift();
  const verb = words.shift();
  if (verb !== 'run' && verb !== 'create') return undefined;

  const form = emptyForm();
  const ignored: string[] = [];
  while (words[0]?.startsWith('-')) takeFlag(form, words, ignored);
  form.image = words.shift() ?? '';
  form.command = words.map(quoteWord).join(' ');
  return { form, ignored };
}

function takeFlag(form: Form, words: string[], ignored: string[]): void {
  const word = words.shift()!;
  if (word === '--') return;
  if (!word.startsWith('--') && word.length > 2) {
    takeCluster(form, word, words, ignored);
    return;
  }
  const equals = word.indexOf('=');
  const name = equals === -1 ? word : word.slice(0, equals);
  const given = equals === -1 ? undefined : word.slice(equals + 1);
  const sign = signs[name];
  if (sign) {
    if (given !== 'false') sign(form);
    return;
  }
  const set = valueFlags[name];
  if (!set && !otherValueFlags.has(name)) {
    ignored.push(word);
    return;
  }
  const value = given ?? words.shift() ?? '';
  if (!set || set(form, value) === false) ignored.push(`${name} ${quoteWord(value)}`);
}

/** `-it`, `-dp 80:80`, `-p80:80`: short flags in one word, the last of which may take a value. */
function takeCluster(form: Form, word: string, words: string[], ignored: string[]): void {
  for (let at = 1; at < word.length; at++) {
    const name = `-${word[at]}`;
    const rest = word.slice(at + 1);
    if (signs[name]) signs[name](form);
    else {
      const value = rest === '' ? [] : [rest.replace(/^=/, '')];
      words.unshift(name, ...value);
      takeFlag(form, words, ignored);
      return;
    }
  }
}

function addEnv(form: Form, value: string): void {
  const at = value.indexOf('=');
  form.env.push({
    key: rowKey(),
    name: at === -1 ? value : value.slice(0, at),
    value: at === -1 ? '' : value.slice(at + 1),
  });
}

function addPort(form: Form, value: string): boolean {
  const match = /^(?:(.*):)?(\d+(?:-\d+)?)(?:\/(tcp|udp))?$/.exec(value);
  if (!match) return false;
  const protocol = match[3] === 'udp' ? 'udp' : 'tcp';
  form.ports.push({ key: rowKey(), host: match[1] ?? '', container: match[2]!, protocol });
  return true;
}

function addVolume(form: Form, value: string): boolean {
  const parts = value.split(':');
  if (parts.length > 3) return false;
  const [first = '', second, options = ''] = parts;
  const readOnly = options.split(',').includes('ro');
  const mount =
    second === undefined ? { source: '', target: first } : { source: first, target: second };
  form.mounts.push({ key: rowKey(), ...mount, readOnly });
  return true;
}

function addMount(form: Form, value: string): boolean {
  const fields = new Map(
    value.split(',').map((field) => {
      const [name = '', content = ''] = field.split(/=(.*)/);
      return [name, content] as const;
    }),
  );
  const target = fields.get('target') ?? fields.get('dst') ?? fields.get('destination') ?? '';
  if (fields.get('type') === 'tmpfs') {
    form.tmpfs.push(target);
    return true;
  }
  const source = fields.get('source') ?? fields.get('src') ?? '';
  const readOnly = ['readonly', 'ro'].some(
    (name) => fields.has(name) && fields.get(name) !== 'false',
  );
  form.mounts.push({ key: rowKey(), source, target, readOnly });
  return target !== '';
}

function addSecurityOption(form: Form, value: string): boolean {
  const userns = /^userns[=:](.*)$/.exec(value)?.[1];
  if (userns !== undefined) return setRoot(form, userns);
  form.securityOptions.push(value);
  return true;
}

function setRoot(form: Form, value: string): boolean {
  if (value !== 'auto' && value !== 'host') return false;
  form.root = value === 'auto' ? 'own' : 'machine';
  return true;
}

function addStorageOption(form: Form, value: string): boolean {
  const [name, content = ''] = value.split(/=(.*)/);
  const figure = name === 'size' ? parseBytes(content, 'b') : Number(content || Number.NaN);
  if (figure === undefined || !Number.isInteger(figure) || figure < 0) return false;
  if (name === 'size') form.diskBytes = figure;
  else if (name === 'inodes') form.diskInodes = figure;
  else return false;
  return true;
}

const restarts: readonly string[] = ['no', 'on-failure', 'unless-stopped', 'always'];

function setRestart(form: Form, value: string): boolean {
  const [name = '', retries = '0'] = value.split(':');
  if (!restarts.includes(name)) return false;
  form.restart = name as RestartChoice;
  form.restartRetries = Number(retries) || 0;
  return true;
}
