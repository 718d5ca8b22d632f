/**
 * Answers as JSON, written without objects in between. As text, because a short body goes out with its headers in one write, and the
 * engine joins short texts faster than bytes are copied.
 */
import { type Answer, TIER_NAMES } from '../../../../scheduler/index.ts'

const TIERS = TIER_NAMES.map((tier) => `,"tier":"${tier}","freshMs":`)

export class JsonAnswers {
  #text = '['

  take(answer: Answer): void {
    const { path, length, cold } = answer
    const comma = this.#text.length > 1 ? ',' : ''
    this.#text += `${comma}{"path":${JSON.stringify(path)},"length":${length},"cold":${cold},"blocks":[`
    if (answer.blocks.count > 0) this.#blocks(answer)
    this.#text += '],"hosts":['
    this.#hosts(answer)
    this.#text += ']}'
  }

  #blocks(answer: Answer): void {
    const { count, offset, length, end, host, tier, freshMs } = answer.blocks
    let text = ''
    for (let i = 0, k = 0; i < count; i++) {
      text += `${i === 0 ? '' : ','}{"offset":${offset[i]},"length":${length[i]},"hosts":[`
      for (const first = k; k < end[i]!; k++) {
        text += `${k === first ? '' : ','}{"host":${answer.quotedName(host[k]!)}${TIERS[tier[k]!]}${freshMs[k]}}`
      }
      text += ']}'
    }
    this.#text += text
  }

  #hosts({ hosts }: Answer): void {
    const { count, name, score, bytes, load, confidence, reason } = hosts
    let text = ''
    for (let i = 0; i < count; i++) {
      const at = 3 * i
      text += `${i === 0 ? '' : ','}{"host":${JSON.stringify(name[i])},"score":${score[i]},"bytes":{"MEM":${bytes[at]},"SSD":${bytes[at + 1]},"HDD":${bytes[at + 2]}},"load":${load[i]},"confidence":${confidence[i]},"reason":${JSON.stringify(reason[i])}}`
    }
    this.#text += text
  }

  end(): string {
    return `${this.#text}]`
  }
}
