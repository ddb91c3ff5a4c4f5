import type { ITheme } from '@xterm/xterm';

/** The terminal's colours in both schemes, on the grounds of ui/tokens.css. */
const light: ITheme = {
  background: '#ffffff',
  foreground: '#211c18',
  cursor: '#b3471d',
  cursorAccent: '#ffffff',
  selectionBackground: '#ffd9a8',
  black: '#211c18',
  red: '#b3242b',
  green: '#1a7440',
  yellow: '#8a5a00',
  blue: '#2c62a8',
  magenta: '#8a3a8f',
  cyan: '#0f6f78',
  white: '#655c54',
  brightBlack: '#655c54',
  brightRed: '#c4323a',
  brightGreen: '#1f8a4c',
  brightYellow: '#9a6700',
  brightBlue: '#3a76c4',
  brightMagenta: '#a24aa8',
  brightCyan: '#14808a',
  brightWhite: '#211c18',
};

const dark: ITheme = {
  background: '#131110',
  foreground: '#ece6e1',
  cursor: '#f08a5d',
  cursorAccent: '#131110',
  selectionBackground: '#6b4a1c',
  black: '#332e2a',
  red: '#ff8a80',
  green: '#58c48b',
  yellow: '#e0b04b',
  blue: '#86b7f2',
  magenta: '#d9a0e0',
  cyan: '#66c7d1',
  white: '#ece6e1',
  brightBlack: '#857b73',
  brightRed: '#ffa79f',
  brightGreen: '#7ddba6',
  brightYellow: '#f0c76e',
  brightBlue: '#a6cbf7',
  brightMagenta: '#e6b9eb',
  brightCyan: '#8adbe3',
  brightWhite: '#ffffff',
};

const darkScheme = matchMedia('(prefers-color-scheme: dark)');

export function currentTheme(): ITheme {
  return darkScheme.matches ? dark : light;
}

export function onThemeChange(listener: (theme: ITheme) => void): () => void {
  const tell = () => listener(currentTheme());
  darkScheme.addEventListener('change', tell);
  return () => darkScheme.removeEventListener('change', tell);
}
