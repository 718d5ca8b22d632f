/**
 * Compiles a TypeBox schema into an encoder and a decoder of positional arrays, once per schema. Source text is
 * generated, as TypeBox does for its checks: it makes an object in one shape instead of property by property.
 *
 * An object is an array of its properties in schema order; an absent optional property is nil; properties that an older
 * peer leaves off the end are absent, and those that a newer one adds are skipped.
 */
import { Kind, OptionalKind, type TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { AlluxioError } from '../core/index.ts'
import { Packed, type Reader, type Writer } from './message-pack.ts'

export interface SchemaCodec {
  encode(writer: Writer, value: unknown): void
  /** @throws INVALID_ARGUMENT, reason MALFORMED, when the bytes are of other types. */
  decode(reader: Reader): unknown
  /** @throws INVALID_ARGUMENT naming the first property that breaks the schema. */
  check(value: unknown): void
}

const known = new WeakMap<TSchema, SchemaCodec>()

/** The codec of a schema. `name` appears in messages, such as `master.fs.list request`. */
export function codecOf(schema: TSchema, name: string): SchemaCodec {
  let codec = known.get(schema)
  if (codec === undefined) {
    codec = compile(schema, name)
    known.set(schema, codec)
  }
  return codec
}

function compile(schema: TSchema, name: string): SchemaCodec {
  const source = new Source(name)
  const encode = source.encoder(schema)
  const decode = source.decoder(schema)
  const text = `"use strict";${source.functions.join('\n')}\nreturn{encode:${encode},decode:${decode}}`
  const made = new Function('wrong', 'Packed', text)(wrongShape, Packed) as Pick<
    SchemaCodec,
    'encode' | 'decode'
  >
  const checker = TypeCompiler.Compile(schema)
  return {
    encode: made.encode,
    decode: made.decode,
    check(value) {
      if (checker.Check(value)) return
      const first = checker.Errors(value).First()
      throw new AlluxioError(
        'INVALID_ARGUMENT',
        `${name}${first === undefined ? '' : ` ${first.path.slice(1).replaceAll('/', '.')}: ${first.message}`}`,
        { reason: 'SCHEMA' },
      )
    },
  }
}

function wrongShape(field: string, wanted: string): never {
  throw new AlluxioError('INVALID_ARGUMENT', `${field}: ${wanted}`, { reason: 'WRONG_TYPE' })
}

/** Kinds whose values say on the wire what they are, so that a union of them needs no tag. */
const SCALARS = ['String', 'Number', 'Integer', 'Boolean', 'Uint8Array', 'Literal', 'Null']

/** Collects one pair of functions for each object, array and record of a schema. */
class Source {
  readonly functions: string[] = []
  readonly #name: string
  readonly #encoders = new Map<TSchema, string>()
  readonly #decoders = new Map<TSchema, string>()

  constructor(name: string) {
    this.#name = name
  }

  encoder(schema: TSchema): string {
    return this.#once(this.#encoders, 'e', schema, () => this.#encoderBody(schema))
  }

  decoder(schema: TSchema): string {
    return this.#once(this.#decoders, 'd', schema, () => this.#decoderBody(schema))
  }

  #once(names: Map<TSchema, string>, prefix: string, schema: TSchema, body: () => string): string {
    let name = names.get(schema)
    if (name === undefined) {
      name = `${prefix}${names.size}`
      names.set(schema, name)
      this.functions.push(`function ${name}${body()}`)
    }
    return name
  }

  #encoderBody(schema: TSchema): string {
    const field = JSON.stringify(this.#name)
    switch (schema[Kind]) {
      case 'Object': {
        const lines = this.#properties(schema).map(([key, value, optional]) =>
          optional
            ? `t=v[${key}];if(t===undefined)w.nil();else ${this.#write(value, 't', key)}`
            : `${this.#write(value, `v[${key}]`, key)}`,
        )
        return `(w,v){if(typeof v!=="object"||v===null)wrong(${field},"an object was expected");let t;w.array(${lines.length});${lines.join(';')}}`
      }
      case 'Array':
        return `(w,v){if(!Array.isArray(v)){if(v instanceof Packed){w.raw(v.bytes);return}wrong(${field},"an array was expected")}const n=v.length;w.array(n);for(let i=0;i<n;i++){${this.#write(schema.items, 'v[i]', field)}}}`
      case 'Record': {
        const value = Object.values(schema.patternProperties as Record<string, TSchema>)[0]!
        return `(w,v){if(typeof v!=="object"||v===null)wrong(${field},"a record was expected");const k=Object.keys(v);w.map(k.length);for(const x of k){w.string(x,${field});${this.#write(value, 'v[x]', field)}}}`
      }
      default:
        return `(w,v){${this.#write(schema, 'v', field)}}`
    }
  }

  #decoderBody(schema: TSchema): string {
    const field = JSON.stringify(this.#name)
    switch (schema[Kind]) {
      case 'Object':
        return this.#objectDecoder(schema, field)
      case 'Array':
        return `(r){const n=r.array(${field});const a=new Array(n);for(let i=0;i<n;i++)a[i]=${this.#read(schema.items, field)};return a}`
      case 'Record': {
        const value = Object.values(schema.patternProperties as Record<string, TSchema>)[0]!
        return `(r){const n=r.map(${field});const o=Object.create(null);for(let i=0;i<n;i++){const k=r.string(${field});o[k]=${this.#read(value, field)}}return o}`
      }
      default:
        return `(r){return ${this.#read(schema, field)}}`
    }
  }

  #objectDecoder(schema: TSchema, field: string): string {
    const properties = this.#properties(schema)
    const required = properties.findLastIndex(([, , optional]) => !optional) + 1
    const reads = properties.map(([key, value, optional], i) =>
      optional
        ? `let v${i};if(n>${i}&&!r.nil())v${i}=${this.#read(value, key)}`
        : `const v${i}=${this.#read(value, key)}`,
    )
    const literal = properties.flatMap(([key, , optional], i) => (optional ? [] : [`${key}:v${i}`])).join(',')
    const optionals = properties.flatMap(([key, , optional], i) =>
      optional ? [`if(v${i}!==undefined)o[${key}]=v${i}`] : [],
    )
    return (
      `(r){const n=r.array(${field});if(n<${required})wrong(${field},"properties are missing: "+n+" of ${required}");` +
      `${reads.join(';')};const o={${literal}};${optionals.join(';')};for(let i=${properties.length};i<n;i++)r.skip();return o}`
    )
  }

  #properties(schema: TSchema): [key: string, schema: TSchema, optional: boolean][] {
    return Object.entries(schema.properties as Record<string, TSchema>).map(([key, value]) => {
      if (key === '__proto__') this.#refuse('a property named __proto__')
      const optional = OptionalKind in value
      if (optional && admitsNull(value)) this.#refuse(`${key}: optional and null cannot be told apart`)
      return [JSON.stringify(key), value, optional]
    })
  }

  #write(schema: TSchema, value: string, field: string): string {
    const method = this.#scalarMethod(schema)
    if (method === 'null') return 'w.nil()'
    return method === undefined ? `${this.encoder(schema)}(w,${value})` : `w.${method}(${value},${field})`
  }

  #read(schema: TSchema, field: string): string {
    const method = this.#scalarMethod(schema)
    if (method === undefined) return `${this.decoder(schema)}(r)`
    return `r.${method === 'null' ? 'scalar' : method}(${field})`
  }

  #scalarMethod(schema: TSchema): string | undefined {
    switch (schema[Kind]) {
      case 'String':
        return 'string'
      case 'Number':
      case 'Integer':
        return 'number'
      case 'Boolean':
        return 'boolean'
      case 'Uint8Array':
        return 'bytes'
      case 'Null':
        return 'null'
      case 'Literal':
        return 'scalar'
      case 'Union':
        for (const member of schema.anyOf as TSchema[]) {
          if (!SCALARS.includes(member[Kind])) this.#refuse('a union of other things than scalars')
        }
        return 'scalar'
      case 'Object':
      case 'Array':
      case 'Record':
        return undefined
      default:
        return this.#refuse(`schemas of kind ${schema[Kind]}`)
    }
  }

  #refuse(what: string): never {
    throw new AlluxioError('UNSUPPORTED', `${this.#name}: the wire has no form for ${what}`)
  }
}

function admitsNull(schema: TSchema): boolean {
  if (schema[Kind] === 'Null') return true
  return schema[Kind] === 'Union' && (schema.anyOf as TSchema[]).some(admitsNull)
}
