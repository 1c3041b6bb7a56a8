// Every way to spoil the platform: the one list, which `cargo xtask interop --list` prints. A script that
// passes under a spoiling that concerns its client asserts too little.
//
// `request` may change a request on its way to the platform, or answer it instead; `answer` may change what the
// platform said; `claims` those of an ID token, which the proxy signs anew; `signature` how that ends.

const ALL = ['@ringcentral/sdk', '@rc-ex/core', 'openid-client', 'ringcentral']

export const SPOILINGS = [
  {
    name: 'no-refresh-token',
    what: 'token answers have no refresh_token',
    clients: ALL,
    answer: (exchange) => tokens(exchange, (answer) => { delete answer.refresh_token }),
  },
  {
    name: 'expires-in-zero',
    what: 'token answers say expires_in 0',
    clients: ALL,
    answer: (exchange) => tokens(exchange, (answer) => { answer.expires_in = 0 }),
  },
  {
    name: 'html-for-tokens',
    what: 'token requests are answered 200 and HTML',
    clients: ALL,
    request: ({ path }) => path === TOKEN ? { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Soon back</h1>' } : undefined,
  },
  {
    name: 'stale-refresh-token',
    what: 'a refresh is answered with the refresh token that was just spent',
    clients: ALL,
    answer: (exchange) => tokens(exchange, (answer) => {
      const spent = new URLSearchParams(exchange.body).get('refresh_token')
      if (spent) answer.refresh_token = spent
    }),
  },
  {
    name: 'no-state',
    what: 'callbacks have no state',
    clients: ALL,
    answer: (exchange) => callback(exchange, (query) => query.delete('state')),
  },
  {
    name: 'other-code',
    what: 'callbacks have a code that the platform never made',
    clients: ALL,
    answer: (exchange) => callback(exchange, (query) => query.set('code', [...query.get('code')].reverse().join(''))),
  },
  {
    name: 'no-challenge',
    what: 'the PKCE challenge of sign-ins is lost',
    clients: ALL,
    request: ({ query }) => {
      query.delete('code_challenge')
      query.delete('code_challenge_method')
    },
  },
  {
    name: 'revoke-ignored',
    what: 'revoking is answered 200 and ends nothing',
    clients: ALL,
    request: ({ path }) => path === REVOKE ? { status: 200, headers: {}, body: '' } : undefined,
  },
  {
    name: 'forbidden-for-unauthorized',
    what: 'what is 401 becomes 403',
    clients: ALL,
    answer: ({ answer }) => { if (answer.status === 401) answer.status = 403 },
  },
  {
    name: 'always-unauthorized',
    what: 'every call is answered 401',
    clients: ALL,
    answer: ({ path, answer }) => { if (path.startsWith(API)) answer.status = 401 },
  },
  {
    name: 'id-token-signature',
    what: 'the signature of ID tokens is of another content',
    clients: ['openid-client'],
    signature: (input) => `${input}.`,
  },
  {
    name: 'id-token-nonce',
    what: 'ID tokens have another nonce',
    clients: ['openid-client'],
    claims: (claims) => { claims.nonce = 'another' },
  },
  {
    name: 'id-token-issuer',
    what: 'ID tokens are of another issuer',
    clients: ['openid-client'],
    claims: (claims) => { claims.iss = 'https://another.example' },
  },
  {
    name: 'id-token-audience',
    what: 'ID tokens are for another app',
    clients: ['openid-client'],
    claims: (claims) => { claims.aud = 'another' },
  },
  {
    name: 'userinfo-subject',
    what: 'userinfo tells of another user',
    clients: ['openid-client'],
    answer: ({ path, answer }) => { if (path === USERINFO) json(answer, (claims) => { claims.sub = 'another' }) },
  },
  {
    name: 'no-keys',
    what: 'the JWKS is empty',
    clients: ['@rc-ex/core', 'openid-client'],
    answer: ({ path, answer }) => { if (path === JWKS) json(answer, (set) => { set.keys = [] }) },
  },
  {
    name: 'no-token-uri',
    what: 'callbacks and external entry points have no token URI',
    clients: ['@ringcentral/sdk'],
    answer: (exchange) => {
      callback(exchange, (query) => query.delete('token_uri'))
      if (exchange.path.startsWith(EXTERNAL)) json(exchange.answer, (entries) => { delete entries.authApi.tokenUri })
    },
  },
  {
    name: 'no-video',
    what: 'external entry points have no rcv',
    clients: ['@ringcentral/sdk'],
    answer: ({ path, answer }) => { if (path.startsWith(EXTERNAL)) json(answer, (entries) => { delete entries.rcv }) },
  },
]

export const TOKEN = '/restapi/oauth/token'
export const JWKS = '/restapi/oauth/jwks'
const REVOKE = '/restapi/oauth/revoke'
const USERINFO = '/restapi/oauth/userinfo'
const EXTERNAL = '/.well-known/entry-points/external'
const API = '/restapi/v1.0/'

// Changes a JSON answer; leaves alone what is none, and what is no success.
export function json(answer, change) {
  if (answer.status !== 200 || !answer.headers['content-type']?.includes('json')) return
  const value = JSON.parse(answer.body)
  change(value)
  answer.body = JSON.stringify(value)
}

function tokens({ path, answer }, change) {
  if (path === TOKEN) json(answer, change)
}

// Changes the query that the browser takes back to the app.
function callback({ answer }, change) {
  const { location } = answer.headers
  const [address, query] = location?.split('?') ?? []
  const parameters = new URLSearchParams(query)
  if (!parameters.has('code')) return
  change(parameters)
  answer.headers.location = `${address}?${parameters}`
}
