// SPDX-License-Identifier: LGPL-2.1-or-later
//
// All that the page knows, and who wants to hear of it. Views read by useStore() and change
// nothing here but through the functions of watch.js and of this file.
import { useEffect, useReducer, useRef } from './html.js'

/** @type {import('./types').State} */
export const state = {
  link: 'connecting', // live, reconnecting, down
  login: null, // why a token is wanted, if it is
  features: [],
  who: null, // GET /whoami, where there is one
  hosts: new Map(),
  guests: null, // by host/uuid; null until they are read
  away: new Map(), // hosts that could not be asked
  counts: {}, // of networks and storage pools
  figures: new Map(), // by host/uuid
  slow: new Set(), // hosts that missed two polls
  events: [], // newest first
  work: { turn: 0, progress: new Map() }, // operations: how often one began or ended; by id
  toasts: [],
  question: null,
}

const listeners = new Set()
let told = false

/** @param {Partial<import('./types').State>} what */
export function change(what) {
  Object.assign(state, what)
  if (told) return
  told = true
  queueMicrotask(() => {
    told = false
    listeners.forEach(listen => listen())
  })
}

/**
 * The part of the state that `select` picks; the view is drawn again when it is another.
 *
 * @template Part
 * @param {(state: import('./types').State) => Part} select
 * @returns {Part}
 */
export function useStore(select) {
  const [, redraw] = useReducer(n => n + 1, 0)
  const last = useRef()
  last.current = { select, value: select(state) }
  useEffect(() => {
    const listen = () => {
      if (!Object.is(last.current.select(state), last.current.value)) redraw()
    }
    listeners.add(listen)
    listen()
    return () => listeners.delete(listen)
  }, [])
  return last.current.value
}

/** @param {import('./types').Known} guest */
export const keyOf = guest => `${guest.host}/${guest.uuid}`

// Whether this gateway has it.
export const has = feature => state.features.includes(feature)

// What a token may not, by whoami; without it the gateway's answer tells.
export const may = permission => state.who?.permissions?.includes(permission) ?? true

/* ---- what is said to the user ---- */

let lastToast = 0
const SAID_MS = 4000

export const unsay = id => change({ toasts: state.toasts.filter(one => one.id !== id) })

export function say(text) {
  const id = ++lastToast
  change({ toasts: [...state.toasts, { id, text }] })
  setTimeout(() => unsay(id), SAID_MS)
}

// A failure stays until it is closed.
export function complain(what, problem, again) {
  if (problem.status === 401) return change({ login: 'This token is not accepted any more.' })
  change({ toasts: [...state.toasts.slice(-4), { id: ++lastToast, text: what, problem, again }] })
}

// Does it, and says how that went. Whether it was done.
export async function attempt(what, work) {
  try {
    await work()
    say(what)
    return true
  } catch (problem) {
    complain(what, problem, problem.body?.retryable ? () => attempt(what, work) : null)
    return false
  }
}

// Whether the user wants what cannot be taken back.
export const ask = (title, text, label) => new Promise(done => change({
  question: { title, text, label, answer: yes => { change({ question: null }); done(yes) } },
}))
