// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The gateway's API: calls, what they fail with, tickets for WebSockets.

// Where the gateway is, perhaps behind a proxy that adds to its paths.
export const origin = new URL('..', document.baseURI).href.replace(/\/$/, '')

const stores = [sessionStorage, localStorage]
let token = stores.map(one => one.getItem('token')).find(Boolean) ?? null

export const hasToken = () => token !== null

export function setToken(value, keep) {
  token = value
  stores.forEach(one => one.removeItem('token'))
  if (value) stores[keep ? 1 : 0].setItem('token', value)
}

// An answer that says no, or none: the message is libvirt's own where there is one.
export class Problem extends Error {
  constructor(status, body) {
    super(body.error?.message ?? body.detail ?? body.title ?? `status ${status}`)
    this.status = status
    this.body = body
  }
}

export async function readProblem(answer) {
  const text = await answer.text()
  try {
    return new Problem(answer.status, JSON.parse(text))
  } catch {
    return new Problem(answer.status, { title: answer.statusText, detail: text.slice(0, 500) })
  }
}

export const authorization = () => token ? { Authorization: `Bearer ${token}` } : {}

function describe({ body, headers, type }) {
  const all = { ...headers, ...authorization() }
  if (body !== undefined) all['Content-Type'] = type ?? 'application/json'
  return { headers: all, body: type || body === undefined ? body : JSON.stringify(body) }
}

// The whole answer, for who wants its headers or bytes.
export async function send(method, path, options = {}) {
  let answer
  try {
    answer = await fetch(origin + path, { method, signal: options.signal, ...describe(options) })
  } catch (error) {
    throw new Problem(0, { title: 'The gateway cannot be reached', detail: error.message })
  }
  if (answer.ok) return answer
  throw await readProblem(answer)
}

export async function call(method, path, options) {
  const answer = await send(method, path, options)
  const text = await answer.text()
  return text && /json/.test(answer.headers.get('Content-Type')) ? JSON.parse(text) : text
}

export const get = path => call('GET', path)

// A path of segments that may hold any character.
export const at = (...segments) => segments.map(one => `/${encodeURIComponent(one)}`).join('')
export const guestPath = guest => `${at('hosts', guest.host, 'domains', guest.uuid)}`

// A WebSocket cannot send a token: a ticket stands for it. A refusal is told by the close: its code
// is 4000 + the status, its reason says why.
export async function socketUrl(path, query = {}) {
  const all = new URLSearchParams({ refuse: 'close', ...query })
  if (token) all.set('ticket', (await call('POST', '/tickets', { body: { path } })).ticket)
  return `${origin.replace(/^http/, 'ws')}${path}?${all}`
}
