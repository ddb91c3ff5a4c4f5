import { Checkbox as Base } from '@base-ui/react/checkbox';
import './checkbox.css';
import { Icon } from './icon.tsx';

export function Checkbox({
  label,
  checked,
  mixed = false,
  onChange,
  tabIndex,
}: {
  label: string;
  checked: boolean;
  mixed?: boolean;
  onChange: (checked: boolean) => void;
  tabIndex?: number;
}) {
  return (
    <Base.Root
      aria-label={label}
      className="checkbox"
      checked={checked}
      indeterminate={mixed}
      onCheckedChange={onChange}
      tabIndex={tabIndex}
    >
      <Base.Indicator className="checkbox-mark">
        <Icon name={mixed ? 'minus' : 'check'} size={12} />
      </Base.Indicator>
    </Base.Root>
  );
}

/** A checkbox with its words beside it. */
export function CheckField({
  label,
  checked,
  onChange,
}: {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: Checkbox renders the control inside.
    <label className="check-field">
      <Checkbox label={label} checked={checked} onChange={onChange} />
      <span aria-hidden="true">{label}</span>
    </label>
  );
}
