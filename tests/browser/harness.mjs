// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the browser tests share: checks that are counted, a gateway, a site with a page of its own,
// Debian's Chromium.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname)
export const root = path.resolve(here, '../..')
const modules = process.env.VG_NODE_MODULES // with its last folder
const { chromium } = createRequire(path.join(modules, 'x'))('playwright-core')

const counts = { passed: 0, failed: 0 }

export function check(ok, what, detail = '') {
  counts[ok ? 'passed' : 'failed']++
  if (!ok) console.log(`FAILED ${what}`, detail)
  return ok
}

export function report() {
  console.log(`${counts.passed} passed, ${counts.failed} failed`)
  process.exitCode = counts.failed || !counts.passed ? 1 : 0
}

export const sleep = seconds => new Promise(done => setTimeout(done, 1000 * seconds))

// Whether it becomes true; what is asked may fail meanwhile.
export async function until(ask, seconds = 60) {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await sleep(0.1)) {
    try {
      if (await ask()) return true
    } catch { /* not yet */ }
  }
  return false
}

export const folder = mkdtempSync(path.join(tmpdir(), 'vg-browser-'))
export const removeFolder = () => rmSync(folder, { recursive: true, force: true })

export class Gateway {
  constructor(...options) {
    this.log = path.join(folder, 'gateway.log')
    const out = openSync(this.log, 'w')
    this.process = spawn(process.env.VIRTGATE_BIN ?? path.join(root, 'build/virtgate'),
      ['--listen', '127.0.0.1:0', '--log-level', '1', ...options],
      { stdio: ['ignore', out, out] })
    this.ended = new Promise(done => this.process.once('exit', code => done(code)))
  }

  read = () => readFileSync(this.log, 'utf8')

  async start() {
    const listening = await until(() => /listening.*127\.0\.0\.1:(\d+)/.test(this.read()))
    if (!listening) throw new Error(this.read())
    this.base = `http://127.0.0.1:${this.read().match(/listening.*127\.0\.0\.1:(\d+)/)[1]}`
    await until(async () => (await fetch(this.base + '/health/ready')).ok)
    return this
  }

  async send(method, target, token, body, type = 'application/json') {
    return fetch(this.base + target, {
      method, body, headers: { Authorization: `Bearer ${token}`, 'Content-Type': type },
    })
  }

  async stop() {
    this.process.kill('SIGTERM')
    const code = await this.ended
    check(code === 0, 'exit status of the gateway', `${code}\n${this.read().slice(-4000)}`)
  }
}

const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
                '.html': 'text/html' }

// The examples of docs/browser.md as one module, with the gateway and the token of the test.
async function examples() {
  const text = await readFile(path.join(root, 'docs/browser.md'), 'utf8')
  const code = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(m => m[1]).join('\n')
  const given = /^const gateway = .*\n/m
  if (!given.test(code)) throw new Error('docs/browser.md has changed')
  return `import { Terminal } from '/modules/@xterm/xterm/lib/xterm.mjs'
import { AttachAddon } from '/modules/@xterm/addon-attach/lib/addon-attach.mjs'
import RFB from '/modules/@novnc/novnc/core/rfb.js'
const { gateway, token } = window
${code.replace(given, '')}
Object.assign(window, { call, ticketed, watch, openConsole, openDisplay, tellRefusal })`
}

async function answer(request, response) {
  const target = new URL(request.url, 'http://localhost').pathname
  const file = target.startsWith('/modules/')
    ? path.join(modules, path.normalize(target.slice('/modules'.length)))
    : path.join(here, 'page.html')
  try {
    const body = target === '/examples.mjs' ? await examples() : await readFile(file)
    const type = types[path.extname(target)] ?? 'text/html'
    response.writeHead(200, { 'Content-Type': type }).end(body)
  } catch (e) {
    response.writeHead(404).end(String(e))
  }
}

// A site of its own: its origin, and how it ends.
export async function site() {
  const server = createServer(answer)
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  return { origin: `http://localhost:${server.address().port}`, close: () => server.close() }
}

export const launch = () => chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})
