import { expect, test } from '@jest/globals'
import { Metrics } from './metrics.ts'

test('the Prometheus text of all kinds', () => {
  const metrics = new Metrics()
  const calls = metrics.counters('alluxio_test_calls_total', 'Calls.')
  calls.with({ method: 'a"b\n' }).add(2)
  metrics.gauge('alluxio_test_open', 'Open ones.').set(3)
  metrics.observe('alluxio_test_blocks', 'Blocks.', () => [[{ tier: 'MEM' }, 7]])
  const seconds = metrics.histogram('alluxio_test_seconds', 'Time.', [0.1, 1])
  for (const value of [0.05, 0.5, 5]) seconds.observe(value)
  expect(metrics.text()).toBe(`# HELP alluxio_test_calls_total Calls.
# TYPE alluxio_test_calls_total counter
alluxio_test_calls_total{method="a\\"b\\n"} 2
# HELP alluxio_test_open Open ones.
# TYPE alluxio_test_open gauge
alluxio_test_open 3
# HELP alluxio_test_blocks Blocks.
# TYPE alluxio_test_blocks gauge
alluxio_test_blocks{tier="MEM"} 7
# HELP alluxio_test_seconds Time.
# TYPE alluxio_test_seconds histogram
alluxio_test_seconds_bucket{le="0.1"} 1
alluxio_test_seconds_bucket{le="1"} 2
alluxio_test_seconds_bucket{le="+Inf"} 3
alluxio_test_seconds_sum 5.55
alluxio_test_seconds_count 3
`)
  expect(seconds.quantile(0.5)).toBe(1)
  expect(() => metrics.gauge('alluxio_test_open', 'Again.')).toThrow('declared twice')
})
