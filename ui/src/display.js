// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A guest's display (noVNC), a bundle of its own.
import RFB from '@novnc/novnc'

export function openDisplay(element, url, { connected, ended, password }) {
  const rfb = new RFB(element, url)
  rfb.scaleViewport = true
  rfb.background = 'transparent'
  rfb.addEventListener('connect', () => { rfb.focus(); connected() })
  rfb.addEventListener('disconnect', event => ended(/** @type {CustomEvent} */ (event).detail.clean))
  rfb.addEventListener('credentialsrequired', async () => {
    const given = await password()
    if (given === null) rfb.disconnect()
    else rfb.sendCredentials({ password: given })
  })
  return {
    ctrlAltDel: () => { rfb.sendCtrlAltDel(); rfb.focus() },
    // Key by key: a guest has no clipboard of its own here.
    type: text => [...text].forEach(c => rfb.sendKey(c === '\n' ? 0xff0d : keysym(c.codePointAt(0)))),
    close: () => rfb.disconnect(),
  }
}

const keysym = code => (code < 0x100 ? code : 0x1000000 + code)
