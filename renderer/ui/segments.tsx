import { useId } from 'react';
import './segments.css';

/** One of a few, all in sight: a group of radio buttons in the form of one control. */
export function Segments<T extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  /** The group's name for screen readers. */
  label: string;
  value: T;
  choices: { value: T; label: string }[];
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset className="segments">
      <legend className="unseen">{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} className="segment">
          <input
            type="radio"
            name={name}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
          />
          {choice.label}
        </label>
      ))}
    </fieldset>
  );
}
