// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The serial console's terminal (xterm.js), a bundle of its own.
import '@xterm/xterm/css/xterm.css'
import { Terminal } from '@xterm/xterm'
import { FitAddon } from '@xterm/addon-fit'

// xterm.js makes <style> elements, which the page's policy refuses: each becomes a style sheet of
// the document's (xtermjs/xterm.js#4445). Nothing else here makes any.
const createElement = document.createElement.bind(document)
document.createElement = (name, options) => (name === 'style' ? makeStyle() : createElement(name, options))

function makeStyle() {
  const sheet = new CSSStyleSheet()
  const element = createElement('span')
  element.hidden = true
  document.adoptedStyleSheets.push(sheet)
  Object.defineProperties(element, {
    textContent: { set: text => sheet.replaceSync(text) },
    sheet: { value: sheet },
  })
  return element
}

export function openTerminal(element, send) {
  const terminal = new Terminal({ scrollback: 20000, fontSize: 13, cursorBlink: true,
    fontFamily: 'ui-monospace, "DejaVu Sans Mono", monospace', screenReaderMode: true })
  const fit = new FitAddon()
  const encoder = new TextEncoder()
  terminal.loadAddon(fit)
  terminal.open(element)
  fit.fit()
  terminal.onData(text => send(encoder.encode(text)))
  terminal.onBinary(text => send(Uint8Array.from(text, c => c.charCodeAt(0))))
  const resized = new ResizeObserver(() => fit.fit())
  resized.observe(element)
  terminal.focus()
  return {
    write: bytes => terminal.write(bytes),
    focus: () => terminal.focus(),
    size: () => `stty rows ${terminal.rows} cols ${terminal.cols}`,
    close: () => { resized.disconnect(); terminal.dispose() },
  }
}
