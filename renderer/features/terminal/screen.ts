/** An xterm screen with its addons, in an element of its own that views take in and give back. */
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { UnicodeGraphemesAddon } from '@xterm/addon-unicode-graphemes';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { openAddress } from '../../bridge/system.ts';
import { currentTheme, onThemeChange } from './theme.ts';

export interface Screen {
  terminal: Terminal;
  element: HTMLDivElement;
  search: SearchAddon;
  /** Makes the screen as large as its place; it must be in the document. */
  fit(): void;
  dispose(): void;
}

export function createScreen(keys: (event: KeyboardEvent) => boolean): Screen {
  const terminal = new Terminal({
    allowProposedApi: true,
    cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
    fontSize: 13,
    lineHeight: 1.15,
    macOptionIsMeta: true,
    minimumContrastRatio: 4.5,
    screenReaderMode: false,
    scrollback: 10_000,
    theme: currentTheme(),
  });
  const fit = new FitAddon();
  const search = new SearchAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(search);
  terminal.loadAddon(new UnicodeGraphemesAddon());
  terminal.loadAddon(new WebLinksAddon((_, address) => void openAddress(address)));
  terminal.attachCustomKeyEventHandler(keys);
  const element = document.createElement('div');
  element.className = 'screen';
  const stopTheme = onThemeChange((theme) => {
    terminal.options.theme = theme;
  });
  return {
    terminal,
    element,
    search,
    fit() {
      // xterm measures its font when it is opened, so it opens in its place, once.
      if (!terminal.element) {
        terminal.open(element);
        drawOnGpu(terminal);
      }
      fit.fit();
    },
    dispose() {
      stopTheme();
      terminal.dispose();
      element.remove();
    },
  };
}

/** Draws with WebGL where there is a GPU; xterm's own DOM renderer does it everywhere else. */
function drawOnGpu(terminal: Terminal): void {
  if (!hasGpu()) return;
  try {
    const gpu = new WebglAddon();
    // A lost context (sleep, driver reset) falls back to the DOM renderer.
    gpu.onContextLoss(() => gpu.dispose());
    terminal.loadAddon(gpu);
  } catch {
    // The driver refused after all: the DOM renderer stays.
  }
}

/** WebGL that the processor has to emulate is slower than the DOM, and does not always say that it is. */
function hasGpu(): boolean {
  const gl = document.createElement('canvas').getContext('webgl2');
  if (!gl) return false;
  const names = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = names ? String(gl.getParameter(names.UNMASKED_RENDERER_WEBGL)) : '';
  // Browsers keep few contexts; this one is not needed any more.
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(renderer);
}
