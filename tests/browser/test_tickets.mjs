#!/usr/bin/env node
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A page of another origin that is allowed, a gateway with a token file, a real guest: the examples
// of docs/browser.md as they stand there. And what a page cannot do with a ticket.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Gateway, check, folder, launch, removeFolder, report, root, site, sleep, until }
  from './harness.mjs'

const TOKEN = 'a token of the page', KEEP = 'a token that stays'
const LATE = 30.5 // seconds

const guest = `<domain type='qemu'><name>web page</name><memory unit='MiB'>96</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type>
<kernel>${folder}/vmlinuz</kernel><initrd>${folder}/initrd</initrd>
<cmdline>quiet console=ttyS0 rdinit=/bin/sh</cmdline></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<controller type='usb' model='none'/><memballoon model='none'/>
<serial type='pty'/><console type='pty'/>
<graphics type='vnc' autoport='yes' listen='127.0.0.1' passwd='s3cret'/>
<video><model type='vga'/></video></devices></domain>`
const GUEST = '/domains/web%20page'

function writeTokens(...tokens) {
  const lines = tokens.map(t => `page admin ${createHash('sha256').update(t).digest('hex')}\n`)
  const file = path.join(folder, 'tokens')
  writeFileSync(file + '.new', lines.join(''), { mode: 0o600 })
  renameSync(file + '.new', file)
  return file
}

async function open(browser, origin, gateway) {
  const page = await (await browser.newContext()).newPage()
  page.on('pageerror', e => check(false, 'an error in the page', e))
  await page.addInitScript(([base, token]) => {
    Object.assign(window, { gateway: base, token, seen: [], sockets: [], sources: [] })
    // what the examples open is looked at by the tests
    const noting = list => ({
      construct(kind, args) {
        const made = new kind(...args)
        made.addEventListener('close', e => { made.code = e.code })
        list.push(made)
        return made
      },
    })
    window.WebSocket = new Proxy(window.WebSocket, noting(window.sockets))
    window.EventSource = new Proxy(window.EventSource, noting(window.sources))
  }, [gateway.base, TOKEN])
  await page.goto(origin + '/')
  await page.addScriptTag({ type: 'module', url: '/examples.mjs' })
  return page
}

// What becomes of an EventSource: "open" or "closed".
const listen = (page, url) => page.evaluate(url => new Promise(done => {
  const source = new EventSource(url)
  source.onopen = () => { source.close(); done('open') }
  source.onerror = () => { source.close(); done('closed') }
}), url)

const connect = (page, url) => page.evaluate(url => new Promise(done => {
  const socket = new WebSocket(url.replace(/^http/, 'ws'))
  socket.onopen = () => { socket.close(); done('open') }
  socket.onerror = () => done('closed')
}), url)

const ticketed = (page, ...args) => page.evaluate(args => window.ticketed(...args), args)

async function testEvents(page, gateway) {
  await page.evaluate(async guest => {
    const list = await window.call('GET', '/domains')
    await window.watch({ domain: guest, event: 'lifecycle' }, list.headers.get('X-Virtgate-Revision'),
      e => window.seen.push(e.type))
  }, 'web page')
  const seen = want => until(async () =>
    (await page.evaluate(() => window.seen.join())) === want)
  await gateway.send('POST', GUEST + '/suspend', KEEP)
  check(await seen('suspended'), 'an EventSource tells what happens')
  gateway.process.kill('SIGHUP') // which ends all streams
  await until(async () => page.evaluate(() => window.sources[0].readyState === EventSource.CLOSED))
  await gateway.send('POST', GUEST + '/resume', KEEP)
  check(await seen('suspended,resumed'), 'it goes on with another ticket, and misses nothing',
    await page.evaluate(() => window.seen.join()))
}

const screen = page => page.evaluate(() => {
  const buffer = window.terminal.buffer.active
  return Array.from({ length: buffer.length }, (_, i) =>
    buffer.getLine(i).translateToString(true)).join('\n')
})

async function testConsole(page) {
  await page.evaluate(async () => {
    window.terminal = await window.openConsole('web page', document.getElementById('console'))
  })
  const shows = text => until(async () => (await screen(page)).includes(text), 120)
  await page.evaluate(() => window.terminal.input('\r'))
  check(await shows('# '), 'xterm.js shows the prompt', await screen(page))
  await page.click('#console')
  await page.keyboard.type('echo =$((6*7))=')
  await page.keyboard.press('Enter')
  check(await shows('=42='), 'and what the shell answers to what is typed', await screen(page))
}

async function testDisplay(page) {
  await page.evaluate(async () => {
    window.rfb = await window.openDisplay('web page', document.getElementById('display'))
    window.rfb.addEventListener('connect', () => { window.connected = true })
  })
  check(await until(() => page.evaluate(() => window.connected)), 'noVNC connects')
  check(await until(() => page.evaluate(() => {
    const canvas = document.querySelector('#display canvas')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    return canvas.width >= 640 && data.some((byte, i) => i % 4 !== 3 && byte > 0)
  })), 'and shows what is on the screen')
}

async function testRefused(page, stranger, browser, gateway) {
  check(await listen(page, gateway.base + '/events') === 'closed', 'without a ticket: no stream')
  check(await connect(page, gateway.base + '/events') === 'closed', 'nor a WebSocket')
  for (const [kind, use] of [['EventSource', listen], ['WebSocket', connect]]) {
    const url = await ticketed(page, '/events', { object: 'domain' })
    check(await use(page, url) === 'open', `a ticket opens one ${kind},`)
    check(await use(page, url) === 'closed', 'and no second')
    const other = await ticketed(page, '/events')
    check(await use(page, other.replace('/events', GUEST + '/events')) === 'closed',
      `${kind}: a ticket for another path`)
    check(await use(page, other) === 'closed', `${kind}: which has used it`)
    const stolen = await ticketed(page, '/events')
    check(await use(stranger, stolen) === 'closed', `${kind}: a ticket of another origin`)
  }
  const evil = await site()
  const its = await (await browser.newContext()).newPage()
  await its.goto(evil.origin)
  const url = await ticketed(page, '/events')
  check(await listen(its, url) === 'closed', 'a page that is not allowed: no stream')
  check(await connect(its, url) === 'closed', 'nor a WebSocket')
  evil.close()
}

// The gateway's own page: EventSource sends no Origin there.
async function testOwnPage(browser, gateway) {
  const page = await (await browser.newContext()).newPage()
  await page.goto(gateway.base + '/openapi.json')
  const url = await page.evaluate(async token => {
    const answer = await fetch('/tickets', {
      method: 'POST', body: '{"path": "/events"}',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    })
    return `/events?ticket=${(await answer.json()).ticket}`
  }, TOKEN)
  check(await listen(page, url) === 'open', 'a page of the gateway itself')
}

async function testRefusal(page) {
  const told = await page.evaluate(async () => {
    const url = await window.ticketed('/domains/nosuch/console', { refuse: 'close' })
    return new Promise(done => window.tellRefusal(new WebSocket(url.replace(/^http/, 'ws')), done))
  })
  check(told.startsWith('refused: 404 Domain not found'), 'a script is told why', told)
}

async function testRevoked(page) {
  writeTokens(KEEP)
  check(await until(() => page.evaluate(() =>
    window.sockets.length >= 2 && window.sockets.at(-1).code === 1008 &&
    window.sockets.at(-2).code === 1008)), 'console and display are closed with the token',
    await page.evaluate(() => window.sockets.map(s => s.code)))
  check(await until(() => page.evaluate(() =>
    window.sources.every(s => s.readyState === EventSource.CLOSED))), 'and the stream')
}

async function test(gateway, browser, here, elsewhere) {
  const page = await open(browser, here.origin, gateway)
  const stranger = await open(browser, elsewhere.origin, gateway)
  await until(() => page.evaluate(() => Boolean(window.openDisplay)))
  const late = await ticketed(page, '/events'), begun = Date.now()
  await testEvents(page, gateway)
  await testRefused(page, stranger, browser, gateway)
  await testOwnPage(browser, gateway)
  await sleep(LATE - (Date.now() - begun) / 1000)
  check(await listen(page, late) === 'closed', 'a ticket of 30 s ago')
  await testRefusal(page)
  await testConsole(page)
  await testDisplay(page)
  await testRevoked(page)
  check(!/ticket=|[0-9a-f]{40}/.test(gateway.read()), 'no ticket stands in the log')
}

async function main() {
  const uri = process.env.VG_QEMU_URI
  if (!uri) throw new Error('no libvirtd: run it by tests/run.sh browser')
  chmodSync(folder, 0o755) // QEMU reads the kernel
  execFileSync(path.join(root, 'tests/qemu/agent_image.sh'), [folder], { stdio: 'inherit' })
  const [here, elsewhere] = [await site(), await site()]
  const gateway = await new Gateway('--connect', uri, '--token-file', writeTokens(TOKEN, KEEP),
    '--cors-origin', here.origin, '--cors-origin', elsewhere.origin).start()
  const defined = await gateway.send('POST', '/domains', KEEP, guest, 'application/xml')
  check(defined.status === 201, 'a guest', await defined.text())
  await gateway.send('POST', GUEST + '/start', KEEP)
  const browser = await launch()
  try {
    await test(gateway, browser, here, elsewhere)
  } finally {
    await browser.close()
    await gateway.send('POST', GUEST + '/destroy', KEEP)
    await gateway.send('DELETE', GUEST, KEEP)
    await gateway.stop()
    here.close()
    elsewhere.close()
  }
}

try {
  await main()
} catch (e) {
  check(false, 'the test itself', e)
}
removeFolder()
report()
