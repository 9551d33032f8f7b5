// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The serial console and the display. What a console has said stays when its guest stops; it
// connects again when the guest runs.
import { html, useEffect, useRef, useState } from '../html.js'
import { guestPath, socketUrl } from '../api.js'
import { act, actsOf } from '../acts.js'
import { loadDisplay, loadTerminal } from '../lazy.js'
import { Act } from '../parts.js'
import { complain, may, say } from '../store.js'

const isOff = guest => guest.state === 'shutoff' || guest.stale

/** @param {{ guest: import('../types').Guest }} props */
function Off({ guest }) {
  const start = actsOf(guest).find(one => one.path === 'start')
  return html`<p class="away" role="status"><b>${guest.name}</b> is off.
    ${start && html` <${Act} needs=${start.needs} onClick=${() => act(guest, start)}>${start.label}<//>`}</p>`
}

const SAID = {
  opening: 'Connecting…',
  refused: 'The console could not be opened.',
  held: 'Somebody else has this console.',
  ended: 'The session ended.',
}

// What the close says: 4000 + the status of a refusal, 4001 taken over, 4002 ended by somebody.
const HELD = 4409, TAKEN = 4001, ENDED = 4002

/** @returns {[string, string]} */
function explain({ code, reason }) {
  const how = code === HELD ? 'held' : code >= 4400 ? 'refused' : 'ended'
  return [how, reason && (code >= 4400 || code === TAKEN || code === ENDED) ? reason : '']
}

/** @param {{ guest: import('../types').Guest }} props */
export function Console({ guest }) {
  const box = useRef(), session = useRef(/** @type {any} */ ({}))
  const [[how, why], setBoth] = useState(['opening', ''])
  const set = value => setBoth(old => /** @type {[string, string]} */ ([typeof value === 'function' ? value(old[0]) : value, '']))
  const [turn, again] = useState({ force: false })
  const allowed = may('domain:open_device')
  useEffect(() => {
    let here = true
    loadTerminal().then(({ openTerminal }) => {
      if (here) session.current.terminal = openTerminal(box.current,
        bytes => session.current.socket?.readyState === 1 && session.current.socket.send(bytes))
      if (here) set(old => old === 'opening' ? 'ready' : old)
    })
    return () => { here = false; session.current.socket?.close(); session.current.terminal?.close() }
  }, [])
  const ready = how !== 'opening'
  useEffect(() => {
    if (!ready || isOff(guest) || !allowed) return undefined
    let here = true
    socketUrl(`${guestPath(guest)}/console`, turn.force ? { force: true } : {}).then(url => {
      if (!here) return
      const socket = new WebSocket(url)
      socket.binaryType = 'arraybuffer'
      socket.onopen = () => { set('live'); session.current.terminal.focus() }
      socket.onmessage = message => session.current.terminal.write(
        typeof message.data === 'string' ? message.data : new Uint8Array(message.data))
      socket.onclose = event => here && setBoth(explain(event))
      session.current.socket = socket
    }, problem => complain('Console', problem))
    return () => { here = false; session.current.socket?.close() }
  }, [ready, isOff(guest), turn, allowed])
  const copy = () => navigator.clipboard.writeText(session.current.terminal.size()).then(() => say('Copied'))
  const enter = () => { session.current.socket?.send(new Uint8Array([13])); session.current.terminal.focus() }
  return html`${isOff(guest) && html`<${Off} guest=${guest} />`}
    ${!allowed && html`<p class="away">This token has no right domain:open_device.</p>`}
    <div class="tools"><span role="status" class="muted">${how === 'live' ? 'Connected' : SAID[how]}${
      why && ` ${why}.`}</span>
      ${how === 'live' && html`<button type="button" onClick=${enter}>Enter</button>
        <button type="button" onClick=${copy} title="A serial line never learns its size: run this in the guest">
        Copy stty command</button>`}
      ${how === 'ended' && !isOff(guest) && html`<button type="button" onClick=${() => again({ force: false })}>
        Connect again</button>`}
      ${how === 'refused' && !isOff(guest) && html`<button type="button" onClick=${() => again({ force: false })}>
        Try again</button>`}
      ${how === 'held' && !isOff(guest) && html`<button type="button" class="danger"
        title="Taking it over ends their session" onClick=${() => again({ force: true })}>Take it over</button>`}</div>
    <div class="screen" ref=${box} data-state=${how}></div>`
}

function askPassword() {
  const dialog = document.createElement('dialog')
  const form = Object.assign(document.createElement('form'), { method: 'dialog' })
  const label = Object.assign(document.createElement('label'), { textContent: 'Password of the display ' })
  const field = Object.assign(document.createElement('input'), { type: 'password' })
  label.append(field)
  form.append(label, Object.assign(document.createElement('button'), { textContent: 'Open', className: 'main' }))
  dialog.append(form)
  document.body.append(dialog)
  dialog.showModal()
  return new Promise(done => {
    form.onsubmit = event => { event.preventDefault(); dialog.returnValue = 'yes'; dialog.close('yes') }
    dialog.onclose = () => { dialog.remove(); done(dialog.returnValue === 'yes' ? field.value : null) }
  })
}

/** @param {{ guest: import('../types').Guest }} props */
export function Display({ guest }) {
  const box = useRef(), session = useRef(null)
  const [how, set] = useState('opening')
  const [turn, again] = useState(0)
  const off = isOff(guest), allowed = may('domain:open_graphics')
  useEffect(() => {
    if (off || !allowed) return undefined
    let here = true
    set('opening')
    Promise.all([loadDisplay(), socketUrl(`${guestPath(guest)}/graphics/0`, { flags: 'skipauth' })])
      .then(([{ openDisplay }, url]) => {
        if (!here) return
        session.current = openDisplay(box.current, url, {
          connected: () => set('live'),
          ended: () => here && set('ended'),
          password: askPassword,
        })
      }, problem => complain('Display', problem))
    return () => { here = false; session.current?.close(); session.current = null }
  }, [off, turn, allowed])
  const paste = async () => session.current.type(await navigator.clipboard.readText())
  return html`${off && html`<${Off} guest=${guest} />`}
    ${!allowed && html`<p class="away">This token has no right domain:open_graphics.</p>`}
    <div class="tools"><span role="status" class="muted">${{ opening: off ? '' : 'Connecting…', live: 'Connected',
      ended: 'There is no display, or its session ended.' }[how]}</span>
      ${how === 'live' && html`<button type="button" onClick=${() => session.current.ctrlAltDel()}>Ctrl+Alt+Del</button>
        <button type="button" onClick=${paste}>Type what is copied</button>
        <button type="button" onClick=${() => box.current.requestFullscreen()}>Full screen</button>`}
      ${how === 'ended' && !off && html`<button type="button" onClick=${() => again(n => n + 1)}>Connect</button>`}</div>
    <div class="screen" ref=${box} data-state=${how}></div>`
}
