/**
 * Rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998): each key goes to the
 * member with the highest score, so that when a member leaves only its keys move, and when one comes it takes keys of all others.
 */

/** FNV-1a of a member's name, to be made once. */
export function memberHash(name: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193)
  return h
}

/** Score of a member for a key below 2^53, uniform in 32 bits. */
export function rendezvousScore(key: number, member: number): number {
  return signedScore(key >>> 0, Math.floor(key / 2 ** 32) | 0, member) + 2 ** 31
}

/** The same less 2^31, for the halves of a key: an integer that compares fast, where there are many members. */
export function signedScore(low: number, high: number, member: number): number {
  return mix(mix(member ^ low) ^ high) ^ -(2 ** 31)
}

/** The finaliser of MurmurHash3. */
function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
