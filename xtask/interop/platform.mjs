// The platform as somebody who is no client sees it: a browser, a test that turns its clock, and the bare wire.
import assert from 'node:assert/strict'
import { environment } from './walk.mjs'

export const server = environment('RC_SERVER_URL')
export const redirectUri = environment('RC_REDIRECT_URI')
export const EXTENSION = '/restapi/v1.0/account/~/extension/~'

const PAGES_AT_MOST = 8

// Follows redirects and fills in forms, as a person would, until the browser is sent to the app. Returns the
// query of that address.
export async function signIn(authorizeUrl) {
  const cookies = new Map()
  let request = { url: new URL(authorizeUrl) }
  for (let page = 0; page < PAGES_AT_MOST; page += 1) {
    const response = await visit(request, cookies)
    const location = response.headers.get('location')
    if (location?.startsWith(redirectUri)) return new URL(location).searchParams
    const html = await response.text()
    if (location) request = { url: new URL(location, request.url) }
    else request = filledIn(html, request.url, response.status)
  }
  throw new Error(`no way back to the app within ${PAGES_AT_MOST} pages`)
}

async function visit({ url, form }, cookies) {
  const headers = { accept: 'text/html' }
  if (cookies.size > 0) headers.cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const method = form ? 'POST' : 'GET'
  const response = await fetch(url, { method, body: form, headers, redirect: 'manual' })
  for (const cookie of response.headers.getSetCookie()) {
    const [pair] = cookie.split(';')
    const [name, ...value] = pair.split('=')
    cookies.set(name, value.join('='))
  }
  return response
}

// The first form of a page with the user's login and password, sent by its first button.
function filledIn(html, base, status) {
  const form = /<form\b[^>]*>[\s\S]*?<\/form>/.exec(html)?.[0]
  assert.ok(form && status === 200, `status ${status} without a form at ${base.pathname}`)
  const known = { login: environment('RC_USERNAME'), password: environment('RC_PASSWORD') }
  const fields = new URLSearchParams()
  for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
    const name = attribute(tag, 'name')
    if (name) fields.set(name, known[name] ?? attribute(tag, 'value'))
  }
  const button = /<button\b[^>]*>/.exec(form)?.[0] ?? ''
  if (attribute(button, 'name')) fields.set(attribute(button, 'name'), attribute(button, 'value'))
  return { url: new URL(attribute(form, 'action'), base), form: fields }
}

function attribute(tag, name) {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? ''
  return value.replace(/&#(x?)([0-9a-f]+);/gi, (_, hex, digits) => String.fromCodePoint(parseInt(digits, hex ? 16 : 10)))
    .replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

export async function expireAccessTokens() {
  const response = await fetch(`${server}/sim/access-tokens/expire`, { method: 'POST' })
  assert.equal(response.status, 200, 'the access tokens could not be expired')
}

// What the platform itself says about an access token, without a client between.
export async function statusOf(accessToken) {
  const response = await fetch(server + EXTENSION, { headers: { authorization: `Bearer ${accessToken}` } })
  await response.arrayBuffer()
  return response.status
}

// What every client needs of a token answer, and what nobody checks for it.
export function assertTokens(tokens) {
  assert.ok(tokens.access_token, 'no access_token')
  assert.ok(tokens.refresh_token, 'no refresh_token')
  assert.ok(Number(tokens.expires_in) > 0, `expires_in is ${tokens.expires_in}`)
}

export function assertRotated(before, after) {
  assertTokens(after)
  assert.notEqual(after.access_token, before.access_token, 'the access token stayed')
  assert.notEqual(after.refresh_token, before.refresh_token, 'the refresh token stayed')
}
