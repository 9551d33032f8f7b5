// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What several views are made of.
import { complain, may, say, state, unsay, useStore } from './store.js'
import { get } from './api.js'
import { html, useEffect, useRef, useState } from './html.js'

// A state is a word, a shape and a colour.
const SHAPES = { running: '●', paused: '■', pmsuspended: '■', crashed: '◆', down: '◆', up: '●', active: '●',
                 succeeded: '●', failed: '◆', inaccessible: '◆', degraded: '◆', idle: '●', blocked: '●' }
const KINDS = { '●': 'good', '■': 'held', '◆': 'bad' }
export const State = ({ is }) => {
  const shape = SHAPES[is] ?? '○'
  return html`<span class="state ${KINDS[shape] ?? 'off'}"><i aria-hidden="true">${shape}</i>
    <span>${{ shutoff: 'off', pmsuspended: 'asleep' }[is] ?? is}</span></span>`
}

// From 0 to `top`, or to its own maximum; null is a gap. The last of so many points is at the right.
export function Spark({ values = [], points = 60, top, label }) {
  const high = top || Math.max(1, ...values)
  const at = (v, i) => `${points - values.length + i},${(19 - Math.min(1, v / high) * 18).toFixed(1)}`
  const line = values.map((v, i) => (v === null ? '' : (values[i - 1] ?? null) === null ? `M${at(v, i)}h0` : `L${at(v, i)}`))
  return html`<svg class="spark" viewBox="0 0 ${points} 20" preserveAspectRatio="none" role="img"
    aria-label=${label}><path d=${line.join('')} /></svg>`
}

// What changes something: off, with a title that says why, where the right is missing.
export function Act({ needs, disabled, title, children, ...rest }) {
  const allowed = !needs || may(needs)
  return html`<button type="button" ...${rest} disabled=${disabled || !allowed}
    title=${allowed ? title : `This token has no right ${needs}`}>${children}</button>`
}

let menus = 0
export function Menu({ label, items }) {
  const [id] = useState(() => `menu${++menus}`)
  const list = useRef()
  const place = event => {
    if (event.newState !== 'open') return
    const at = list.current.previousSibling.getBoundingClientRect()
    const { offsetWidth: wide, offsetHeight: high } = list.current
    list.current.style.left = `${Math.max(8, at.right - wide)}px`
    list.current.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - high - 8))}px`
  }
  return html`<span class="menu"><button type="button" class="quiet" popovertarget=${id}
      aria-label=${label} title=${label}>⋯</button><div popover id=${id} ref=${list} onToggle=${place}
      onClick=${() => list.current.hidePopover()}>${items.map(one => html`<${Act} key=${one.label}
        class=${one.danger ? 'danger' : ''} needs=${one.needs} disabled=${one.off} onClick=${one.run}>${one.label}<//>`)}
    </div></span>`
}

// How much of something is in use.
export const Bar = ({ part }) => html`<span class="bar" aria-hidden="true"><i style=${{ width: `${Math.min(100, 100 * (part || 0))}%` }}></i></span>`

export const Choice = ({ label, value, set, options }) => html`<select aria-label=${label} value=${value}
  onChange=${event => set(event.target.value)}>${options.map(([key, text]) => html`<option key=${key}
  value=${key}>${text}</option>`)}</select>`

export const Empty = ({ children }) => html`<div class="empty">${children}</div>`
export const Loading = ({ what }) => html`<p class="empty" role="status">Reading ${what}…</p>`

// Of a problem in an answer: libvirt's own words where there are some.
export const wordsOf = problem => problem?.error?.message ?? problem?.detail ?? problem?.title ?? ''

// libvirt's sentence first; the rest is to unfold.
export function Failure({ problem, again }) {
  return html`<div class="failure" role="alert"><p>${problem.message}</p>
    ${problem.body?.outcome === 'unknown' && html`<p>Nobody knows whether it was done. Look before
      you try again.</p>`}
    ${again && html`<button type="button" onClick=${again}>Try again</button>`}
    <details><summary>Details</summary><pre>${JSON.stringify(problem.body, null, 1)}</pre></details>
  </div>`
}

/**
 * The answer at a path, read again when `when` changes.
 *
 * @template {string} Path
 * @param {Path} path
 * @param {any} when
 * @returns {{ data?: import('./types').Answer<'GET', Path>, problem?: any, again: () => void }}
 */
export function useRead(path, when = '') {
  const [answer, set] = useState(/** @type {any} */ ({}))
  const [turn, next] = useState(0)
  useEffect(() => {
    let here = true
    if (!path) return undefined
    get(path).then(data => here && set({ data, path }), problem => {
      if (here) set(old => ({ data: old.path === path ? old.data : undefined, path, problem }))
      if (problem.status === 401) complain('', problem)
    })
    return () => { here = false }
  }, [path, when, turn])
  const mine = answer.path === path ? answer : {}
  return { ...mine, again: () => next(n => n + 1) }
}

/**
 * The same, again and again while somebody looks.
 *
 * @template {string} Path
 * @param {Path} path
 * @param {number} ms
 */
export function usePoll(path, ms) {
  const read = useRead(path)
  const again = useRef()
  again.current = read.again
  useEffect(() => {
    const timer = setInterval(() => document.hidden || again.current(), ms)
    return () => clearInterval(timer)
  }, [path])
  return read
}

// A list with all its faces; `children` draws what is there.
export function Listing({ read, what, list, none, children }) {
  if (read.problem && !read.data) return html`<${Failure} problem=${read.problem} again=${read.again} />`
  if (!read.data) return html`<${Loading} what=${what} />`
  const rows = list(read.data)
  return html`<${Away} unreachable=${read.data.unreachable} />
    ${rows.length ? children(rows) : html`<${Empty}><p>${none ?? `No ${what}`}</p><//>`}`
}

export const Away = ({ unreachable = [], children = '' }) => unreachable.map(one => html`<p key=${one.host} class="away"
  role="status"><b>${one.host}</b> cannot be reached${children}. <small>${wordsOf(one.error)}</small></p>`)

// A head that begins with # is of figures.
export function Table({ label, head, children }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}><table>
    <thead><tr>${head.map((name, i) => html`<th key=${i} scope="col" class=${name.startsWith('#') ? 'number' : undefined}>${
      name.replace('#', '') || html`<span class="hidden">Acts</span>`}</th>`)}</tr></thead><tbody>${children}</tbody></table></div>`
}

// What is undefined is not shown; null is that there is none.
export const Facts = ({ of }) => html`<dl class="facts">${of.filter(([, value]) => value !== undefined).map(([name, value]) => html`<div
  key=${name}><dt>${name}</dt><dd>${value ?? '–'}</dd></div>`)}</dl>`

// A heading that takes the focus when the view is new, and names the page.
export function Title({ text, more = '', children }) {
  const heading = useRef()
  useEffect(() => {
    document.title = `${text} · virtgate`
    heading.current.focus({ preventScroll: true })
  }, [text])
  return html`<header class="title"><h1 tabindex="-1" ref=${heading}>${text}</h1>
    <small class="more">${more}</small>${children}</header>`
}

export function Toasts() {
  const toasts = useStore(s => s.toasts)
  return html`<div class="toasts" aria-live="polite">${toasts.map(one => html`<div key=${one.id}
    class="toast ${one.problem ? 'bad' : ''}"><div>${one.problem
      ? html`<b>${one.text}: not done</b><${Failure} problem=${one.problem}
          again=${one.again && (() => { unsay(one.id); one.again() })} />` : one.text}</div>
    <button type="button" class="quiet" aria-label="Close" onClick=${() => unsay(one.id)}>×</button>
  </div>`)}</div>`
}

export function Question() {
  const question = useStore(s => s.question)
  const dialog = useRef()
  useEffect(() => { if (question) dialog.current.showModal() }, [question])
  return question && html`<dialog ref=${dialog} aria-labelledby="asked"
      onCancel=${() => question.answer(false)}><h2 id="asked">${question.title}</h2>
    <p>${question.text}</p><div class="acts">
      <button type="button" onClick=${() => question.answer(false)}>Cancel</button>
      <button type="button" class="danger" onClick=${() => question.answer(true)}>${question.label}</button>
    </div></dialog>`
}

/**
 * A form over the page, until it is sent or given up; what fails stands in it.
 *
 * @param {{ title: string, label: string, done: string, submit: (form: FormData) => Promise<any>, close: () => void,
 *   children?: any }} props
 */
export function Dialog({ title, label, done, submit, close, children }) {
  const dialog = useRef()
  const [problem, fail] = useState(null)
  const [busy, work] = useState(false)
  useEffect(() => dialog.current.showModal(), [])
  const send = async event => {
    event.preventDefault()
    work(true)
    fail(null)
    try {
      await submit(new FormData(event.target))
      say(done)
      dialog.current?.close()
    } catch (why) {
      fail(why)
    }
    work(false)
  }
  return html`<dialog ref=${dialog} aria-labelledby="dialog" onClose=${close}><form onSubmit=${send}><h2 id="dialog">${title}</h2>
    ${children}${problem && html`<${Failure} problem=${problem} />`}<div class="acts">
      <button type="button" onClick=${() => dialog.current.close()}>Cancel</button>
      <button class="main" disabled=${busy}>${label}</button></div></form></dialog>`
}

export const isLive = () => state.link === 'live'
