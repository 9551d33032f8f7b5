#!/usr/bin/env node
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tus-js-client, as others use it, against /uploads: in Node and in a page of another origin;
// stopped and gone on with, cut off by the network, before a gateway that was started anew.
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { createRequire } from 'node:module'
import path from 'node:path'
import { Gateway, check, folder, launch, removeFolder, report, site, until } from './harness.mjs'

const modules = createRequire(path.join(process.env.VG_NODE_MODULES, 'x'))
const tus = modules('tus-js-client')
const TOKEN = 'a token of the admin', SIZE = 32 << 20, CUT = 12 << 20
const headers = { Authorization: `Bearer ${TOKEN}` }
const pool = path.join(folder, 'tus')

function writeTokens() {
  const file = path.join(folder, 'tokens')
  writeFileSync(file, `alice admin ${createHash('sha256').update(TOKEN).digest('hex')}\n`, { mode: 0o600 })
  return file
}

// Between client and gateway: can be cut, and lead to another gateway.
class Proxy {
  sockets = new Set()
  cutAfter = Infinity // bytes of clients, once

  constructor(gateway) {
    this.to(gateway)
    this.server = createServer(client => {
      const host = connect(this.port, '127.0.0.1')
      for (const socket of [client, host]) {
        this.sockets.add(socket)
        socket.on('error', () => {}).on('close', () => { client.destroy(); host.destroy() })
      }
      let n = 0
      client.on('data', piece => {
        n += this.cutAfter === Infinity ? 0 : piece.length
        if (n < this.cutAfter) return
        this.cutAfter = Infinity
        client.destroy()
      })
      client.pipe(host).pipe(client)
    })
  }

  to(gateway) {
    this.port = Number(new URL(gateway.base).port)
  }

  async listen() {
    await new Promise(done => this.server.listen(0, '127.0.0.1', done))
    this.base = `http://127.0.0.1:${this.server.address().port}`
    return this
  }

  cut() {
    this.sockets.forEach(one => one.destroy())
    this.sockets.clear()
  }

  close() {
    this.server.close()
    this.cut()
  }
}

// An upload whose end is awaited; `at` is called with how much the gateway has, or the client sent.
function run(file, options, at = () => {}) {
  let upload
  const ended = new Promise(done => {
    upload = new tus.Upload(file, { headers, retryDelays: [100, 300, 1000, 3000, 5000, 5000], ...options,
      onProgress: sent => at(sent, upload),
      onError: error => done(error),
      onSuccess: () => done(null) })
  })
  return { upload, ended }
}

const same = (name, data) => readFileSync(path.join(pool, name)).equals(data)

async function testNode(gateway, proxy) {
  const endpoint = `${proxy.base}/hosts/kvm1/uploads`, data = randomBytes(SIZE)
  const sha256 = createHash('sha256').update(data).digest('hex')
  const file = path.join(folder, 'node.img')
  writeFileSync(file, data)

  const whole = run(data, { endpoint, metadata: { pool: 'tus', volume: 'whole', sha256 } })
  whole.upload.start()
  check(await whole.ended === null && same('whole', data), 'Node: in one request')

  const pieces = run(data, { endpoint, chunkSize: 5 << 20, metadata: { pool: 'tus', volume: 'pieces', sha256 } })
  pieces.upload.start()
  check(await pieces.ended === null && same('pieces', data), 'Node: in pieces')

  // stopped, and gone on with by another client that knows the URL alone; in pieces, since the whole
  // may be sent before it stops
  let stopped, requests
  const first = run(data, { endpoint, chunkSize: 5 << 20, metadata: { pool: 'tus', volume: 'stopped', sha256 } }, (sent, upload) => {
    if (sent > CUT) stopped ??= upload.abort()
  })
  first.upload.start()
  await until(() => Boolean(stopped))
  await stopped
  const offsets = []
  const second = run(data, { endpoint, uploadUrl: first.upload.url, metadata: { pool: 'tus', volume: 'stopped' },
    onBeforeRequest: request => offsets.push([request.getMethod(), request.getHeader('Upload-Offset')]) })
  second.upload.start()
  check(await second.ended === null && same('stopped', data) && offsets[0][0] === 'HEAD' && Number(offsets[1][1]) > 0,
    'Node: stopped and gone on with', offsets)

  proxy.cutAfter = CUT
  offsets.length = 0
  const cut = run(data, { endpoint, metadata: { pool: 'tus', volume: 'cut', sha256 },
    onBeforeRequest: request => offsets.push([request.getMethod(), request.getHeader('Upload-Offset')]) })
  cut.upload.start()
  check(await cut.ended === null && same('cut', data) && Number(offsets.at(-1)[1]) > 0,
    'Node: cut off, it goes on by itself', offsets)

  // the answer of POST is lost, and it is sent again
  requests = 0
  const lost = run(data, { endpoint, metadata: { pool: 'tus', volume: 'lost', sha256 },
    onBeforeRequest: () => { requests++ },
    onAfterResponse: () => { if (requests === 1) throw new Error('lost') } })
  lost.upload.start()
  check(await lost.ended === null && same('lost', data), 'Node: the answer of POST is lost')

  const ended = run(data, { endpoint, chunkSize: 5 << 20, metadata: { pool: 'tus', volume: 'ended' } }, async (sent, upload) => {
    if (sent > CUT) stopped ??= upload.abort(true)
  })
  stopped = null
  ended.upload.start()
  await until(() => Boolean(stopped))
  check(await stopped.then(() => true, error => error) === true && await until(() => !existsSync(path.join(pool, 'ended')), 20),
    'Node: terminated, its volume goes with it')

  const wrong = run(data, { endpoint, metadata: { pool: 'tus', volume: 'wrong', sha256: '0'.repeat(64) } })
  wrong.upload.start()
  const error = await wrong.ended
  check(error?.originalResponse?.getStatus() === 400 && await until(() => !existsSync(path.join(pool, 'wrong')), 20),
    'Node: another digest', error)
  return data
}

// The gateway's memory is gone: a client that goes on begins anew.
async function testAnew(gateway, proxy, options, data) {
  const endpoint = `${proxy.base}/hosts/kvm1/uploads`, requests = []
  const metadata = { pool: 'tus', volume: 'anew' }
  let stopped
  const first = run(data, { endpoint, chunkSize: 5 << 20, metadata }, (sent, upload) => {
    if (sent > CUT) stopped ??= upload.abort()
  })
  first.upload.start()
  await until(() => Boolean(stopped))
  gateway.process.kill('SIGKILL')
  await gateway.ended
  const again = await new Gateway(...options).start()
  proxy.to(again)
  proxy.cut()
  const second = run(data, { endpoint, uploadUrl: first.upload.url, metadata,
    onBeforeRequest: request => requests.push(request.getMethod()) })
  second.upload.start()
  check(await second.ended === null && same('anew', data) && requests.join() === 'HEAD,POST,PATCH',
    'Node: a gateway that was killed: it begins anew', requests)
  return again
}

// In the page: how that went, and what was asked.
async function inPage(page, gateway, what) {
  return page.evaluate(async ({ base, headers, volume, cut, size }) => {
    const data = new Uint8Array(size).map((_, i) => (i * 7 + (i >> 12)) & 255)
    const requests = []
    const send = options => new Promise(done => {
      const upload = new window.tus.Upload(new File([data], volume, { lastModified: 0 }), {
        endpoint: `${base}/hosts/kvm1/uploads`, headers, metadata: { pool: 'tus', volume },
        retryDelays: [100, 300, 1000, 3000, 5000, 5000],
        onBeforeRequest: request => requests.push([request.getMethod(), request.getHeader('Upload-Offset')]),
        onSuccess: () => done('done'),
        onError: error => done(String(error)),
        onProgress: async sent => {
          if (!cut || sent < cut || !options.stop) return
          options.stop = false
          await upload.abort()
          done('stopped')
        },
      })
      upload.findPreviousUploads().then(found => {
        if (found.length) upload.resumeFromPreviousUpload(found[0])
        upload.start()
      })
    })
    const results = []
    if (cut) results.push(await send({ stop: true }))
    results.push(await send({}))
    return { results, requests }
  }, { base: gateway.base, headers, size: SIZE, ...what })
}

const pattern = () => Buffer.from(new Uint8Array(SIZE).map((_, i) => (i * 7 + (i >> 12)) & 255))

async function openSite(browser, origin) {
  const page = await (await browser.newContext()).newPage()
  await page.goto(`${origin}/empty`)
  await page.addScriptTag({ url: '/modules/tus-js-client/dist/tus.min.js' })
  return page
}

async function testBrowser(gateway, proxy, ours, theirs) {
  const browser = await launch()
  try {
    const page = await openSite(browser, ours.origin)
    const whole = await inPage(page, gateway, { volume: 'browser' })
    check(whole.results.join() === 'done' && same('browser', pattern()), 'Chromium: another origin that is allowed',
      whole)
    const slow = await page.context().newCDPSession(page)
    await slow.send('Network.enable')
    const network = (offline, uploadThroughput) => slow.send('Network.emulateNetworkConditions',
      { offline, latency: 0, downloadThroughput: -1, uploadThroughput })
    await network(false, 16 << 20)
    const stopped = await inPage(page, gateway, { volume: 'resumed', cut: CUT })
    const patches = stopped.requests.filter(([method]) => method === 'PATCH')
    check(stopped.results.join() === 'stopped,done' && same('resumed', pattern()) && Number(patches.at(-1)[1]) > 0,
      'Chromium: stopped and gone on with', stopped)
    await network(false, -1)
    proxy.cutAfter = CUT
    const broken = await inPage(page, proxy, { volume: 'broken' })
    const last = broken.requests.filter(([method]) => method === 'PATCH').at(-1)
    check(broken.results.join() === 'done' && same('broken', pattern()) && Number(last[1]) > 0,
      'Chromium: cut off, it goes on by itself', broken)
    const other = await openSite(browser, theirs.origin)
    const refused = await inPage(other, gateway, { volume: 'refused' })
    check(refused.results.join() !== 'done' && !existsSync(path.join(pool, 'refused')),
      'Chromium: an origin that is not allowed', refused)
  } finally {
    await browser.close()
  }
}

async function main() {
  const uri = process.env.VG_QEMU_URI
  if (!uri) throw new Error('no libvirtd: run it by tests/run.sh browser')
  chmodSync(folder, 0o755)
  const [ours, theirs] = [await site(), await site()]
  const options = ['--host', `kvm1=${uri}`, '--token-file', writeTokens(), '--cors-origin', ours.origin,
                   '--transfer-deadline', '3']
  let gateway = await new Gateway(...options).start()
  const made = await gateway.send('POST', '/hosts/kvm1/storage-pools', TOKEN,
    JSON.stringify({ name: 'tus', path: pool, build: true, start: true }))
  check(made.status === 201, 'a pool', await made.text())
  const proxy = await new Proxy(gateway).listen()
  try {
    const data = await testNode(gateway, proxy)
    await testBrowser(gateway, proxy, ours, theirs)
    gateway = await testAnew(gateway, proxy, options, data) ?? gateway
  } catch (error) {
    check(false, 'the test went on', error.stack)
  }
  proxy.close()
  ours.close()
  theirs.close()
  await gateway.send('POST', '/hosts/kvm1/storage-pools/tus/destroy', TOKEN)
  await gateway.send('DELETE', '/hosts/kvm1/storage-pools/tus', TOKEN)
  await gateway.stop()
}

await main()
removeFolder()
report()
