/** The host with the smallest part of its slots taken, of equals the first: anywhere, or in one rack. Hosts only get more meanwhile. */
import type { Matching } from './matching.ts'

interface Place {
  readonly slots: number
  readonly rack: string | undefined
}

const NONE = -1

export class LeastLoaded {
  readonly #places: readonly Place[]
  readonly #matching: Matching
  #all: LoadHeap | undefined
  #racks: Map<string, LoadHeap> | undefined

  constructor(places: readonly Place[], matching: Matching) {
    this.#places = places
    this.#matching = matching
  }

  /** -1: none has room for the split. */
  anywhere(split: number): number {
    this.#all ??= new LoadHeap(this.#places, this.#matching, Array.from(this.#places.keys()))
    return this.#all.next(split)
  }

  /** -1: nobody said which rack that is, or none there has room for the split. */
  inRackOf(place: number, split: number): number {
    const { rack } = this.#places[place]!
    if (rack === undefined) return NONE
    this.#racks ??= this.#byRack()
    return this.#racks.get(rack)!.next(split)
  }

  #byRack(): Map<string, LoadHeap> {
    const members = new Map<string, number[]>()
    for (const [place, { rack }] of this.#places.entries()) {
      if (rack === undefined) continue
      const known = members.get(rack)
      if (known === undefined) members.set(rack, [place])
      else known.push(place)
    }
    return new Map(
      Array.from(members, ([rack, places]) => [rack, new LoadHeap(this.#places, this.#matching, places)]),
    )
  }
}

/** A binary heap by what was known of the load: what has grown since sinks when it comes up. */
class LoadHeap {
  readonly #places: readonly Place[]
  readonly #matching: Matching
  readonly #heap: number[]
  /** By position in the heap. */
  readonly #load: number[]

  constructor(places: readonly Place[], matching: Matching, members: number[]) {
    this.#places = places
    this.#matching = matching
    this.#heap = members
    this.#load = members.map(() => 0)
    for (let at = members.length - 1; at >= 0; at--) this.#settle(at)
  }

  next(split: number): number {
    const aside: number[] = []
    let found = NONE
    while (this.#heap.length > 0) {
      this.#settle(0)
      const top = this.#heap[0]!
      if (this.#load[0]! >= 1) break
      if (this.#matching.fits(split, top)) {
        found = top
        break
      }
      // Too large for what it has left: a smaller one may fit.
      aside.push(top)
      this.#pop()
    }
    for (const place of aside) this.#push(place)
    return found
  }

  #loadOf(place: number): number {
    const { slots } = this.#places[place]!
    return slots === 0 ? 1 : this.#matching.count[place]! / slots
  }

  /** Takes the present load of what is at a place, and puts it where it belongs; again, until the one there has its present load. */
  #settle(at: number): void {
    for (let now = this.#loadOf(this.#heap[at]!); ; now = this.#loadOf(this.#heap[at]!)) {
      const was = this.#load[at]!
      this.#load[at] = now
      if (this.#sink(at) === at && was === now) return
    }
  }

  #sink(from: number): number {
    let at = from
    for (;;) {
      let least = at
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < this.#heap.length; child++)
        if (this.#isBefore(child, least)) least = child
      if (least === at) return at
      this.#swap(at, least)
      at = least
    }
  }

  #push(place: number): void {
    let at = this.#heap.push(place) - 1
    this.#load.push(this.#loadOf(place))
    for (let up = (at - 1) >> 1; at > 0 && this.#isBefore(at, up); up = (at - 1) >> 1) {
      this.#swap(at, up)
      at = up
    }
  }

  #pop(): void {
    const last = this.#heap.length - 1
    this.#swap(0, last)
    this.#heap.pop()
    this.#load.pop()
    if (last > 0) this.#sink(0)
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#load[a]! - this.#load[b]!
    return difference < 0 || (difference === 0 && this.#heap[a]! < this.#heap[b]!)
  }

  #swap(a: number, b: number): void {
    const place = this.#heap[a]!
    const load = this.#load[a]!
    this.#heap[a] = this.#heap[b]!
    this.#load[a] = this.#load[b]!
    this.#heap[b] = place
    this.#load[b] = load
  }
}
