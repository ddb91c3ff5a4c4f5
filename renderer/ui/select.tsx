import { Select as Base } from '@base-ui/react/select';
import { useId } from 'react';
import './field.css';
import { Icon } from './icon.tsx';
import './menu.css';

export interface Choice<T extends string> {
  value: T;
  label: string;
}

export function Select<T extends string>({
  label,
  value,
  choices,
  onChange,
  hideLabel = false,
  disabled = false,
}: {
  label: string;
  value: T;
  choices: Choice<T>[];
  onChange: (value: T) => void;
  hideLabel?: boolean;
  disabled?: boolean;
}) {
  const id = useId();
  return (
    <div className="field">
      <span id={id} className={hideLabel ? 'unseen' : 'field-label'}>
        {label}
      </span>
      <Base.Root
        items={choices}
        value={value}
        disabled={disabled}
        onValueChange={(next) => next !== null && onChange(next as T)}
      >
        <Base.Trigger className="select" aria-labelledby={id}>
          <Base.Value />
          <Icon name="down" size={12} />
        </Base.Trigger>
        <Base.Portal>
          <Base.Positioner className="menu-layer" sideOffset={4} alignItemWithTrigger={false}>
            <Base.Popup className="menu">
              {choices.map((choice) => (
                <Base.Item key={choice.value} value={choice.value} className="menu-item">
                  <span className="select-mark">
                    <Base.ItemIndicator>
                      <Icon name="check" size={14} />
                    </Base.ItemIndicator>
                  </span>
                  <Base.ItemText>{choice.label}</Base.ItemText>
                </Base.Item>
              ))}
            </Base.Popup>
          </Base.Positioner>
        </Base.Portal>
      </Base.Root>
    </div>
  );
}
