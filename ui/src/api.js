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

/** @typedef {{ body?: any, headers?: object, type?: string, signal?: AbortSignal }} Options */

/** @param {Options} options */
function describe({ body, headers, type }) {
  const all = { ...headers, ...authorization() }
  if (body !== undefined) all['Content-Type'] = type ?? 'application/json'
  return { headers: all, body: type || body === undefined ? body : JSON.stringify(body) }
}

/**
 * The whole answer, for who wants its headers or bytes.
 *
 * @param {import('./types').Method} method
 * @param {string} path
 * @param {Options} options
 */
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

/**
 * What is answered, by openapi.yaml.
 *
 * @template {import('./types').Method} M
 * @template {string} Path
 * @param {M & import('./types').MethodOf<Path>} method
 * @param {Path} path
 * @param {Options & { body?: import('./types').Body<M, Path> | string }} [options]
 * @returns {Promise<import('./types').Answer<M, Path>>}
 */
export async function call(method, path, options) {
  const answer = await send(method, path, options)
  const text = await answer.text()
  return /** @type {any} */ (text && /json/.test(answer.headers.get('Content-Type')) ? JSON.parse(text) : text)
}

/**
 * @template {string} Path
 * @param {Path} path
 * @returns {Promise<import('./types').Answer<'GET', Path>>}
 */
export const get = path => call(/** @type {any} */ ('GET'), path)

/**
 * A path of segments that may hold any character.
 *
 * @template {string[]} Segments
 * @param {Segments} segments
 */
export const at = (...segments) => /** @type {import('./types').Joined<Segments>} */ (
  segments.map(one => `/${encodeURIComponent(one)}`).join(''))

/** @param {import('./types').Known} guest */
export const guestPath = guest => at('hosts', guest.host, 'domains', guest.uuid)

// A WebSocket cannot send a token: a ticket stands for it. A refusal is told by the close: its code
// is 4000 + the status, its reason says why.
export async function socketUrl(path, query = {}) {
  const all = new URLSearchParams({ refuse: 'close', ...query })
  if (token) all.set('ticket', (await call('POST', '/tickets', { body: { path } })).ticket)
  return `${origin.replace(/^http/, 'ws')}${path}?${all}`
}
