// Node 18 keeps Web Crypto in a module; clients of today look for it where browsers and newer Nodes have it.
// To be imported before them.
import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto
globalThis.CryptoKey ??= webcrypto.CryptoKey
