import { type ComponentProps, type ReactNode, useId } from 'react';
import './field.css';
import { Icon } from './icon.tsx';

type TextFieldProps = Omit<ComponentProps<'input'>, 'onChange' | 'value'> & {
  label: string;
  value: string;
  onChange: (value: string) => void;
  note?: ReactNode;
  error?: string;
  mono?: boolean;
  /** The label is for screen readers only. */
  hideLabel?: boolean;
};

export function TextField({
  label,
  value,
  onChange,
  note,
  error,
  mono = false,
  hideLabel = false,
  ...rest
}: TextFieldProps) {
  const id = useId();
  const noteId = `${id}-note`;
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? 'unseen' : undefined}>
        {label}
      </label>
      <input
        id={id}
        className={mono ? 'input mono' : 'input'}
        value={value}
        aria-invalid={error !== undefined}
        aria-describedby={error || note ? noteId : undefined}
        autoComplete="off"
        spellCheck={false}
        {...rest}
        onChange={(event) => onChange(event.target.value)}
      />
      <FieldNote id={noteId} error={error} note={note} />
    </div>
  );
}

export function FieldNote({ id, error, note }: { id?: string; error?: string; note?: ReactNode }) {
  if (error)
    return (
      <span id={id} className="field-error">
        <Icon name="warning" size={14} />
        {error}
      </span>
    );
  return note ? (
    <span id={id} className="field-note">
      {note}
    </span>
  ) : null;
}

type SearchFieldProps = Omit<ComponentProps<'input'>, 'onChange' | 'value'> & {
  label: string;
  value: string;
  onChange: (value: string) => void;
};

export function SearchField({ label, value, onChange, ...rest }: SearchFieldProps) {
  return (
    <div className="search-field">
      <Icon name="search" size={14} />
      <input
        type="search"
        className="input"
        aria-label={label}
        placeholder={label}
        value={value}
        spellCheck={false}
        autoComplete="off"
        {...rest}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
