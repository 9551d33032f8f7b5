// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the page uses of noVNC, which has no types of its own.
declare module '@novnc/novnc' {
  export default class RFB extends EventTarget {
    constructor(target: Element, url: string)
    scaleViewport: boolean
    background: string
    focus(): void
    disconnect(): void
    sendCredentials(credentials: { password: string }): void
    sendCtrlAltDel(): void
    sendKey(keysym: number): void
  }
}
