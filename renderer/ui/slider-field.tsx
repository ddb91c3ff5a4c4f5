import { Slider } from '@base-ui/react/slider';
import { type ReactNode, useId } from 'react';
import { IconButton } from './button.tsx';
import { Icon } from './icon.tsx';
import './slider-field.css';
import { useTyped } from './use-typed.ts';

/**
 * A limit: a slider for the hand and a number for the exact value. `undefined` is "no limit", which
 * is also where the slider's right end leads; without `noLimitLabel` there always is a value.
 * `use` draws what is used now inside the track.
 */
export function SliderField({
  label,
  value,
  onChange,
  stops,
  format,
  parse,
  unit,
  use,
  useLabel,
  warning,
  error,
  wrongLabel,
  clearLabel,
  noLimitLabel,
  disabled = false,
}: {
  label: string;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
  /** The values the slider stops at, ascending; one more stop at the end means no limit. */
  stops: readonly number[];
  format: (value: number) => string;
  /** Undefined: not a number that this limit takes. */
  parse: (text: string) => number | undefined;
  unit: string;
  use?: number;
  useLabel?: ReactNode;
  warning?: string;
  error?: string;
  /** What to say of something that is no number, with one that is. */
  wrongLabel: (example: string) => string;
  clearLabel?: string;
  noLimitLabel?: string;
  disabled?: boolean;
}) {
  const id = useId();
  const typed = useTyped({
    ...{ value, format, parse, onChange },
    mayBeEmpty: noLimitLabel !== undefined,
  });
  const example = stops[Math.floor(stops.length / 2)];
  const wrong = typed.isRefused && example !== undefined ? wrongLabel(format(example)) : undefined;
  const problem = wrong ?? error;
  const last = noLimitLabel === undefined ? stops.length - 1 : stops.length;
  const position = value === undefined ? stops.length : nearest(stops, value);
  return (
    <div className={value === undefined ? 'slider-field unlimited' : 'slider-field'}>
      <label htmlFor={`${id}-number`} className="field-label">
        {label}
      </label>
      <Slider.Root
        value={position}
        min={0}
        // A slider of one stop would have no length.
        max={Math.max(1, last)}
        step={1}
        disabled={disabled}
        largeStep={Math.max(1, Math.round(last / 8))}
        onValueChange={(next) => onChange(stops[next as number])}
      >
        <Slider.Control className="slider-control">
          <Slider.Track className="slider-track">
            <Slider.Indicator className="slider-fill" />
            {use === undefined ? null : (
              <span
                className="slider-use"
                style={{ width: `${fraction(stops, use, last) * 100}%` }}
              />
            )}
            <Slider.Thumb
              className="slider-thumb"
              aria-label={label}
              getAriaValueText={(_, next) => {
                const stop = stops[next];
                return stop === undefined
                  ? (noLimitLabel ?? '')
                  : `${format(stop)} ${unit}`.trimEnd();
              }}
            />
          </Slider.Track>
        </Slider.Control>
      </Slider.Root>
      <div className="slider-number">
        <input
          id={`${id}-number`}
          className="input"
          inputMode="decimal"
          autoComplete="off"
          placeholder={noLimitLabel}
          disabled={disabled}
          aria-invalid={problem !== undefined}
          aria-describedby={`${id}-notes`}
          {...typed.input}
        />
        <span className="unit">{unit}</span>
        {value === undefined || disabled || clearLabel === undefined ? null : (
          <IconButton icon="close" label={clearLabel} onClick={() => onChange(undefined)} />
        )}
      </div>
      <div className="slider-notes" id={`${id}-notes`}>
        {useLabel ? <span className="field-note">{useLabel}</span> : null}
        {problem ? (
          <span className="field-error" role="status">
            <Icon name="warning" size={14} />
            {problem}
          </span>
        ) : warning ? (
          <span className="field-warning" role="status">
            <Icon name="warning" size={14} />
            {warning}
          </span>
        ) : null}
      </div>
    </div>
  );
}

function nearest(stops: readonly number[], value: number): number {
  let best = 0;
  for (let index = 0; index < stops.length; index++)
    if (Math.abs(stops[index]! - value) < Math.abs(stops[best]! - value)) best = index;
  return best;
}

/** Where a value lies on the track, between its two stops: the scale need not be even. */
function fraction(stops: readonly number[], value: number, last: number): number {
  const above = stops.findIndex((stop) => stop >= value);
  if (above === -1) return (stops.length - 1) / Math.max(1, last);
  const upper = stops[above]!;
  const lower = above === 0 ? 0 : stops[above - 1]!;
  const within = upper === lower ? 1 : (value - lower) / (upper - lower);
  return Math.max(0, above - 1 + within) / Math.max(1, last);
}
