// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What can be done with a guest, and when. Only what loses data asks.
import { call, guestPath } from './api.js'
import { ask, attempt, complain, say } from './store.js'

const on = guest => guest.state === 'running' || guest.state === 'blocked'
const off = guest => guest.state === 'shutoff'
const held = guest => guest.state === 'paused'

/**
 * @typedef {{ path: 'start' | 'shutdown' | 'resume' | 'reboot' | 'suspend' | 'managed-save' | 'reset' | 'destroy',
 *   label: string, done: string, when: (guest: import('./types').Guest) => boolean, needs: string, loses?: string }} Kind
 * @typedef {{ label: string, needs: string, danger: boolean, off: boolean, run: () => Promise<any> }} Act
 */

/** @type {Kind[]} */
const all = [
  { path: 'start', label: 'Start', done: 'started', when: off, needs: 'domain:start' },
  { path: 'shutdown', label: 'Shut down', done: 'asked to shut down', when: on, needs: 'domain:init_control' },
  { path: 'resume', label: 'Resume', done: 'resumed', when: held, needs: 'domain:suspend' },
  { path: 'reboot', label: 'Reboot', done: 'asked to reboot', when: on, needs: 'domain:init_control' },
  { path: 'suspend', label: 'Pause', done: 'paused', when: on, needs: 'domain:suspend' },
  { path: 'managed-save', label: 'Save and stop', done: 'saved', when: g => on(g) && g.persistent,
    needs: 'domain:hibernate' },
  { path: 'reset', label: 'Reset', done: 'reset', when: on, needs: 'domain:reset',
    loses: 'It restarts as by its reset button; what it has not written to its disks is lost.' },
  { path: 'destroy', label: 'Force off', done: 'switched off', when: g => !off(g), needs: 'domain:stop',
    loses: 'Its power is cut; what it has not written to its disks is lost.' },
]

/** @param {Kind} what */
export async function act(guest, what) {
  if (what.loses && !await ask(`${what.label} ${guest.name}?`, what.loses, what.label)) return false
  return attempt(`${guest.name} ${what.done}`,
    () => call('POST', `${guestPath(guest)}/${what.path}`))
}

// The likely one first. A guest with a saved state is restored.
export function actsOf(guest) {
  return all.filter(one => one.when(guest)).map(one => ({
    ...one,
    label: one.path === 'start' && guest.managedSave ? 'Restore' : one.label,
    danger: Boolean(one.loses),
    off: guest.stale, // its host cannot be reached
    run: () => act(guest, one),
  }))
}

async function undefine(guest) {
  const text = 'Its definition is deleted; its disks stay. A saved state and snapshots go with it.'
  if (!await ask(`Delete ${guest.name}?`, text, 'Delete')) return false
  return attempt(`${guest.name} deleted`, () => call('DELETE',
    `${guestPath(guest)}?flags=managed-save,snapshots-metadata,checkpoints-metadata,nvram`))
}

/**
 * The likely act, and all others; `gone` is done when the guest is deleted.
 *
 * @returns {[Act | undefined, Act[]]}
 */
export function menuOf(guest, gone = () => {}) {
  const [likely, ...others] = actsOf(guest)
  const remove = { label: 'Delete…', danger: true, needs: 'domain:delete', off: guest.stale,
    run: async () => { if (await undefine(guest)) gone() } }
  return [likely, off(guest) ? [...others, remove] : others]
}

const AT_ONCE = 4

// Of many guests, a few at a time; how it went is said once, but for failures.
export async function actOnAll(guests, path) {
  const { done } = all.find(one => one.path === path), waiting = [...guests]
  let good = 0
  const work = async () => {
    for (let guest; (guest = waiting.shift());) {
      await call('POST', `${guestPath(guest)}/${/** @type {'start'} */ (path)}`).then(() => good++,
        problem => complain(guest.name, problem))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (good) say(`${good} ${good === 1 ? 'guest' : 'guests'} ${done}`)
}
