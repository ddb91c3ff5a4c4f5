import { type ChangeEvent, type KeyboardEvent, useEffect, useState } from 'react';

/**
 * A number that is read when its field is left or Enter is pressed. What cannot be read stays as it was
 * typed, so that it can be put right; Escape brings the value back.
 */
export function useTyped({
  value,
  format,
  parse,
  onChange,
  mayBeEmpty,
}: {
  value: number | undefined;
  format: (value: number) => string;
  /** Undefined: not a number that is taken here. */
  parse: (text: string) => number | undefined;
  onChange: (value: number | undefined) => void;
  mayBeEmpty: boolean;
}) {
  const [typed, setTyped] = useState<string>();
  const [isRefused, setRefused] = useState(false);
  const forget = () => {
    setTyped(undefined);
    setRefused(false);
  };
  // Another hand (undo, the engine) changed the value: what was typed is stale.
  // biome-ignore lint/correctness/useExhaustiveDependencies: reacts to the value alone.
  useEffect(forget, [value]);

  const commit = () => {
    if (typed === undefined) return;
    const isEmpty = typed.trim() === '';
    const parsed = isEmpty ? undefined : parse(typed);
    if (parsed === undefined && !isEmpty) return setRefused(true);
    if (parsed !== undefined || mayBeEmpty) onChange(parsed);
    forget();
  };
  return {
    isRefused,
    input: {
      value: typed ?? (value === undefined ? '' : format(value)),
      onChange: (event: ChangeEvent<HTMLInputElement>) => {
        setTyped(event.target.value);
        setRefused(false);
      },
      onBlur: commit,
      onKeyDown: (event: KeyboardEvent) => {
        if (event.key === 'Enter') commit();
        if (event.key === 'Escape') forget();
      },
    },
  };
}
