// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files into volumes by tus: what breaks off goes on where it was, also after a reload, when the
// same file is chosen again.
import { Problem, at, call, authorization, origin, readProblem } from './api.js'
import { loadTus } from './lazy.js'

const RETRY_DELAYS = [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]
const MAY_PASS = [0, 408, 409, 429, 502, 503, 504] // 0: no answer

/** @param {any} error tus-js-client's */
const statusOf = error => error.originalResponse?.getStatus() ?? 0

/** @param {any} error tus-js-client's */
async function explain(error) {
  if (!statusOf(error)) return new Problem(0, { title: 'The upload was cut off', detail: error.message })
  return readProblem(new Response(error.originalResponse.getBody(), { status: statusOf(error) }))
}

// By what a file is known again.
const keyOf = (host, pool, file) => JSON.stringify([host, pool, file.name, file.size, file.lastModified])

// Where it is, and what it is to become.
const describe = (host, pool, file) => ({
  endpoint: `${origin}${at('hosts', host)}/uploads`,
  metadata: { pool, volume: file.name },
  headers: authorization(),
  retryDelays: RETRY_DELAYS,
  fingerprint: async () => keyOf(host, pool, file),
  removeFingerprintOnSuccess: true,
})

// The POST is known again by its key: sent twice, it begins once.
const sendOnce = () => {
  const id = `${Date.now()}-${Math.random()}`
  return request => { if (request.getMethod() === 'POST') request.setHeader('Idempotency-Key', id) }
}

async function run(job, host, pool, file, { progress, waits }) {
  const { Upload } = await loadTus()
  return new Promise((resolve, reject) => {
    const upload = job.upload = new Upload(file, {
      ...describe(host, pool, file),
      onBeforeRequest: sendOnce(),
      onUploadUrlAvailable: () => { if (job.cancelled) job.discard() },
      onProgress: progress,
      onShouldRetry(error) {
        const again = !job.cancelled && MAY_PASS.includes(statusOf(error))
        if (again) waits()
        return again
      },
      onSuccess: () => resolve(true),
      onError: async error => job.cancelled ? resolve(false) : reject(await explain(error)),
    })
    job.discard = () => upload.abort(true).catch(() => {}).then(() => resolve(false))
    upload.findPreviousUploads().then(begun => {
      if (begun.length) upload.resumeFromPreviousUpload(begun[0])
      upload.start()
    })
  })
}

// `progress` is told how many bytes are there, `waits` that it was cut off and tries again. `done`
// is whether it was completed; `cancel` ends it, and the volume that it made: of one that begins
// when it is known where.
export function uploadFile(host, pool, file, told) {
  const job = { cancelled: false, upload: null, discard: null }
  const cancel = () => {
    job.cancelled = true
    if (job.upload?.url) job.discard()
  }
  return { done: run(job, host, pool, file, told), cancel }
}

export const discard = path => call('DELETE', path, { headers: { 'Tus-Resumable': '1.0.0' } })

// Those of a pool that have not all come.
export async function unfinished(host, pool) {
  const { uploads } = await call('GET', `${at('hosts', host)}/uploads`)
  return uploads.filter(one => one.pool === pool && one.state !== 'complete')
    .map(one => ({ ...one, path: `${at('hosts', host, 'uploads', one.id)}` }))
}
