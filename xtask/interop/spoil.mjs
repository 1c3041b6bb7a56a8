// A proxy before the platform that spoils what passes: `node spoil.mjs PLATFORM SPOILING`, where the spoiling
// `none` changes nothing. Prints its base URL. `node spoil.mjs --list` prints the spoilings as JSON.
//
// Clients must not notice it otherwise: the platform's own address is replaced everywhere by that of the proxy,
// and since ID tokens name it too, the proxy signs them with a key of its own, which its JWKS has.
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { createServer, request as httpRequest } from 'node:http'
import { JWKS, SPOILINGS, TOKEN, json } from './spoilings.mjs'

const KEY_ID = 'proxy'
const NONE = { name: 'none' }

// Made when first needed: most clients never ask for it, and it takes as long as all the rest.
let key
function privateKey() {
  key ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  return key
}

const [platform, name] = process.argv.slice(2)
if (platform === '--list') {
  console.log(JSON.stringify(SPOILINGS.map(({ name, what, clients }) => ({ name, what, clients }))))
} else {
  start([NONE, ...SPOILINGS].find((spoiling) => spoiling.name === name))
}

function start(spoiling) {
  if (!spoiling) throw new Error(`there is no spoiling ${name}`)
  const proxy = createServer((incoming, outgoing) => {
    pass(incoming, { spoiling, base: `http://127.0.0.1:${proxy.address().port}` })
      .catch((error) => ({ status: 502, headers: {}, body: `the proxy cannot pass this on: ${error.message}` }))
      .then(({ status, headers, body }) => outgoing.writeHead(status, headers).end(body))
  })
  proxy.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${proxy.address().port}`))
}

async function pass(incoming, context) {
  const { spoiling } = context
  const url = new URL(incoming.url, platform)
  const body = await read(incoming)
  const exchange = { path: url.pathname, query: url.searchParams, body }
  exchange.answer = spoiling.request?.(exchange) ?? await forward(incoming, url, body)
  hideThePlatform(exchange, context)
  spoiling.answer?.(exchange)
  const { headers } = exchange.answer
  delete headers['transfer-encoding']
  headers['content-length'] = Buffer.byteLength(exchange.answer.body)
  return exchange.answer
}

function forward(incoming, url, body) {
  const { 'transfer-encoding': _, 'accept-encoding': __, ...headers } = incoming.headers
  headers['content-length'] = Buffer.byteLength(body)
  return new Promise((resolve, reject) => {
    const options = { method: incoming.method, headers, agent: false }
    const outgoing = httpRequest(url, options, async (response) => {
      const { statusCode: status, headers } = response
      read(response).then((body) => resolve({ status, headers, body }), reject)
    })
    outgoing.on('error', reject).end(body)
  })
}

async function read(stream) {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function hideThePlatform({ path, answer }, { spoiling, base }) {
  const readdress = (text) => text
    .replaceAll(platform, base)
    .replaceAll(encodeURIComponent(platform), encodeURIComponent(base))
  answer.body = readdress(answer.body)
  if (answer.headers.location) answer.headers.location = readdress(answer.headers.location)
  if (path === JWKS) json(answer, (set) => { set.keys = [publicJwk()] })
  if (path === TOKEN) json(answer, (tokens) => {
    if (tokens.id_token) tokens.id_token = signedAnew(tokens.id_token, { spoiling, readdress })
  })
}

function publicJwk() {
  const jwk = createPublicKey(privateKey()).export({ format: 'jwk' })
  return { ...jwk, kid: KEY_ID, alg: 'RS256', use: 'sig' }
}

function signedAnew(idToken, { spoiling, readdress }) {
  const claims = JSON.parse(readdress(Buffer.from(idToken.split('.')[1], 'base64url').toString()))
  spoiling.claims?.(claims)
  const header = { alg: 'RS256', typ: 'JWT', kid: KEY_ID }
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signed = spoiling.signature?.(input) ?? input
  return `${input}.${sign('sha256', Buffer.from(signed), privateKey()).toString('base64url')}`
}
