import { Autocomplete } from '@base-ui/react/autocomplete';
import { type ReactNode, useId, useState } from 'react';
import { FieldNote } from './field.tsx';
import './field.css';
import './menu.css';

/** Free text with suggestions under it. */
export function SuggestField({
  label,
  value,
  suggestions,
  onChange,
  placeholder,
  error,
  note,
  autoFocus = false,
}: {
  label: string;
  value: string;
  suggestions: readonly string[];
  onChange: (value: string) => void;
  placeholder?: string;
  error?: string;
  note?: ReactNode;
  autoFocus?: boolean;
}) {
  const id = useId();
  const [open, setOpen] = useState(false);
  // While the list is open the rest of the page is hidden from screen readers: it opens only with
  // something to choose.
  const left = suggestions.filter((one) => one !== value && one.includes(value.trim()));
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <Autocomplete.Root
        items={left}
        filter={null}
        value={value}
        onValueChange={onChange}
        open={open && left.length > 0}
        onOpenChange={setOpen}
        openOnInputClick
      >
        <Autocomplete.Input
          id={id}
          className="input mono"
          placeholder={placeholder}
          spellCheck={false}
          aria-invalid={error !== undefined}
          aria-describedby={`${id}-note`}
          autoFocus={autoFocus}
        />
        <Autocomplete.Portal>
          <Autocomplete.Positioner className="menu-layer" sideOffset={4}>
            <Autocomplete.Popup className="menu suggestions">
              <Autocomplete.List>
                {(item: string) => (
                  <Autocomplete.Item key={item} value={item} className="menu-item mono">
                    {item}
                  </Autocomplete.Item>
                )}
              </Autocomplete.List>
            </Autocomplete.Popup>
          </Autocomplete.Positioner>
        </Autocomplete.Portal>
      </Autocomplete.Root>
      <FieldNote id={`${id}-note`} error={error} note={note} />
    </div>
  );
}
