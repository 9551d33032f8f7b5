// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files into volumes by tus: what breaks off goes on where it was, also after a reload, when the
// same file is chosen again.
import { Problem, at, call, authorization, origin, readProblem, send } from './api.js'

const TUS = { 'Tus-Resumable': '1.0.0' }
const TRIES = 8, FIRST_MS = 500, LONGEST_MS = 15000

const base64 = text => btoa(String.fromCharCode(...new TextEncoder().encode(text)))
const wait = ms => new Promise(done => setTimeout(done, ms))
const pathOf = location => location.slice(new URL(origin).pathname.replace(/\/$/, '').length)

// By what a file is known again.
const keyOf = (host, pool, file) => `upload ${JSON.stringify([host, pool, file.name, file.size, file.lastModified])}`

// Whether what there is of an upload is of this file: its path, and how far it has come.
async function findBegun(key, file, job) {
  const path = job.path = localStorage.getItem(key)
  if (!path) return null
  try {
    const { headers } = await send('HEAD', path, { headers: TUS })
    if (Number(headers.get('Upload-Length')) === file.size) return { path, offset: Number(headers.get('Upload-Offset')) }
  } catch (problem) {
    if (problem.status !== 404) throw problem
  }
  localStorage.removeItem(key)
  job.path = null
  return null
}

// Sent twice, it begins once.
async function begin(key, host, pool, file, job) {
  const { headers } = await send('POST', `${at('hosts', host)}/uploads`, { headers: { ...TUS,
    'Idempotency-Key': job.id, 'Upload-Length': file.size, 'Upload-Metadata': `pool ${base64(pool)},volume ${base64(file.name)}` } })
  const path = pathOf(headers.get('Location'))
  localStorage.setItem(key, path)
  return { path, offset: 0 }
}

// The rest of the file in one request; fetch() does not tell how much of it is sent.
function sendRest(path, offset, file, job) {
  const request = new XMLHttpRequest()
  request.open('PATCH', origin + path)
  const fields = { ...authorization(), ...TUS, 'Upload-Offset': offset,
                   'Content-Type': 'application/offset+octet-stream' }
  Object.entries(fields).forEach(([name, value]) => request.setRequestHeader(name, value))
  request.upload.onprogress = event => job.progress(offset + event.loaded)
  job.stop = () => request.abort()
  return new Promise((resolve, reject) => {
    request.onload = async () => {
      if (request.status < 300) return resolve()
      return reject(await readProblem(new Response(request.responseText, { status: request.status })))
    }
    request.onerror = () => reject(new Problem(0, { title: 'The upload was cut off' }))
    request.onabort = () => reject(new Problem(0, { title: 'The upload was cancelled' }))
    request.send(file.slice(offset))
  })
}

const mayPass = problem => [0, 408, 409, 429, 502, 503, 504].includes(problem.status)

// Not even a volume is left of it.
async function undo(key, job) {
  localStorage.removeItem(key)
  if (job.path) await discard(job.path).catch(() => {})
  return false
}

async function run(key, host, pool, file, job) {
  for (let tries = 0, last = -1; ; tries++) {
    try {
      const begun = await findBegun(key, file, job) ?? await begin(key, host, pool, file, job)
      if (begun.offset > last) tries = 0
      last = begun.offset
      job.path = begun.path
      if (job.cancelled) return await undo(key, job)
      job.progress(begun.offset)
      if (begun.offset < file.size) await sendRest(begun.path, begun.offset, file, job)
      localStorage.removeItem(key)
      return true
    } catch (problem) {
      if (job.cancelled) return false
      if (!mayPass(problem) || tries === TRIES || (!job.path && problem.status)) throw problem
      job.waits()
      await wait(Math.min(LONGEST_MS, FIRST_MS * 2 ** tries))
      if (job.cancelled) return false
    }
  }
}

// `progress` is told how many bytes are there, `waits` that it was cut off and tries again. `done`
// is whether it was completed; `cancel` ends it, and the volume that it made.
export function uploadFile(host, pool, file, { progress, waits }) {
  const key = keyOf(host, pool, file)
  const job = { id: `${Date.now()}-${Math.random()}`, progress, waits }
  const cancel = async () => {
    job.cancelled = true
    job.stop?.()
    await undo(key, job)
  }
  return { done: run(key, host, pool, file, job), cancel }
}

export const discard = path => call('DELETE', path, { headers: TUS })

// Those of a pool that have not all come.
export async function unfinished(host, pool) {
  const { uploads } = await call('GET', `${at('hosts', host)}/uploads`)
  return uploads.filter(one => one.pool === pool && one.state !== 'complete')
    .map(one => ({ ...one, path: `${at('hosts', host, 'uploads', one.id)}` }))
}
