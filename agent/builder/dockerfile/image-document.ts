/** The image configuration that a stage builds up (OCI config.md, with Docker's Healthcheck, OnBuild and Shell). */
import type { ImageConfig } from '../../contract/image.ts';
import { invalid } from '../../errors.ts';
import type { Platform } from '../llb/ops.ts';
import { normalized } from './platforms.ts';

export interface ImageDocument {
  created?: string;
  author?: string;
  architecture?: string;
  os?: string;
  'os.version'?: string;
  'os.features'?: string[];
  variant?: string;
  config: ImageConfig & { ArgsEscaped?: boolean };
  rootfs: { type: string; diff_ids: string[] };
  history: HistoryLine[];
}

export interface HistoryLine {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Throws invalid for what is no JSON object. */
export function parseImageDocument(bytes: Uint8Array): ImageDocument {
  let document: Partial<ImageDocument> | null;
  try {
    document = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<ImageDocument> | null;
  } catch (error) {
    throw invalid('failed to parse image config: it is not JSON', error);
  }
  if (typeof document !== 'object' || document === null)
    throw invalid('failed to parse image config: it is not an object');
  const { config, rootfs, history } = document;
  return {
    ...document,
    config: config ?? {},
    rootfs: { type: 'layers', diff_ids: rootfs?.diff_ids ?? [] },
    history: history ?? [],
  };
}

/** Of `FROM scratch`. */
export function emptyImage(platform: Platform): ImageDocument {
  const { OS, Architecture, Variant, OSVersion } = platform;
  return {
    architecture: Architecture,
    os: OS,
    ...(OSVersion !== '' && { 'os.version': OSVersion }),
    ...(Variant !== '' && { variant: Variant }),
    config: { Env: [`PATH=${defaultPath}`], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  };
}

/** A copy to build upon. Undefined where the document does not say. */
export function platformOf(document: ImageDocument): Platform | undefined {
  const { os, architecture, variant = '', 'os.version': version = '' } = document;
  if (!os || !architecture) return undefined;
  return normalized({ OS: os, Architecture: architecture, Variant: variant, OSVersion: version });
}

/** Sets a variable in place; a new one is added at the end. */
export function setVariable(config: ImageConfig, name: string, value: string): void {
  const env = config.Env ?? [];
  const at = env.findIndex((entry) => entry.split('=', 1)[0] === name);
  config.Env = at === -1 ? [...env, `${name}=${value}`] : env.with(at, `${name}=${value}`);
}

export function variablesOf({ Env = [] }: ImageConfig): [name: string, value: string][] {
  return Env.map((entry) => {
    const equals = entry.indexOf('=');
    return equals === -1 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
  });
}
