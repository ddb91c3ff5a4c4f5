/** Flags of instructions: `--link`, `--chown=1:1`, `--exclude=*.md` several times. */
import { didYouMean } from './suggest.ts';

export type FlagKind = 'boolean' | 'text' | 'texts';

type ValueOf<Kind extends FlagKind> = Kind extends 'boolean'
  ? boolean
  : Kind extends 'text'
    ? string
    : string[];

export type Flags<Spec extends Record<string, FlagKind>> = {
  [Name in keyof Spec]?: ValueOf<Spec[Name]>;
};

/** A flag that was not given is absent. Throws an Error that names the flag. */
export function readFlags<Spec extends Record<string, FlagKind>>(
  flags: readonly string[],
  spec: Spec,
): Flags<Spec> {
  const values = new Map<string, boolean | string | string[]>();
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const written = equals === -1 ? flag : flag.slice(0, equals);
    const value = equals === -1 ? undefined : flag.slice(equals + 1);
    const name = written.slice(2);
    const kind = Object.hasOwn(spec, name) ? spec[name] : undefined;
    if (kind === undefined)
      throw new Error(`unknown flag: ${written}${didYouMean(name, Object.keys(spec))}`);
    if (values.has(name) && kind !== 'texts')
      throw new Error(`duplicate flag specified: ${written}`);
    if (kind === 'boolean') values.set(name, booleanOf(written, value));
    else if (value === undefined) throw new Error(`missing a value on flag: ${written}`);
    else if (kind === 'text') values.set(name, value);
    else values.set(name, [...((values.get(name) as string[] | undefined) ?? []), value]);
  }
  return Object.fromEntries(values) as Flags<Spec>;
}

function booleanOf(flag: string, value: string | undefined): boolean {
  if (value === '') throw new Error(`missing a value on flag: ${flag}`);
  switch (value?.toLowerCase()) {
    case undefined:
    case 'true':
      return true;
    case 'false':
      return false;
    default:
      throw new Error(`expecting boolean value for flag ${flag}, not: ${value}`);
  }
}
