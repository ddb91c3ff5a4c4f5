/**
 * The agent's programs with their libraries in a few files. Reading and linking 700 modules is half of
 * what the agent takes to start, and in an emulated processor that is seconds.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { filesBelow } from './npm-packages.ts';

/** What is started by path: by the guest's script, by a remote host's, and as workers by the agent (`new Worker`). */
export const programs: Record<string, string> = {
  main: 'main.js',
  'remote-host': 'entry/remote-host.js',
  launcher: 'runtime/launcher.js',
  'unpack-worker': 'images/unpack-worker.js',
  'loop-pool-worker': 'disk/loop-pool-worker.js',
  'share-thread': 'share/share-thread.js',
  'replay-thread': 'share/replay-thread.js',
  'network-visitor': 'kernel/network-visitor.js',
};

/** They find files of their own by their place. */
export const unbundled = ['koffi', 'ssh2'];

/** Files of one folder, by name: a worker is looked for beside the program that starts it. `directory` is `dist/agent`. */
export async function bundleAgent(directory: string): Promise<Map<string, Buffer>> {
  const input = Object.fromEntries(
    Object.entries(programs).map(([name, path]) => [name, join(directory, path)]),
  );
  return await bundle(directory, input, {
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
  });
}

/** The agent as a machine's first service, in one script, for which V8 can be given code that was compiled before. */
export async function bundleGuestAgent(directory: string): Promise<Buffer> {
  const script = await bundle(
    directory,
    { 'guest-agent': join(directory, 'entry/guest/main.js') },
    { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false },
    ['koffi', 'cpu-features', /sshcrypto\.node$/],
  );
  const content = script.get('guest-agent.cjs');
  if (content === undefined) throw new Error('the bundler wrote no guest-agent.cjs');
  return asFunction(content.toString());
}

/** What Node makes of a CommonJS module. In ASCII, of which V8 keeps one byte a letter and not two. */
function asFunction(code: string): Buffer {
  const text = `(function (exports, require, module, __filename, __dirname) {${code}\n})`;
  return Buffer.from(
    text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
    'latin1',
  );
}

async function bundle(
  directory: string,
  input: Record<string, string>,
  output: Record<string, unknown>,
  external: (string | RegExp)[] = unbundled,
): Promise<Map<string, Buffer>> {
  const outDir = mkdtempSync(join(tmpdir(), 'corten-bundle-'));
  try {
    await build({
      configFile: false,
      root: directory,
      logLevel: 'error',
      plugins: [{ name: 'plain-builtins', renderChunk: (code) => plainBuiltins(code) }],
      ssr: { noExternal: true, external: external.filter((each) => typeof each === 'string') },
      build: {
        outDir,
        emptyOutDir: true,
        target: 'node24',
        minify: false,
        ssr: true,
        rollupOptions: { input, external, output },
      },
    });
    return filesBelow(outDir, () => true);
  } finally {
    rmSync(outDir, { recursive: true });
  }
}

/**
 * A module's import of one of Node's own asks each of its exports for its value, and `node:http` answers by loading
 * all that fetches: half a second of an emulated processor. Taken as an object, only what is named is asked for.
 */
export function plainBuiltins(code: string): string {
  return code.replace(
    /^import (?:\* as (\w+)|([\w$]+)|\{ ([^}]+) \}|([\w$]+), \{ ([^}]+) \}) from "(node:[\w/]+)";$/gm,
    (_, all, only, names, first, rest, id) => {
      const module = `process.getBuiltinModule(${JSON.stringify(id)})`;
      const whole = all ?? only ?? first;
      const some = names ?? rest;
      const parts = [
        ...(whole === undefined ? [] : [`${whole} = ${module}`]),
        ...(some === undefined
          ? []
          : [`{ ${some.replaceAll(' as ', ': ')} } = ${whole ?? module}`]),
      ];
      return `const ${parts.join(', ')};`;
    },
  );
}
