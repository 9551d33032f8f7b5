// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What few views need is loaded when they do; these are bundles of their own.
export const loadTerminal = () => withStyle('terminal.css').then(() => import('./terminal.js'))
export const loadDisplay = () => import('./display.js')
export const loadTus = () => import('./tus.js')

function withStyle(href) {
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve()
  const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href })
  document.head.append(link)
  return new Promise(done => { link.onload = link.onerror = done })
}
