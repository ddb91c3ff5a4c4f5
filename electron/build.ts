/**
 * Bundles the desktop shell into dist/electron: main and its threads as modules, and preload as one CommonJS file,
 * which is all that a sandboxed preload script may be.
 */
import { join } from 'node:path';
import { build } from 'vite';

export async function buildElectron(outDirectory: string): Promise<void> {
  await bundle('main.ts', 'es', 'main.js', outDirectory, true);
  // Beside main: who starts a thread looks for its program there.
  await bundle(
    'host/shared-folders/folder-thread.ts',
    'es',
    'folder-thread.js',
    outDirectory,
    false,
  );
  await bundle('preload.ts', 'cjs', 'preload.cjs', outDirectory, false);
}

async function bundle(
  entry: string,
  format: 'es' | 'cjs',
  fileName: string,
  outDirectory: string,
  emptyOutDir: boolean,
): Promise<void> {
  await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: 'warn',
    build: {
      outDir: outDirectory,
      emptyOutDir,
      target: 'node24',
      minify: false,
      ssr: true,
      rollupOptions: {
        input: join(import.meta.dirname, entry),
        external: ['electron', 'ssh2'],
        output: { format, entryFileNames: fileName, codeSplitting: false },
      },
    },
  });
}

if (import.meta.main) await buildElectron(join(import.meta.dirname, '..', 'dist', 'electron'));
