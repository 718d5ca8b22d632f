/** Answers in the form that the contract `hints` gives them on the wire, written without objects in between. */
import { Packed, Writer } from '../../../../rpc/index.ts'
import { type Answer, TIER_NAMES } from '../../../../scheduler/index.ts'
import { tooMuch } from './bounds.ts'

/** Of one reply, whose length is bounded. */
const MAX_BYTES = 3.5 * 2 ** 20
/** About what an answer takes; more is made room for. */
const SLAB_BYTES = 512
const MAX_SLAB_BYTES = 64 * 1024

export class PackedAnswers {
  readonly #writer: Writer

  constructor(count: number) {
    this.#writer = new Writer(Math.min(MAX_SLAB_BYTES, 64 + count * SLAB_BYTES))
    this.#writer.array(count)
  }

  /** @throws RESOURCE_EXHAUSTED, reason ANSWER_TOO_LARGE */
  take(answer: Answer): void {
    const w = this.#writer
    w.array(5)
    w.string(answer.path, 'path')
    w.number(answer.length, 'length')
    w.boolean(answer.cold, 'cold')
    this.#blocks(answer)
    this.#hosts(answer)
    if (w.length > MAX_BYTES) throw tooMuch(`more than ${MAX_BYTES} bytes`, `${MAX_BYTES} over RPC`)
  }

  #blocks(answer: Answer): void {
    const w = this.#writer
    const { count, offset, length, end, host, tier, freshMs } = answer.blocks
    w.array(count)
    for (let i = 0, k = 0; i < count; i++) {
      w.array(3)
      w.number(offset[i], 'offset')
      w.number(length[i], 'length')
      w.array(end[i]! - k)
      for (; k < end[i]!; k++) {
        w.array(3)
        w.string(answer.hostName(host[k]!), 'host')
        w.string(TIER_NAMES[tier[k]!], 'tier')
        w.number(freshMs[k], 'freshMs')
      }
    }
  }

  #hosts({ hosts }: Answer): void {
    const w = this.#writer
    const { count, name, score, bytes, load, confidence, reason } = hosts
    w.array(count)
    for (let i = 0; i < count; i++) {
      w.array(6)
      w.string(name[i], 'host')
      w.number(score[i], 'score')
      w.array(3)
      for (let c = 3 * i; c < 3 * i + 3; c++) w.number(bytes[c], 'bytes')
      w.number(load[i], 'load')
      w.number(confidence[i], 'confidence')
      w.string(reason[i], 'reason')
    }
  }

  /** The whole array. Nothing is taken any more. */
  end(): Packed {
    return new Packed(this.#writer.take())
  }
}
