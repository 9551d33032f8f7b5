#!/usr/bin/env node
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The console at /ui/ as a person uses it: every view, on a real guest and on the test driver's
// host; without a token, with one that may only look; 2,000 guests; a phone; axe-core; how many
// bytes it loads. VG_SHOTS is a folder for its pictures (docs/console.md shows them).
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { Gateway, check, folder, launch, removeFolder, report, root, until } from './harness.mjs'
import { MAY_ALL, MAY_LOOK, checkAccess, open, row, sees, shoot, tab, writeTokens } from './pages.mjs'

const FIRST_KIB = 60, ALL_KIB = 300 // gzipped

const guest = `<domain type='qemu'><name>web1</name><title>Front end of the shop</title>
<memory unit='MiB'>96</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type>
<kernel>${folder}/vmlinuz</kernel><initrd>${folder}/initrd</initrd>
<cmdline>quiet console=ttyS0 rdinit=/bin/sh</cmdline></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<controller type='usb' model='none'/>
<disk type='file' device='disk'><source file='${folder}/disk'/><target dev='vda' bus='virtio'/></disk>
<serial type='pty'/><console type='pty'/>
<graphics type='vnc' autoport='yes' listen='127.0.0.1' passwd='hidden1'/>
<video><model type='vga'/></video></devices></domain>`

async function testSize(gateway) {
  const page = await (await fetch(gateway.base + '/ui/')).text()
  const size = async name => gzipSync(Buffer.from(await (await fetch(`${gateway.base}/ui/${name}`)).arrayBuffer())).length
  const first = [...page.matchAll(/(?:src|href)="([a-z]+\.(?:js|css))"/g)].map(match => match[1])
  const sum = async names => (await Promise.all(names.map(size))).reduce((a, b) => a + b, gzipSync(page).length) / 1024
  const [small, all] = [await sum(first), await sum([...first, 'terminal.js', 'terminal.css', 'display.js', 'tus.js'])]
  check(first.length === 2 && small < FIRST_KIB, `the first view: ${small.toFixed(1)} KiB`)
  check(all < ALL_KIB, `all: ${all.toFixed(1)} KiB`)
}

async function testLogin(browser, gateway) {
  const page = await open(browser, gateway)
  check(await sees(page, 'This gateway wants a token.'), 'a token is wanted')
  await checkAccess(page, 'log in')
  await shoot(page, 'login')
  await page.getByLabel('Token').fill('nonsense')
  await page.getByRole('button', { name: 'Log in' }).click()
  check(await sees(page, 'This token is not accepted.'), 'a wrong one is not taken')
  await page.getByLabel('Token').fill(MAY_ALL)
  await page.keyboard.press('Enter')
  check(await sees(page, 'Front end of the shop') || await sees(page, 'web1'), 'the guests are there')
  await page.context().close()
}

const shows = (page, name, text) => row(page, name).getByText(text, { exact: true })
  .waitFor({ timeout: 60000 }).then(() => true, () => false)

async function testGuests(page, gateway) {
  check(await shows(page, 'web1', 'off'), 'a guest that is off')
  check(await shows(page, 'test', 'running'), 'and another host\'s')
  check(await sees(page, 'live'), 'the list lives')
  await gateway.send('POST', '/hosts/mock/domains/test/suspend', MAY_ALL)
  check(await shows(page, 'test', 'paused'), 'what others do is shown')
  await page.getByRole('button', { name: 'Resume test', exact: true }).click()
  check(await shows(page, 'test', 'running'), 'a guest is resumed')
  check(await row(page, 'test').getByText(/^resumed \d+ s ago/).waitFor().then(() => true, () => false), 'its last event')
  await page.getByRole('button', { name: 'Start web1', exact: true }).click()
  check(await shows(page, 'web1', 'running'), 'a guest is started')
  const spark = row(page, 'web1').getByRole('img', { name: /CPU \d.* %/ })
  check(await spark.waitFor({ timeout: 60000 }).then(() => true, () => false), 'its CPU is drawn')
  check(/^M/.test(await spark.locator('path').getAttribute('d')), 'as a line')
  check(await row(page, 'web1').getByText('Front end of the shop').isVisible(), 'a title in the list')
  await page.keyboard.press('/')
  await page.keyboard.type('nosuch')
  check(await sees(page, 'No guest matches'), 'a filter by the keyboard')
  await page.getByRole('button', { name: /Show all/ }).click()
  await page.getByRole('button', { name: 'More for web1' }).click()
  await page.getByRole('button', { name: 'Pause' }).press('Enter')
  check(await shows(page, 'web1', 'paused'), 'the menu')
  await page.getByRole('button', { name: 'Resume web1', exact: true }).click()
  await checkAccess(page, 'guests')
}

// A lease that comes later, which no event tells of; there is no DHCP client in the guest.
async function testAddress(page) {
  await page.route(/fields=uuid,addresses/, async route => {
    const answer = await route.fetch(), body = await answer.json()
    const address = (type, address, prefix) => ({ mac: '52:54:00:00:00:01', type, address, prefix })
    body.domains.find(one => one.host === 'kvm1').addresses = [address('ipv6', 'fe80::1', 64), address('ipv4', '192.0.2.7', 24)]
    await route.fulfill({ response: answer, json: body })
  })
  check(await row(page, 'web1').getByText('192.0.2.7').waitFor({ timeout: 60000 }).then(() => true, () => false), 'an address')
  await page.getByLabel('Filter guests').fill('192.0.2')
  check(await until(async () => await page.getByText('1 of 2').isVisible()), 'which a guest is found by')
  await page.getByLabel('Filter guests').fill('')
  await page.unroute(/fields=uuid,addresses/)
}

async function testGuest(page) {
  await page.getByRole('link', { name: 'web1' }).click()
  check(await until(async () => (await page.title()).startsWith('web1')), 'the page is named after the guest')
  check(await page.evaluate(() => document.activeElement.tagName) === 'H1', 'its heading has the focus')
  check(await sees(page, 'Starts with its host'), 'autostart')
  check(await page.getByAltText('Screen of web1').waitFor({ timeout: 60000 }).then(() => true, () => false), 'a screenshot')
  const drawn = page.getByRole('img', { name: 'CPU of the last hour' }).locator('path')
  check(await until(async () => /^M.*h0/.test(await drawn.getAttribute('d')), 40), 'its last hour')
  check(await sees(page, '96 MiB'), 'its memory')
  await checkAccess(page, 'a guest')
  await shoot(page, 'guest')
}

async function testConsole(page) {
  await tab(page, 'Console')
  await page.locator('.screen[data-state=live]').waitFor({ timeout: 60000 })
  const text = () => page.locator('.xterm-rows').innerText()
  // the shell loses what comes while it starts, or draws its prompt anew
  check(await until(async () => {
    await page.getByRole('button', { name: 'Enter', exact: true }).click()
    return (await text()).split(/\/ #/).length > 3
  }, 60), 'a prompt', await text())
  await page.locator('.screen').click()
  await page.keyboard.type('echo seen-$((6*7))\n', { delay: 30 })
  check(await until(async () => /seen-42/.test(await text()), 40), 'the console is typed into', await text())
  check(await page.locator('.xterm-rows').evaluate(rows => getComputedStyle(rows).color) !== 'rgb(0, 0, 0)',
    'its text is not black on black')
  await checkAccess(page, 'console')
  await shoot(page, 'terminal')
}

// Another session on the console of the page's guest: how it ends; one that is taken is let go.
const another = (page, query) => page.evaluate(async query => {
  const path = '/hosts/kvm1/domains/web1/console'
  const token = sessionStorage.getItem('token') ?? localStorage.getItem('token')
  const { ticket } = await (await fetch('../tickets', { method: 'POST', body: JSON.stringify({ path }),
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' } })).json()
  const socket = new WebSocket(`ws://${location.host}${path}?refuse=close&${query}&ticket=${ticket}`)
  if (query.includes('true')) socket.onmessage = () => socket.close()
  if (query.includes('true')) setTimeout(() => socket.close(), 3000)
  return new Promise(done => { socket.onclose = event => done(`${event.code} ${event.reason}`) })
}, query)

async function testTakeover(page) {
  check(await another(page, 'force=false') === '4409 in use by alice', 'a refusal that a script reads')
  await another(page, 'force=true')
  check(await sees(page, 'taken over by alice'), 'who had the console is told')
  await page.getByRole('button', { name: 'Connect again' }).click()
  check(await page.locator('.screen[data-state=live]').waitFor({ timeout: 60000 }).then(() => true, () => false),
    'and has it again')
}

async function testDisplay(page) {
  await tab(page, 'Display')
  await page.locator('.screen[data-state=live]').waitFor({ timeout: 60000 })
  check(await until(() => page.evaluate(() => {
    const canvas = document.querySelector('.screen canvas')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    return canvas.width >= 640 && data.some((byte, i) => i % 4 !== 3 && byte > 0)
  })), 'a frame of the display')
  await checkAccess(page, 'display')
}

async function testParts(page) {
  await tab(page, 'Disks')
  check(await sees(page, 'vda'), 'disks')
  await tab(page, 'Network')
  check(await sees(page, 'No network interfaces'), 'no interface')
}

// What the guest is from its next start.
async function configuration(gateway) {
  const path = '/hosts/kvm1/domains/web1?view=config&flags=inactive,secure'
  return (await (await gateway.send('GET', path, MAY_ALL)).json()).domain
}

const save = page => page.getByRole('button', { name: 'Save', exact: true })

// Saved, and read again: nothing is left to save.
async function saves(page, what) {
  await save(page).click()
  check(await sees(page, 'Saved: it counts from the next start') && await until(() => save(page).isDisabled(), 20), what,
    await page.locator('main').innerText())
}

async function testForm(page, gateway) {
  await tab(page, 'Configuration')
  const title = page.getByLabel('Title', { exact: true })
  await title.waitFor()
  check(await title.inputValue() === 'Front end of the shop' && await save(page).isDisabled(), 'a form of what there is')
  await title.fill('Back end')
  await page.getByLabel('Memory in MiB', { exact: true }).fill('128')
  await saves(page, 'a form is saved')
  const saved = await configuration(gateway)
  check(saved.title === 'Back end' && saved.memory['#text'] === '131072' && saved.currentMemory['#text'] === '98304',
    'what was changed, nothing else', saved)
  check(saved.devices.graphics[0]['@passwd'] === 'hidden1', 'a password survives', saved.devices.graphics)

  await title.fill('Mine')
  await page.getByLabel('vCPUs').fill('2')
  await gateway.send('PATCH', '/hosts/kvm1/domains/web1', MAY_ALL,
    JSON.stringify({ domain: { title: 'Theirs', description: 'By others' } }))
  await save(page).click()
  check(await sees(page, 'Somebody changed this configuration'), 'a form is not saved over what others saved')
  const radio = name => page.getByRole('radio', { name })
  check(await radio('Description: Theirs, By others').isChecked() && await radio('vCPUs: Mine, 2').isChecked() &&
    !await radio('Title: Theirs, Theirs').isChecked() && !await radio('Title: Mine, Mine').isChecked() &&
    await radio('Title: As I began, Back end').isVisible() && await save(page).isDisabled(),
  'a choice of three, where both changed the same')
  await checkAccess(page, 'a choice of three')
  await shoot(page, 'conflict')
  await radio('Title: Mine, Mine').check()
  await saves(page, 'what was chosen is saved')
  const both = await configuration(gateway)
  check(both.title === 'Mine' && both.description === 'By others' && both.vcpu['#text'] === '2', 'of both', both)
  check(await radio('Title: Mine, Mine').count() === 0, 'and the choice is gone')
  await checkAccess(page, 'a form')
  await page.getByLabel('vCPUs').fill('99999')
  await save(page).click()
  check(await page.getByRole('alert').waitFor().then(() => true, () => false), 'what libvirt refuses is said')
  await page.getByRole('button', { name: 'Undo' }).click()
}

async function testXml(page, gateway) {
  await page.getByRole('button', { name: 'XML', exact: true }).click()
  const editor = page.getByRole('textbox', { name: /Definition/ })
  await editor.waitFor()
  const xml = await editor.inputValue()
  await editor.fill(xml.replace('<title>Mine', '<title>Back end'))
  await saves(page, 'a configuration is saved')
  await editor.fill((await editor.inputValue()).replace('<title>Back end', '<title>Mine again'))
  await gateway.send('PATCH', '/hosts/kvm1/domains/web1', MAY_ALL, JSON.stringify({ domain: { title: 'Theirs' } }))
  await save(page).click()
  check(await sees(page, 'Somebody changed this configuration'), 'not over what others saved meanwhile')
  await page.getByText('What they changed').click()
  check((await page.locator('.changes').first().innerText()).trim() === '-   <title>Back end</title>\n+   <title>Theirs</title>',
    'the difference', await page.locator('.changes').first().innerText())
  await checkAccess(page, 'configuration')
  const takes = async (name, text) => {
    await page.getByRole('button', { name, exact: true }).click()
    check(await until(async () => (await editor.inputValue()).includes(`<title>${text}</title>`), 10), `the text: ${name}`)
  }
  await takes('Theirs', 'Theirs')
  await takes('As I began', 'Back end')
  await takes('Mine', 'Mine again')
  await saves(page, 'mine over theirs')
  check((await configuration(gateway)).title === 'Mine again', 'which is what there is then')
  await gateway.send('PATCH', '/hosts/kvm1/domains/web1', MAY_ALL, JSON.stringify({ domain: { title: 'Front end of the shop' } }))
}

async function testSnapshots(page) {
  await page.goto(page.url().replace(/#.*/, '#/guests'))
  await page.getByRole('link', { name: 'test', exact: true }).click()
  await tab(page, 'Snapshots')
  for (const name of ['before', 'after']) {
    await page.getByLabel('Name of the snapshot').fill(name)
    await page.getByRole('button', { name: 'Take a snapshot' }).click()
    check(await page.getByRole('button', { name: `Revert to ${name}` }).waitFor().then(() => true), `snapshot ${name}`)
  }
  check(await page.locator('.tree .tree').getByText('after', { exact: true }).count() === 1, 'they are a tree')
  await checkAccess(page, 'snapshots')
  await page.getByRole('button', { name: 'Delete after' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  check(await page.getByRole('button', { name: 'Delete after' }).waitFor({ state: 'detached' }).then(() => true), 'one is deleted')
}

async function testOthers(page) {
  const rail = name => page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name }).click()
  await rail('Networks')
  await page.getByRole('link', { name: 'default' }).click()
  check(await sees(page, '192.168.122.1/24'), 'a network')
  await checkAccess(page, 'a network')
  await rail('Storage')
  await page.getByRole('link', { name: 'default-pool' }).click()
  await page.getByLabel('Name of the volume').fill('data.img')
  await page.getByLabel('Size in GiB').fill('2')
  await page.getByLabel('Format').selectOption('raw')
  await page.getByRole('button', { name: 'Create a volume' }).click()
  check(await sees(page, '/default-pool/data.img'), 'a volume')
  await checkAccess(page, 'storage')
  await shoot(page, 'storage')
  await rail('Operations')
  check(await sees(page, 'Create snapshot'), 'operations')
  check(await sees(page, 'Nobody has a console or display open'), 'sessions')
  await checkAccess(page, 'operations')
  await rail('Events')
  check(await sees(page, 'suspended'), 'events')
  await checkAccess(page, 'events')
  await rail('Hosts')
  check(await row(page, 'kvm1').getByText('GiB').waitFor().then(() => true), 'hosts')
  await checkAccess(page, 'hosts')
  await page.getByRole('link', { name: 'mock' }).click()
  check(await sees(page, '16 × i686, 1400 MHz'), 'a host')
  await checkAccess(page, 'a host')
}

async function testCreate(page) {
  await page.goto(page.url().replace(/#.*/, '#/create'))
  await page.getByLabel('Host').selectOption('mock')
  await page.getByLabel('Name', { exact: true }).fill('a new one')
  await checkAccess(page, 'create')
  await page.getByRole('button', { name: 'Create' }).click()
  check(await page.getByRole('heading', { name: 'a new one' }).waitFor().then(() => true, () => false) ||
    await sees(page, 'Details'), 'a guest is created, or it is said why not', await page.locator('main').innerText())
}

const fields = file => ({ name: path.basename(file), mimeType: 'application/octet-stream' })

// A file into a volume: cut off by a reload, and gone on with when the same file is chosen again.
async function testUpload(page, gateway) {
  const file = path.join(folder, 'big.iso'), size = 48 << 20
  writeFileSync(file, randomBytes(size))
  const pool = path.join(folder, 'images')
  const made = await gateway.send('POST', '/hosts/kvm1/storage-pools', MAY_ALL,
    JSON.stringify({ name: 'images', path: pool, build: true, start: true }))
  check(made.status === 201, 'a pool', await made.text())
  const { uuid } = await (await gateway.send('GET', '/hosts/kvm1/storage-pools/images', MAY_ALL)).json()
  await page.goto(`${gateway.base}/ui/#/pool/kvm1/${uuid}`)
  const slow = await page.context().newCDPSession(page)
  await slow.send('Network.enable')
  const limit = uploadThroughput => slow.send('Network.emulateNetworkConditions',
    { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput })
  await limit(4 << 20)
  const sent = []
  page.on('request', request => {
    if (/\/uploads/.test(request.url())) sent.push([request.method(), request.headers()['upload-offset']])
  })
  await page.getByLabel('Upload a file').setInputFiles(file)
  check(await page.getByLabel('Uploaded').waitFor({ timeout: 60000 }).then(() => true, () => false), 'its progress is shown')
  check(await until(async () => Number(await page.getByLabel('Uploaded').getAttribute('value')) > 4 << 20, 30), 'it goes on')
  await checkAccess(page, 'an upload')
  await shoot(page, 'upload')
  await page.reload()
  check(await sees(page, 'Choose the same file to go on'), 'after a reload it is still there',
    await (await gateway.send('GET', '/hosts/kvm1/uploads', MAY_ALL)).text())
  await checkAccess(page, 'an upload that was cut off')
  await limit(-1)
  sent.length = 0
  await page.getByLabel('Upload a file').setInputFiles(file)
  check(await sees(page, 'big.iso uploaded', 60), 'the same file goes on')
  const patches = sent.filter(([method]) => method === 'PATCH')
  check(!sent.some(([method]) => method === 'POST') && patches.length === 1 && Number(patches[0][1]) > 0,
    'from where it was', sent)
  check(readFileSync(path.join(pool, 'big.iso')).equals(readFileSync(file)), 'the volume is the file')

  // the gateway refuses once, the network fails once: it tries again by itself
  let failures = 0
  await page.route(/\/uploads\//, route => {
    if (route.request().method() !== 'PATCH' || failures++ > 1) return route.continue()
    return failures === 1 ? route.abort('connectionreset')
      : route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"title": "busy", "status": 503}' })
  })
  await page.getByLabel('Upload a file').setInputFiles({ ...fields('small.iso'), buffer: Buffer.from('small') })
  check(await sees(page, 'small.iso uploaded', 30) && failures === 3 &&
    readFileSync(path.join(pool, 'small.iso'), 'utf8') === 'small', 'what fails in passing is tried again', failures)
  await page.unroute(/\/uploads\//)
  await page.getByLabel('Upload a file').setInputFiles({ ...fields('none.iso'), buffer: Buffer.alloc(0) })
  check(await sees(page, 'none.iso uploaded'), 'an empty file')

  await limit(4 << 20)
  writeFileSync(path.join(folder, 'other.iso'), randomBytes(32 << 20))
  const cancelled = async what => {
    await page.getByRole('button', { name: 'Cancel' }).click()
    check(await sees(page, 'other.iso discarded', 60), what, await page.locator('main').innerText())
  }
  await page.getByLabel('Upload a file').setInputFiles(path.join(folder, 'other.iso'))
  check(await until(async () => Number(await page.getByLabel('Uploaded').getAttribute('value')) > 1 << 20, 60), 'another')
  await cancelled('one is cancelled')
  check(await until(() => !existsSync(path.join(pool, 'other.iso'))), 'and leaves nothing')
  check(await until(async () => await page.locator('.toast').count() === 0), 'what was said of it goes')
  let begin // before the gateway has answered that it begins
  await page.route(/\/uploads$/, async route => {
    if (route.request().method() === 'POST') await new Promise(done => { begin = done })
    await route.continue()
  })
  await page.getByLabel('Upload a file').setInputFiles(path.join(folder, 'other.iso'))
  check(await until(() => begin), 'it is to begin')
  await page.getByRole('button', { name: 'Cancel' }).click()
  begin()
  check(await sees(page, 'other.iso discarded', 60), 'one is cancelled before it began')
  await page.unroute(/\/uploads$/)
  await limit(-1)
  check(await until(() => !existsSync(path.join(pool, 'other.iso'))), 'and leaves nothing')
  const uploads = async () => (await (await gateway.send('GET', '/hosts/kvm1/uploads', MAY_ALL)).json()).uploads
  check(await until(async () => (await uploads()).every(one => one.state === 'complete'), 30), 'none is left', await uploads())
}

// A pool that cannot be started says why, also to who comes later.
async function testBroken(page, gateway) {
  const made = await gateway.send('POST', '/hosts/kvm1/storage-pools', MAY_ALL,
    JSON.stringify({ name: 'broken', path: path.join(folder, 'nowhere') }))
  const { uuid } = await made.json()
  await page.goto(`${gateway.base}/ui/#/pool/kvm1/${uuid}`)
  await page.getByRole('button', { name: 'Start broken' }).click()
  check(await sees(page, 'not done'), 'a pool is not started')
  await page.reload()
  check(await page.locator('main').getByText(/No such file or directory/).waitFor({ timeout: 60000 }).then(() => true, () => false),
    'why', await page.locator('main').innerText())
  await checkAccess(page, 'a pool that failed')
  await gateway.send('DELETE', '/hosts/kvm1/storage-pools/broken', MAY_ALL)
}

// A guest from an image, with a key: the seed that its first boot reads has it.
async function testImage(page, gateway) {
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeyOfThisTest alice@example'
  await gateway.send('POST', '/hosts/kvm1/storage-pools/images/volumes', MAY_ALL,
    JSON.stringify({ name: 'base.qcow2', capacityMiB: 16, format: 'qcow2' }))
  await page.goto(`${gateway.base}/ui/#/create`)
  await page.getByLabel('Host').first().selectOption('kvm1')
  await page.getByLabel('Name', { exact: true }).fill('cloudy')
  await page.getByLabel('Memory in MiB').fill('32')
  await page.getByLabel('Storage pool').selectOption('images')
  await page.getByLabel('Volume').selectOption('images/base.qcow2')
  await page.getByLabel('Size of the disk in GiB').fill('1')
  await page.getByLabel('Host name').fill('cloudy.example')
  await page.getByLabel('User').fill('alice')
  await page.getByLabel('SSH keys, one a line').fill(`${key}\n`)
  await page.getByLabel('A display').uncheck()
  await page.getByLabel('Start it').uncheck()
  await checkAccess(page, 'create from an image')
  await shoot(page, 'create')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  check(await page.getByRole('heading', { name: 'cloudy' }).waitFor({ timeout: 60000 }).then(() => true, () => false),
    'a guest from an image', await page.locator('main').innerText())
  const seed = Buffer.from(await (await gateway.send('GET',
    '/hosts/kvm1/storage-pools/images/volumes/cloudy-seed.iso/content', MAY_ALL)).arrayBuffer())
  check(seed.includes(key) && seed.includes('cloudy.example') && seed.includes('alice'), 'its seed has the key')
  const disk = await (await gateway.send('GET', '/hosts/kvm1/storage-pools/images/volumes/cloudy.qcow2', MAY_ALL)).json()
  check(disk.capacityBytes === 2 ** 30 && /base.qcow2/.test(JSON.stringify(disk)), 'its disk is made of the image', disk)

  await page.goto(`${gateway.base}/ui/#/create`)
  await page.getByLabel('Host').first().selectOption('kvm1')
  await page.getByLabel('Name', { exact: true }).fill('cloudy')
  await page.getByLabel('Storage pool').selectOption('images')
  await page.getByLabel('Volume').selectOption('images/base.qcow2')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  check(await page.getByRole('alert').first().waitFor({ timeout: 60000 }).then(() => true, () => false),
    'what fails is said', await page.locator('main').innerText())
  await gateway.send('DELETE', '/hosts/kvm1/domains/cloudy?volumes=true', MAY_ALL)
}

async function testViewer(browser, gateway) {
  const page = await open(browser, gateway, { token: MAY_LOOK, colorScheme: 'dark' })
  await shows(page, 'test', 'running')
  await shoot(page, 'guests-dark')
  await checkAccess(page, 'dark')
  const stop = page.getByRole('button', { name: 'Shut down test' })
  if (await stop.isEnabled()) {
    await stop.click()
    check(await sees(page, 'not done'), 'what it may not is said')
    await checkAccess(page, 'a failure')
  } else {
    check(/no right/.test(await stop.getAttribute('title')), 'what it may not is off, and says why')
  }
  await page.context().close()
}

async function testPhone(browser, gateway) {
  const page = await open(browser, gateway, { token: MAY_ALL, viewport: { width: 390, height: 780 } })
  await shows(page, 'web1', 'running')
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'a phone\'s width')
  check(await page.evaluate(() => document.querySelector('.rail').scrollWidth <= innerWidth), 'a bar of that width')
  await checkAccess(page, 'a phone')
  await shoot(page, 'phone')
  check(!await page.getByRole('link', { name: 'Hosts' }).isVisible(), 'four views are at hand')
  await page.getByRole('button', { name: 'More', exact: true }).click()
  await checkAccess(page, 'a phone, the rest')
  await page.getByRole('link', { name: 'Hosts' }).click()
  check(await page.getByRole('heading', { name: 'Hosts' }).waitFor().then(() => true, () => false), 'the rest is behind More')
  check(await page.getByRole('button', { name: 'More', exact: true }).getAttribute('aria-current') === 'page', 'which says so')
  await page.context().close()
}

async function testMany(browser) {
  const guests = Array.from({ length: 2000 }, (_, i) => `<domain type='test'><name>vm${i}</name>
    <memory>1024</memory><os><type>hvm</type></os></domain>`)
  const file = path.join(folder, 'many.xml')
  writeFileSync(file, `<node>${guests.join('')}</node>`)
  const gateway = await new Gateway('--connect', `test://${file}`).start()
  if (!check((await fetch(gateway.base + '/health/ready')).ok, 'a host of 2,000 guests', gateway.read())) {
    return gateway.stop()
  }
  const page = await open(browser, gateway)
  check(await sees(page, '2000 of 2000'), '2,000 guests')
  check(await page.getByRole('row').count() < 100, 'of which those in sight are drawn')
  await page.locator('.scroll').evaluate(box => { box.scrollTop = box.scrollHeight })
  check(await sees(page, 'vm1999'), 'the last of them')
  check(await page.evaluate(() => {
    const ends = [...document.querySelectorAll('table.guests tr > :last-child')].map(one => one.getBoundingClientRect().right)
    return Math.max(...ends) - Math.min(...ends) < 1
  }), 'rows are as wide as the table')
  await page.getByLabel('Filter guests').fill('vm199')
  check(await sees(page, '11 of 2000'), 'some of them')
  await page.getByLabel('Select all').check()
  await page.getByRole('button', { name: 'Shut down 11' }).click()
  check(await sees(page, '11 guests asked to shut down', 60), 'what is done with many is said once')
  check(await until(async () => await page.locator('td .state').filter({ hasText: 'off' }).count() === 11), 'and is done')
  await page.getByLabel('Filter guests').fill('')
  await shoot(page, 'many')
  await page.context().close()
  await gateway.stop()
}

async function testLost(browser) {
  const gateway = await new Gateway('--connect', 'test:///default').start()
  const page = await open(browser, gateway)
  await sees(page, 'live')
  await gateway.stop()
  check(await sees(page, 'Connection to the gateway lost'), 'a gateway that is gone')
  await checkAccess(page, 'lost')
  await page.context().close()
}

async function test(gateway, browser) {
  await testSize(gateway)
  await testLogin(browser, gateway)
  const page = await open(browser, gateway, { token: MAY_ALL })
  await testGuests(page, gateway)
  await testAddress(page)
  await testGuest(page)
  await testConsole(page)
  await testTakeover(page)
  await testDisplay(page)
  await testParts(page)
  await testForm(page, gateway)
  await testXml(page, gateway)
  await testSnapshots(page)
  await testOthers(page)
  await testViewer(browser, gateway)
  await testPhone(browser, gateway)
  await testCreate(page)
  await testUpload(page, gateway)
  await testImage(page, gateway)
  await testBroken(page, gateway)
  await page.goto(page.url().replace(/#.*/, '#/guests'))
  await shows(page, 'web1', 'running')
  check(await until(async () => await page.locator('.toast').count() === 0), 'what was said goes')
  await shoot(page, 'guests')
  await testMany(browser)
  await testLost(browser)
}

async function main() {
  const uri = process.env.VG_QEMU_URI
  if (!uri) throw new Error('no libvirtd: run it by tests/run.sh browser')
  if (process.env.UI === 'no') {
    check(true, 'there is no console')
    return
  }
  chmodSync(folder, 0o755) // QEMU reads the kernel
  execFileSync(path.join(root, 'tests/qemu/agent_image.sh'), [folder], { stdio: 'inherit' })
  const gateway = await new Gateway('--host', `kvm1=${uri}`, '--host', 'mock=test:///default',
    '--token-file', writeTokens()).start()
  const defined = await gateway.send('POST', '/hosts/kvm1/domains', MAY_ALL, guest, 'application/xml')
  check(defined.status === 201, 'a guest', await defined.text())
  const browser = await launch()
  try {
    await test(gateway, browser)
  } catch (error) {
    check(false, 'the test went on', error.stack)
  } finally {
    await browser.close()
    await gateway.send('POST', '/hosts/kvm1/domains/web1/destroy', MAY_ALL)
    await gateway.send('DELETE', '/hosts/kvm1/domains/web1', MAY_ALL)
    await gateway.send('POST', '/hosts/kvm1/storage-pools/images/destroy', MAY_ALL)
    await gateway.send('DELETE', '/hosts/kvm1/storage-pools/images', MAY_ALL)
  }
  await gateway.stop()
}

await main()
removeFolder()
report()
