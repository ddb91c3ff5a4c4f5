import type { ComponentProps } from 'react';
import './button.css';
import { Hint } from './hint.tsx';
import { Icon, type IconName } from './icon.tsx';

type ButtonProps = ComponentProps<'button'> & {
  kind?: 'normal' | 'main' | 'danger' | 'plain';
  icon?: IconName;
};

export function Button({ kind = 'normal', icon, className, children, ...rest }: ButtonProps) {
  return (
    <button type="button" className={classNames('button', kind, className)} {...rest}>
      {icon ? <Icon name={icon} /> : null}
      {children}
    </button>
  );
}

type IconButtonProps = Omit<ButtonProps, 'icon' | 'children'> & {
  icon: IconName;
  /** The name for screen readers, and the tooltip. */
  label: string;
  /** The key that does the same, shown in the tooltip. */
  shortcut?: string;
};

export function IconButton({
  icon,
  label,
  shortcut,
  kind = 'plain',
  className,
  ...rest
}: IconButtonProps) {
  return (
    <Hint label={label} shortcut={shortcut}>
      <button
        type="button"
        aria-label={label}
        className={classNames('button icon-only', kind, className)}
        {...rest}
      >
        <Icon name={icon} />
      </button>
    </Hint>
  );
}

type ToggleProps = Omit<ButtonProps, 'aria-pressed'> & { pressed: boolean };

/** A button that stays down. */
export function ToggleButton({ pressed, className, ...rest }: ToggleProps) {
  return (
    <Button
      aria-pressed={pressed}
      className={classNames(pressed && 'pressed', className)}
      {...rest}
    />
  );
}

function classNames(...names: (string | false | undefined)[]): string {
  return names.filter(Boolean).join(' ');
}
